/* airbench: the network that is trained on CIFAR-10 to 94 % fastest (Jordan 2024, arXiv
 * 2404.00498, "airbench94"): a 2x2 convolution that whitens the pixels' patches and stays
 * as it is, then three groups of two 3x3 convolutions, the first of each followed by a
 * pooling, with norms whose scale stays 1, and GELU. The first outputs of each
 * convolution start as its inputs. Names are those of its PyTorch code. The last pooling
 * goes over all that is left, 3x3 at 28 and 32 pixels a side as there. */
#include "zoo/layers.h"
#include "zoo/whiten.h"

#include <stdio.h>

enum { KERNEL = 2, GROUPS = 3, LEAST_SIDE = 9 };
/* Statistics move by 0.4 of the way at each step; epsilon is a rounding's. */
static const double eps = 1e-12, momentum = 0.4, white_eps = 5e-4;

static assay_status
add_conv(zoo_model *m, nn_value *x, const char *group, int index, int64_t channels) {
    assay_status status = ASSAY_OK;
    char name[NN_MAX_NAME];
    (void)snprintf(name, sizeof name, "%s.conv%d", group, index);
    ASSAY_TRY(zoo_conv_dirac(m, x, name, channels, 3));
    if (index == 1)
        ASSAY_TRY(zoo_max_pool(m, x));
    (void)snprintf(name, sizeof name, "%s.norm%d", group, index);
    ASSAY_TRY(zoo_norm_shift(m, x, name, eps, momentum));
    ASSAY_TRY(zoo_gelu(m, x));
done:
    return status;
}

static assay_status build(zoo_model *m) {
    static const int64_t width[GROUPS] = {64, 256, 256};
    assay_status status = ASSAY_OK;
    nn_value x = m->images;
    /* Each direction of a patch with both signs. */
    ASSAY_TRY(zoo_conv_fixed(m, &x, "whiten", 2 * KERNEL * KERNEL * m->config.channels,
                             KERNEL));
    ASSAY_TRY(nn_graph_name(m->graph, x, "white"));
    ASSAY_TRY(zoo_gelu(m, &x));
    for (int k = 0; k < GROUPS; k++) {
        char group[NN_MAX_NAME / 2];
        (void)snprintf(group, sizeof group, "layers.%d", k + 1);
        ASSAY_TRY(add_conv(m, &x, group, 1, width[k]));
        ASSAY_TRY(add_conv(m, &x, group, 2, width[k]));
    }
    ASSAY_TRY(zoo_global_max_pool(m, &x));
    ASSAY_TRY(zoo_flatten(m, &x));
    m->penultimate = x;
    ASSAY_TRY(zoo_linear_plain(m, &x, "head", m->config.classes));
    ASSAY_TRY(zoo_scale(m, &x, "scale", 1.0F / 9));
    m->logits = x;
done:
    return status;
}

static assay_status
prepare(const zoo_model *m, assay_ctx *ctx, nn_weights *w, const zoo_sample *sample) {
    return zoo_whiten(w, ctx, m, "whiten.weight", sample, white_eps);
}

/* A group from i to o channels; its norms train their shifts only. */
#define GROUP(i, o) ((i) * (o)*9 + (o) * (o)*9 + 2 * (o))

const zoo_model_def assay_model_airbench = {
    .name = "airbench",
    .summary = "whitening, then six convolutions; trains fastest on 32 pixels a side",
    .build = build,
    .prepare = prepare,
    .least_side = LEAST_SIDE,
    .golden = 8 + GROUP(8, 64) + GROUP(64, 256) + GROUP(256, 256) + 256 * 10,
};

/* resnet18: the residual network of 18 layers (He et al. 2015, arXiv 1512.03385), with
 * torchvision's names. Images up to 64 pixels a side enter through a 3x3 convolution that
 * keeps their size; larger ones through the original stem: 7x7 and a pooling, which leave
 * a quarter of the side. */
#include "zoo/layers.h"

#include <stdio.h>

enum { SMALL_SIDE = 64, STAGES = 4, BLOCKS = 2, NAME = 64 };

static void name_put(char out[NAME], const char *block, const char *part) {
    (void)snprintf(out, NAME, "%s.%s", block, part);
}

/* Two convolutions beside a shortcut, which is a 1x1 convolution where shapes differ. */
static assay_status add_block(
    zoo_model *m, nn_value *x, const char *block, int64_t channels, int64_t stride) {
    assay_status status = ASSAY_OK;
    nn_value shortcut = *x;
    char name[NAME];
    if (stride != 1 || nn_graph_shape(m->graph, *x).dim[1] != channels) {
        name_put(name, block, "downsample.0");
        ASSAY_TRY(zoo_conv(m, &shortcut, name, channels, 1, stride));
        name_put(name, block, "downsample.1");
        ASSAY_TRY(zoo_norm(m, &shortcut, name));
    }
    name_put(name, block, "conv1");
    ASSAY_TRY(zoo_conv(m, x, name, channels, 3, stride));
    name_put(name, block, "bn1");
    ASSAY_TRY(zoo_norm_relu(m, x, name));
    name_put(name, block, "conv2");
    ASSAY_TRY(zoo_conv(m, x, name, channels, 3, 1));
    name_put(name, block, "bn2");
    ASSAY_TRY(zoo_norm(m, x, name));
    ASSAY_TRY(zoo_add(m, x, shortcut));
    ASSAY_TRY(zoo_relu(m, x));
done:
    return status;
}

static assay_status build(zoo_model *m) {
    assay_status status = ASSAY_OK;
    nn_value x = m->images;
    bool small = m->config.height <= SMALL_SIDE && m->config.width <= SMALL_SIDE;
    ASSAY_TRY(zoo_conv(m, &x, "conv1", 64, small ? 3 : 7, small ? 1 : 2));
    ASSAY_TRY(zoo_norm_relu(m, &x, "bn1"));
    if (!small)
        ASSAY_TRY(zoo_max_pool_of(m, &x, 3, 2, 1));
    for (int stage = 0; stage < STAGES; stage++)
        for (int block = 0; block < BLOCKS; block++) {
            char name[NAME / 2];
            (void)snprintf(name, sizeof name, "layer%d.%d", stage + 1, block);
            ASSAY_TRY(
                add_block(m, &x, name, 64 << stage, stage > 0 && block == 0 ? 2 : 1));
        }
    ASSAY_TRY(zoo_global_pool(m, &x));
    ASSAY_TRY(zoo_flatten(m, &x));
    m->penultimate = x;
    ASSAY_TRY(zoo_linear(m, &x, "fc", m->config.classes));
    m->logits = x;
done:
    return status;
}

/* A convolution of kernel k from i to o channels, with its norm. */
#define CONV(i, o, k) ((i) * (o) * (k) * (k) + 2 * (o))
#define STAGE(i, o)   (CONV(i, o, 3) + 3 * CONV(o, o, 3) + CONV(i, o, 1))

const zoo_model_def assay_model_resnet18 = {
    .name = "resnet18",
    .summary = "residual network of 18 layers, for 32 to 224 pixels a side",
    .build = build,
    .least_side = 8,
    .golden = CONV(1, 64, 3) + 4 * CONV(64, 64, 3) + STAGE(64, 128) + STAGE(128, 256) +
              STAGE(256, 512) + 512 * 10 + 10,
};

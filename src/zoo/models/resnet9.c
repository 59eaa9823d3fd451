/* resnet9: the residual network of nine layers that FFCV trains on CIFAR-10, layer for
 * layer, with the names of its nn.Sequential ("2.module.0.1.weight": the norm of the
 * first convolution in the third part). Most of its arithmetic lies at a quarter of the
 * pixels, and its logits are scaled down by five. */
#include "zoo/layers.h"

#include <stdio.h>

enum { LEAST_SIDE = 11, NAME = 32 };

static assay_status
add_conv(zoo_model *m, nn_value *x, const char *part, const zoo_conv_shape *shape) {
    assay_status status = ASSAY_OK;
    char name[NAME];
    (void)snprintf(name, sizeof name, "%s.0", part);
    ASSAY_TRY(zoo_conv_of(m, x, name, shape));
    (void)snprintf(name, sizeof name, "%s.1", part);
    ASSAY_TRY(zoo_norm_relu(m, x, name));
done:
    return status;
}

/* x + two convolutions of x. */
static assay_status add_residual(zoo_model *m, nn_value *x, const char *part) {
    assay_status status = ASSAY_OK;
    nn_value shortcut = *x;
    zoo_conv_shape same = {nn_graph_shape(m->graph, *x).dim[1], 3, 1, 1, false};
    for (int i = 0; i < 2; i++) {
        char name[NAME];
        (void)snprintf(name, sizeof name, "%s.module.%d", part, i);
        ASSAY_TRY(add_conv(m, x, name, &same));
    }
    ASSAY_TRY(zoo_add(m, x, shortcut));
done:
    return status;
}

static assay_status build(zoo_model *m) {
    assay_status status = ASSAY_OK;
    nn_value x = m->images;
    ASSAY_TRY(add_conv(m, &x, "0", &(zoo_conv_shape){64, 3, 1, 1, false}));
    ASSAY_TRY(add_conv(m, &x, "1", &(zoo_conv_shape){128, 5, 2, 2, false}));
    ASSAY_TRY(add_residual(m, &x, "2"));
    ASSAY_TRY(add_conv(m, &x, "3", &(zoo_conv_shape){256, 3, 1, 1, false}));
    ASSAY_TRY(zoo_max_pool(m, &x));
    ASSAY_TRY(add_residual(m, &x, "5"));
    ASSAY_TRY(add_conv(m, &x, "6", &(zoo_conv_shape){128, 3, 1, 0, false}));
    ASSAY_TRY(zoo_global_max_pool(m, &x));
    ASSAY_TRY(zoo_flatten(m, &x));
    m->penultimate = x;
    ASSAY_TRY(zoo_linear_plain(m, &x, "9", m->config.classes));
    ASSAY_TRY(zoo_scale(m, &x, "10.weight", 0.2F));
    m->logits = x;
done:
    return status;
}

/* A convolution of kernel k from i to o channels, with its norm. */
#define CONV(i, o, k) ((i) * (o) * (k) * (k) + 2 * (o))

const zoo_model_def assay_model_resnet9 = {
    .name = "resnet9",
    .summary = "residual network of nine layers, for 32 pixels a side",
    .build = build,
    .least_side = LEAST_SIDE,
    .golden = CONV(1, 64, 3) + CONV(64, 128, 5) + 2 * CONV(128, 128, 3) +
              CONV(128, 256, 3) + 2 * CONV(256, 256, 3) + CONV(256, 128, 3) + 128 * 10,
};

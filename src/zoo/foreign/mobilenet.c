/* MobileNet v1 (Howard et al. 2017, arXiv 1704.04861, table 1) at a quarter of its width,
 * as TensorFlow published it, batch norms folded into the convolutions: a 3x3
 * convolution, thirteen pairs of a depthwise 3x3 and a 1x1 convolution, ReLU6 behind
 * each, the mean, and 1001 logits (0: background, then ImageNet's classes). Input (u8 -
 * 127.5) / 127.5. */
#include "zoo/foreign/foreign.h"

#include <stdio.h>

enum { PAIRS = 13, STEM = 8, LOGITS = 1001, HEAD = 28 };

static assay_status layer(nn_graph *g, nn_value *x, int index, foreign_conv conv) {
    assay_status status = ASSAY_OK;
    char name[16];
    (void)snprintf(name, sizeof name, "layer%02d", index);
    conv.same = true;
    ASSAY_TRY(foreign_add_conv(g, x, name, &conv));
    if (index != HEAD)
        ASSAY_TRY(foreign_add(g, x, "relu6", NULL, 0));
done:
    return status;
}

static assay_status build(nn_graph *g, nn_value *x) {
    static const struct {
        int64_t stride, channels;
    } pair[PAIRS] = {{1, 16},  {2, 32},  {1, 32},  {2, 64},  {1, 64},  {2, 128}, {1, 128},
                     {1, 128}, {1, 128}, {1, 128}, {1, 128}, {2, 256}, {1, 256}};
    assay_status status = ASSAY_OK;
    ASSAY_TRY(layer(g, x, 0, (foreign_conv){STEM, 3, 2, 1, true, false}));
    for (int i = 0; i < PAIRS; i++) {
        int64_t c = nn_graph_shape(g, *x).dim[1];
        ASSAY_TRY(
            layer(g, x, 1 + 2 * i, (foreign_conv){c, 3, pair[i].stride, c, true, false}));
        ASSAY_TRY(layer(g, x, 2 + 2 * i,
                        (foreign_conv){pair[i].channels, 1, 1, 1, true, false}));
    }
    ASSAY_TRY(foreign_add(g, x, "global_avg_pool", NULL, 0));
    ASSAY_TRY(layer(g, x, HEAD, (foreign_conv){LOGITS, 1, 1, 1, true, false}));
    ASSAY_TRY(foreign_add(g, x, "flatten", NULL, 0));
done:
    return status;
}

const foreign_net foreign_mobilenet = {
    .name = "mobilenet-v1-0.25",
    .summary = "MobileNet v1 at a quarter of its width, 1001 classes",
    .input = "images",
    .output = "logits",
    .mark = "layer28.weight",
    .mark_shape = {LOGITS, 256, 1, 1},
    .size = {224, 224},
    .channels = 3,
    .build = build,
};

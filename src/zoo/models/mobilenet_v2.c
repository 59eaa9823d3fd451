/* mobilenet-v2: inverted residuals (Sandler et al. 2018, arXiv 1801.04381, table 2): a
 * 1x1 convolution widens, a depthwise 3x3 filters, a 1x1 narrows again without an
 * activation. Names are torchvision's; its dropout before the classifier is left out.
 * Images up to 64 pixels a side keep their size in the first convolution and in the
 * second stage, as is usual for CIFAR: 32 pixels end at 4, 224 at 7. */
#include "zoo/layers.h"

#include <stdio.h>

enum { SMALL_SIDE = 64, STEM = 32, LAST = 1280 };

typedef struct stage {
    int64_t expand, channels;
    int blocks;
    int64_t stride; /* of the first block */
} stage;

static const stage stages[] = {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2},
                               {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2},
                               {6, 320, 1, 1}};
enum { SECOND = 1, STAGES = sizeof stages / sizeof *stages };

/* "block.part.0" the convolution, "block.part.1" its norm, then ReLU6. */
static assay_status add_conv(zoo_model *m,
                             nn_value *x,
                             const char *part,
                             int64_t channels,
                             int64_t kernel,
                             int64_t stride) {
    assay_status status = ASSAY_OK;
    char name[NN_MAX_NAME];
    (void)zoo_part(name, part, "0");
    if (channels)
        ASSAY_TRY(zoo_conv(m, x, name, channels, kernel, stride));
    else
        ASSAY_TRY(zoo_depthwise(m, x, name, kernel, stride));
    ASSAY_TRY(zoo_norm(m, x, zoo_part(name, part, "1")));
    ASSAY_TRY(zoo_op(m, x, "relu6", NULL, 0));
done:
    return status;
}

static assay_status add_block(zoo_model *m,
                              nn_value *x,
                              int index,
                              int64_t expand,
                              int64_t channels,
                              int64_t stride) {
    assay_status status = ASSAY_OK;
    const int64_t in = nn_graph_shape(m->graph, *x).dim[1];
    nn_value shortcut = *x;
    char block[NN_MAX_NAME / 2], part[NN_MAX_NAME * 3 / 4];
    int at = 0;
    (void)snprintf(block, sizeof block, "features.%d.conv", index);
    if (expand != 1) {
        (void)snprintf(part, sizeof part, "%s.%d", block, at++);
        ASSAY_TRY(add_conv(m, x, part, in * expand, 1, 1));
    }
    (void)snprintf(part, sizeof part, "%s.%d", block, at++);
    ASSAY_TRY(add_conv(m, x, part, 0, 3, stride));
    (void)snprintf(part, sizeof part, "%s.%d", block, at++);
    ASSAY_TRY(zoo_conv(m, x, part, channels, 1, 1));
    (void)snprintf(part, sizeof part, "%s.%d", block, at);
    ASSAY_TRY(zoo_norm(m, x, part));
    if (stride == 1 && in == channels)
        ASSAY_TRY(zoo_add(m, x, shortcut));
done:
    return status;
}

static assay_status build(zoo_model *m) {
    assay_status status = ASSAY_OK;
    nn_value x = m->images;
    bool small = m->config.height <= SMALL_SIDE && m->config.width <= SMALL_SIDE;
    int index = 1;
    char name[NN_MAX_NAME / 2];
    ASSAY_TRY(add_conv(m, &x, "features.0", STEM, 3, small ? 1 : 2));
    for (int s = 0; s < STAGES; s++)
        for (int b = 0; b < stages[s].blocks; b++) {
            bool halve = b == 0 && !(small && s == SECOND);
            ASSAY_TRY(add_block(m, &x, index++, stages[s].expand, stages[s].channels,
                                halve ? stages[s].stride : 1));
        }
    (void)snprintf(name, sizeof name, "features.%d", index);
    ASSAY_TRY(add_conv(m, &x, name, LAST, 1, 1));
    ASSAY_TRY(zoo_global_pool(m, &x));
    ASSAY_TRY(zoo_flatten(m, &x));
    m->penultimate = x;
    ASSAY_TRY(zoo_linear(m, &x, "classifier.1", m->config.classes));
    m->logits = x;
done:
    return status;
}

const zoo_model_def assay_model_mobilenet_v2 = {
    .name = "mobilenet-v2",
    .summary = "inverted residuals and depthwise convolutions, for 32 to 224 pixels",
    .build = build,
    .least_side = 8,
    /* torchvision's 3,504,872 have three channels and 1000 classes */
    .golden = 3504872 - 2 * STEM * 9 - 990 * (LAST + 1),
};

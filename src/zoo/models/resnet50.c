/* resnet50: the residual network of 50 layers (He et al. 2015, arXiv 1512.03385, table
 * 1), blocks of 1x1, 3x3 and 1x1 convolutions, with torchvision's names and its strides,
 * which lie in the 3x3. Small images enter as in resnet18. */
#include "zoo/residual.h"

static assay_status build(zoo_model *m) {
    return zoo_residual_build(m, &(zoo_residual){.stages = 4,
                                                 .blocks = {3, 4, 6, 3},
                                                 .width = 64,
                                                 .expansion = 4,
                                                 .large_stem = true});
}

#define CONV(i, o, k) ZOO_CONV_NORM(i, o, k)
/* A block of width w on i channels; the first of a stage has a convolution beside it. */
#define BLOCK(i, w)    (CONV(i, w, 1) + CONV(w, w, 3) + CONV(w, 4 * (w), 1))
#define STAGE(i, w, n) (BLOCK(i, w) + CONV(i, 4 * (w), 1) + ((n)-1) * BLOCK(4 * (w), w))

const zoo_model_def assay_model_resnet50 = {
    .name = "resnet50",
    .summary = "residual network of 50 layers, for 32 to 224 pixels a side",
    .build = build,
    .least_side = 8,
    .golden = CONV(1, 64, 3) + STAGE(64, 64, 3) + STAGE(256, 128, 4) +
              STAGE(512, 256, 6) + STAGE(1024, 512, 3) + 2048 * 10 + 10,
};

/* resnet20: the residual network of 20 layers for CIFAR (He et al. 2015, arXiv
 * 1512.03385, section 4.2): three stages of 3 blocks, 16, 32 and 64 channels wide. Names
 * are torchvision's, and shortcuts are 1x1 convolutions where shapes differ, as in the
 * published PyTorch weights under these names (the paper's option B; it has A here). */
#include "zoo/residual.h"

static assay_status build(zoo_model *m) {
    return zoo_residual_build(
        m, &(zoo_residual){.stages = 3, .blocks = {3, 3, 3}, .width = 16});
}

#define CONV(i, o, k) ZOO_CONV_NORM(i, o, k)
#define STAGE(i, o)   (CONV(i, o, 3) + 5 * CONV(o, o, 3) + CONV(i, o, 1))

const zoo_model_def assay_model_resnet20 = {
    .name = "resnet20",
    .summary = "residual network of 20 layers, for 32 pixels a side",
    .build = build,
    .least_side = 4,
    .golden = CONV(1, 16, 3) + 6 * CONV(16, 16, 3) + STAGE(16, 32) + STAGE(32, 64) +
              64 * 10 + 10,
};

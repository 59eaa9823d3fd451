/* resnet18: the residual network of 18 layers (He et al. 2015, arXiv 1512.03385, table
 * 1), with torchvision's names. Images up to 64 pixels a side enter through a 3x3
 * convolution that keeps their size; larger ones through the original stem: 7x7 and a
 * pooling, which leave a quarter of the side. */
#include "zoo/residual.h"

static assay_status build(zoo_model *m) {
    return zoo_residual_build(
        m, &(zoo_residual){
               .stages = 4, .blocks = {2, 2, 2, 2}, .width = 64, .large_stem = true});
}

#define CONV(i, o, k) ZOO_CONV_NORM(i, o, k)
#define STAGE(i, o)   (CONV(i, o, 3) + 3 * CONV(o, o, 3) + CONV(i, o, 1))

const zoo_model_def assay_model_resnet18 = {
    .name = "resnet18",
    .summary = "residual network of 18 layers, for 32 to 224 pixels a side",
    .build = build,
    .least_side = 8,
    .golden = CONV(1, 64, 3) + 4 * CONV(64, 64, 3) + STAGE(64, 128) + STAGE(128, 256) +
              STAGE(256, 512) + 512 * 10 + 10,
};

/* lenet: two convolutions of 5x5, each with a pooling, and three linear layers (LeCun et
 * al. 1998, "Gradient-Based Learning Applied to Document Recognition", figure 2), with
 * ReLU and the largest of 2x2 pixels as it is taught today. Names are those of PyTorch's
 * tutorial. The original reads digits of 28 pixels inside 32, so images below 32 are
 * padded by two. */
#include "zoo/layers.h"

enum { FULL_SIDE = 32 };

static assay_status build(zoo_model *m) {
    assay_status status = ASSAY_OK;
    nn_value x = m->images;
    bool full = m->config.height >= FULL_SIDE && m->config.width >= FULL_SIDE;
    ASSAY_TRY(
        zoo_conv_of(m, &x, "conv1", &(zoo_conv_shape){6, 5, 1, full ? 0 : 2, true}));
    ASSAY_TRY(zoo_relu(m, &x));
    ASSAY_TRY(zoo_max_pool(m, &x));
    ASSAY_TRY(zoo_conv_of(m, &x, "conv2", &(zoo_conv_shape){16, 5, 1, 0, true}));
    ASSAY_TRY(zoo_relu(m, &x));
    ASSAY_TRY(zoo_max_pool(m, &x));
    ASSAY_TRY(zoo_flatten(m, &x));
    ASSAY_TRY(zoo_linear(m, &x, "fc1", 120));
    ASSAY_TRY(zoo_relu(m, &x));
    ASSAY_TRY(zoo_linear(m, &x, "fc2", 84));
    ASSAY_TRY(zoo_relu(m, &x));
    m->penultimate = x;
    ASSAY_TRY(zoo_linear(m, &x, "fc3", m->config.classes));
    m->logits = x;
done:
    return status;
}

const zoo_model_def assay_model_lenet = {
    .name = "lenet",
    .summary = "LeNet-5 with ReLU, for 28 or 32 pixels a side",
    .build = build,
    .least_side = 12,
    .golden = 6 * 25 + 6 + 16 * 6 * 25 + 16 + 400 * 120 + 120 + 120 * 84 + 84 + 840 + 10,
};

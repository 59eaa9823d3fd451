/* convnet: 3x3 convolutions with bias and ReLU, each with a pooling of 2x2 behind it, and
 * a linear layer on what is left; 16 and 32 wide, or as the name says
 * ("convnet-8-16-32"). Without norms: examples do not see each other in training, which
 * is what studies of attribution want of a convolutional model. */
#include "zoo/layers.h"

#include <stdio.h>

static assay_status build(zoo_model *m) {
    static const int usual[] = {16, 32};
    assay_status status = ASSAY_OK;
    const int *width = m->n_args ? m->arg : usual;
    int layers = m->n_args ? m->n_args : 2;
    char name[16];
    nn_value x = m->images;
    for (int i = 0; i < layers; i++) {
        (void)snprintf(name, sizeof name, "conv%d", i + 1);
        ASSAY_TRY(zoo_conv_of(m, &x, name, &(zoo_conv_shape){width[i], 3, 1, 1, true}));
        ASSAY_TRY(zoo_relu(m, &x));
        ASSAY_TRY(zoo_max_pool(m, &x));
    }
    ASSAY_TRY(zoo_flatten(m, &x));
    m->penultimate = x;
    ASSAY_TRY(zoo_linear(m, &x, "fc", m->config.classes));
    m->logits = x;
done:
    return status;
}

const zoo_model_def assay_model_convnet = {
    .name = "convnet",
    .summary = "3x3 convolutions without norms, 16 and 32 wide; convnet-8-16-32: so wide",
    .build = build,
    .least_side = 8,
    .most_args = ZOO_MOST_ARGS,
    .f32 = true,
    .golden = 16 * 9 + 16 + 32 * 16 * 9 + 32 + 7 * 7 * 32 * 10 + 10,
};

/* Builds a residual network from its description. */
#include "zoo/residual.h"

#include "zoo/layers.h"

#include <stdio.h>

enum { SMALL_SIDE = 64 };

/* A convolution and its norm. */
static assay_status add_conv(zoo_model *m,
                             nn_value *x,
                             const char *block,
                             const char *const part[2],
                             const zoo_conv_shape *shape) {
    assay_status status = ASSAY_OK;
    char name[NN_MAX_NAME];
    ASSAY_TRY(zoo_conv_of(m, x, zoo_part(name, block, part[0]), shape));
    ASSAY_TRY(zoo_norm(m, x, zoo_part(name, block, part[1])));
done:
    return status;
}

/* The convolutions of a block beside a shortcut, which is a 1x1 convolution where shapes
 * differ (the paper's option B). */
static assay_status add_block(zoo_model *m,
                              nn_value *x,
                              const char *block,
                              int64_t width,
                              int64_t stride,
                              int64_t expansion) {
    static const char *const part[][2] = {{"conv1", "bn1"},
                                          {"conv2", "bn2"},
                                          {"conv3", "bn3"},
                                          {"downsample.0", "downsample.1"}};
    const zoo_conv_shape basic[] = {{width, 3, stride, 1, false},
                                    {width, 3, 1, 1, false}};
    const zoo_conv_shape narrow[] = {{width, 1, 1, 0, false},
                                     {width, 3, stride, 1, false},
                                     {width * expansion, 1, 1, 0, false}};
    const zoo_conv_shape *convs = expansion ? narrow : basic;
    const int n = expansion ? 3 : 2;
    const zoo_conv_shape across = {convs[n - 1].channels, 1, stride, 0, false};
    assay_status status = ASSAY_OK;
    nn_value shortcut = *x;
    if (stride != 1 || nn_graph_shape(m->graph, *x).dim[1] != across.channels)
        ASSAY_TRY(add_conv(m, &shortcut, block, part[3], &across));
    for (int i = 0; i < n; i++) {
        ASSAY_TRY(add_conv(m, x, block, part[i], &convs[i]));
        if (i + 1 < n)
            ASSAY_TRY(zoo_relu(m, x));
    }
    ASSAY_TRY(zoo_add(m, x, shortcut));
    ASSAY_TRY(zoo_relu(m, x));
done:
    return status;
}

assay_status zoo_residual_build(zoo_model *m, const zoo_residual *net) {
    assay_status status = ASSAY_OK;
    nn_value x = m->images;
    bool small = !net->large_stem ||
                 (m->config.height <= SMALL_SIDE && m->config.width <= SMALL_SIDE);
    ASSAY_TRY(zoo_conv(m, &x, "conv1", net->width, small ? 3 : 7, small ? 1 : 2));
    ASSAY_TRY(zoo_norm_relu(m, &x, "bn1"));
    if (!small)
        ASSAY_TRY(zoo_max_pool_of(m, &x, 3, 2, 1));
    for (int stage = 0; stage < net->stages; stage++)
        for (int block = 0; block < net->blocks[stage]; block++) {
            char name[NN_MAX_NAME / 2];
            (void)snprintf(name, sizeof name, "layer%d.%d", stage + 1, block);
            ASSAY_TRY(add_block(m, &x, name, net->width << stage,
                                stage > 0 && block == 0 ? 2 : 1, net->expansion));
        }
    ASSAY_TRY(zoo_global_pool(m, &x));
    ASSAY_TRY(zoo_flatten(m, &x));
    m->penultimate = x;
    ASSAY_TRY(zoo_linear(m, &x, "fc", m->config.classes));
    m->logits = x;
done:
    return status;
}

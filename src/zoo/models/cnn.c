/* cnn: 3x3 convolutions with batch norm and ReLU, halving the sides and widening, then
 * the mean over what is left and one linear layer. Made for 28 to 64 pixels a side on one
 * core: most of its arithmetic lies at a half and a quarter of the sides, where channels
 * are many and pixels few, since memory traffic at full size costs more than the products
 * do there. */
#include "zoo/layers.h"

#include <stdio.h>

enum { STEM_SIDE = 40, LEAST_SIDE = 8 };

typedef struct stage {
    int64_t channels;
    bool pool; /* behind it */
} stage;

static assay_status build(zoo_model *m) {
    static const stage stages[] = {
        {16, true}, {32, false}, {32, true}, {64, false}, {64, false}};
    assay_status status = ASSAY_OK;
    int64_t side =
        m->config.height < m->config.width ? m->config.height : m->config.width;
    nn_value x = m->images;
    int layer = 0;
    char conv[16], norm[16];
    /* Large images are halved by strides until the stages fit. */
    for (; side > STEM_SIDE; side = (side + 1) / 2) {
        layer++;
        (void)snprintf(conv, sizeof conv, "conv%d", layer);
        (void)snprintf(norm, sizeof norm, "bn%d", layer);
        ASSAY_TRY(zoo_conv(m, &x, conv, stages[0].channels, 3, 2));
        ASSAY_TRY(zoo_norm_relu(m, &x, norm));
    }
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        layer++;
        (void)snprintf(conv, sizeof conv, "conv%d", layer);
        (void)snprintf(norm, sizeof norm, "bn%d", layer);
        ASSAY_TRY(zoo_conv(m, &x, conv, stages[i].channels, 3, 1));
        ASSAY_TRY(zoo_norm_relu(m, &x, norm));
        if (stages[i].pool)
            ASSAY_TRY(zoo_max_pool(m, &x));
    }
    ASSAY_TRY(zoo_global_pool(m, &x));
    ASSAY_TRY(zoo_flatten(m, &x));
    m->penultimate = x;
    ASSAY_TRY(zoo_linear(m, &x, "fc", m->config.classes));
    m->logits = x;
done:
    return status;
}

const zoo_model_def assay_model_cnn = {
    .name = "cnn",
    .summary = "3x3 convolutions with batch norm, for 28 to 64 pixels a side",
    .build = build,
    .least_side = LEAST_SIDE,
    .golden = 16 * 9 + 32 + 32 * 16 * 9 + 64 + 32 * 32 * 9 + 64 + 64 * 32 * 9 + 128 +
              64 * 64 * 9 + 128 + 64 * 10 + 10,
};

/* mlp: two hidden layers on the pixels. Small, quick, and blind to where a thing is; for
 * tests, and for comparing with what the literature measures on such a model. */
#include "zoo/layers.h"

static assay_status build(zoo_model *m) {
    assay_status status = ASSAY_OK;
    nn_value x = m->images;
    ASSAY_TRY(zoo_flatten(m, &x));
    ASSAY_TRY(zoo_linear(m, &x, "fc1", 128));
    ASSAY_TRY(zoo_relu(m, &x));
    ASSAY_TRY(zoo_linear(m, &x, "fc2", 64));
    ASSAY_TRY(zoo_relu(m, &x));
    m->penultimate = x;
    ASSAY_TRY(zoo_linear(m, &x, "fc3", m->config.classes));
    m->logits = x;
done:
    return status;
}

const zoo_model_def assay_model_mlp = {
    .name = "mlp",
    .summary = "two hidden layers of 128 and 64 on the pixels",
    .build = build,
    .golden = 784 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10,
};

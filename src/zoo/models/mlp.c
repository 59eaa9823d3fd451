/* mlp: hidden layers on the pixels, two of 128 and 64 or those that the name says
 * ("mlp-256" has one of 256). Small, quick, and blind to where a thing is; for tests, and
 * for comparing with what the literature measures on such a model. */
#include "zoo/layers.h"

#include <stdio.h>

static assay_status build(zoo_model *m) {
    static const int usual[] = {128, 64};
    assay_status status = ASSAY_OK;
    const int *width = m->n_args ? m->arg : usual;
    int layers = m->n_args ? m->n_args : 2;
    char name[16];
    nn_value x = m->images;
    ASSAY_TRY(zoo_flatten(m, &x));
    for (int i = 0; i < layers; i++) {
        (void)snprintf(name, sizeof name, "fc%d", i + 1);
        ASSAY_TRY(zoo_linear(m, &x, name, width[i]));
        ASSAY_TRY(zoo_relu(m, &x));
    }
    m->penultimate = x;
    (void)snprintf(name, sizeof name, "fc%d", layers + 1);
    ASSAY_TRY(zoo_linear(m, &x, name, m->config.classes));
    m->logits = x;
done:
    return status;
}

const zoo_model_def assay_model_mlp = {
    .name = "mlp",
    .summary = "hidden layers of 128 and 64 on the pixels; mlp-256-64: of these widths",
    .build = build,
    .most_args = ZOO_MOST_ARGS,
    .f32 = true,
    .golden = 784 * 128 + 128 + 128 * 64 + 64 + 64 * 10 + 10,
};

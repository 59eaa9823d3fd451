/* Builders of the two small networks, and the sizes that each model is measured at. */
#include "train/bench_nets.h"

#include "base/status.h"
#include "zoo/layers.h"

#include <string.h>

enum {
    CLASSES = 10,
    MANY_CLASSES = 1000,
    LARGE_SIDE = 64,
    VOCABULARY = 65,
    CONTEXT = 128
};

static assay_status build_mlp(zoo_model *m) {
    assay_status status = ASSAY_OK;
    nn_value x = m->images;
    ASSAY_TRY(zoo_flatten(m, &x));
    ASSAY_TRY(zoo_linear(m, &x, "1", 256));
    ASSAY_TRY(zoo_relu(m, &x));
    m->penultimate = x;
    ASSAY_TRY(zoo_linear(m, &x, "3", m->config.classes));
    m->logits = x;
done:
    return status;
}

static assay_status build_cnn(zoo_model *m) {
    assay_status status = ASSAY_OK;
    nn_value x = m->images;
    ASSAY_TRY(zoo_conv_of(m, &x, "0", &(zoo_conv_shape){32, 3, 1, 1, true}));
    ASSAY_TRY(zoo_relu(m, &x));
    ASSAY_TRY(zoo_max_pool(m, &x));
    ASSAY_TRY(zoo_conv_of(m, &x, "3", &(zoo_conv_shape){64, 3, 1, 1, true}));
    ASSAY_TRY(zoo_relu(m, &x));
    ASSAY_TRY(zoo_max_pool(m, &x));
    ASSAY_TRY(zoo_flatten(m, &x));
    m->penultimate = x;
    ASSAY_TRY(zoo_linear(m, &x, "7", m->config.classes));
    m->logits = x;
done:
    return status;
}

static const zoo_model_def own[] = {
    {.name = "mlp", .build = build_mlp, .least_side = 1},
    {.name = "cnn", .build = build_cnn, .least_side = 4},
};

assay_status
bench_net_build(zoo_model *out, assay_ctx *ctx, const char *name, int size, bool smooth) {
    zoo_config config = {
        .classes = CLASSES, .channels = 3, .height = 32, .width = 32, .smooth = smooth};
    if (size) {
        config.height = config.width = size;
        config.classes = size > LARGE_SIDE ? MANY_CLASSES : CLASSES;
    }
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strcmp(own[i].name, name) == 0) {
            config.channels = 1;
            config.height = config.width = size ? size : 28;
            return zoo_build_def(out, ctx, &own[i], &config);
        }
    const zoo_model_def *def = zoo_find(name);
    if (def && def->tokens)
        config = (zoo_config){.classes = def->sequences ? CLASSES : VOCABULARY,
                              .context = CONTEXT,
                              .vocabulary = VOCABULARY};
    return zoo_build(out, ctx, name, &config);
}

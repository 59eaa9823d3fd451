/* The registry of models, and what is the same for all: inputs, loss and margin. */
#include "zoo/zoo.h"

#include "base/buf.h"

#include <string.h>

#define X(name) extern const zoo_model_def assay_model_##name;
#include "model_table.inc"
#undef X

#define X(name) &assay_model_##name,
static const zoo_model_def *const models[] = {
#include "model_table.inc"
};
#undef X

size_t zoo_count(void) {
    return sizeof models / sizeof *models;
}

const zoo_model_def *zoo_at(size_t i) {
    return models[i];
}

const zoo_model_def *zoo_find(const char *name) {
    for (size_t i = 0; i < zoo_count(); i++)
        if (strcmp(models[i]->name, name) == 0)
            return models[i];
    return NULL;
}

static assay_status unknown(assay_ctx *ctx, const char *name) {
    buf names = buf_make(ctx);
    for (size_t i = 0; i < zoo_count(); i++)
        buf_fmt(&names, "%s%s", i ? ", " : "", models[i]->name);
    (void)err_set(ASSAY_E_NOTFOUND, "there is no model \"%s\"", name);
    if (!names.failed)
        err_help("models are: %s", names.data);
    buf_free(&names);
    return ASSAY_E_NOTFOUND;
}

assay_status
zoo_build(zoo_model *out, assay_ctx *ctx, const char *name, const zoo_config *config) {
    assay_status status = ASSAY_OK;
    *out = (zoo_model){.config = *config};
    const zoo_model_def *def = zoo_find(name);
    if (!def)
        return unknown(ctx, name);
    out->name = def->name;
    if (config->classes < 1 || config->channels < 1 || config->height < 1 ||
        config->width < 1)
        ASSAY_FAIL(ASSAY_E_SHAPE, "a model of %d classes on images of %d x %d x %d",
                   config->classes, config->height, config->width, config->channels);
    ASSAY_TRY(nn_graph_create(&out->graph, ctx));
    const nn_shape images = {4, {0, config->channels, config->height, config->width}};
    ASSAY_TRY(nn_graph_input(out->graph, "images", ASSAY_F32, images, &out->images));
    ASSAY_TRY(nn_graph_input(out->graph, "labels", ASSAY_I32, (nn_shape){1, {0}},
                             &out->labels));
    ASSAY_TRY(def->build(out));
    const nn_value heads[] = {out->logits, out->labels};
    const nn_attr smoothing = {.name = "smoothing", .f = config->smoothing};
    ASSAY_TRY(
        nn_graph_op(out->graph, "cross_entropy", heads, 2, &smoothing, 1, &out->loss));
    ASSAY_TRY(nn_graph_op(out->graph, "margin", heads, 2, NULL, 0, &out->margin));
    ASSAY_TRY(nn_graph_name(out->graph, out->penultimate, "penultimate"));
    ASSAY_TRY(nn_graph_name(out->graph, out->logits, "logits"));
    ASSAY_TRY(nn_graph_name(out->graph, out->loss, "loss"));
    ASSAY_TRY(nn_graph_name(out->graph, out->margin, "margin"));
done:
    if (status != ASSAY_OK)
        zoo_destroy(out);
    return status;
}

void zoo_destroy(zoo_model *m) {
    nn_graph_destroy(m->graph);
    *m = (zoo_model){0};
}

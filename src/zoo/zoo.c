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

/* The model whose name this is, or which it begins with before numbers. */
static const zoo_model_def *begins_with(const char *name, const char **rest) {
    for (size_t i = 0; i < zoo_count(); i++) {
        size_t n = strlen(models[i]->name);
        if (strncmp(models[i]->name, name, n) != 0)
            continue;
        *rest = name + n;
        if (name[n] == '\0' || (models[i]->most_args > 0 && name[n] == '-'))
            return models[i];
    }
    return NULL;
}

/* "-128" from *p on. */
static bool number_read(int *out, const char **p) {
    const char *c = *p + 1;
    int64_t v = 0;
    if (**p != '-' || *c < '0' || *c > '9')
        return false;
    for (; *c >= '0' && *c <= '9' && v <= ZOO_MOST_WIDTH; c++)
        v = 10 * v + (*c - '0');
    *p = c;
    *out = (int)v;
    return v >= 1 && v <= ZOO_MOST_WIDTH;
}

assay_status zoo_name_parse(zoo_name *out, const char *name) {
    const char *rest;
    *out = (zoo_name){.def = begins_with(name, &rest)};
    if (!out->def)
        return err_set(ASSAY_E_NOTFOUND, "there is no model \"%.80s\"", name);
    while (*rest) {
        int v;
        if (out->n_args == out->def->most_args || !number_read(&v, &rest)) {
            (void)err_set(ASSAY_E_INVALID, "no model is made by \"%.80s\"", name);
            err_help("up to %d widths from 1 to %d may follow %s: %s-128-64",
                     out->def->most_args, ZOO_MOST_WIDTH, out->def->name, out->def->name);
            return ASSAY_E_INVALID;
        }
        out->arg[out->n_args++] = v;
    }
    return ASSAY_OK;
}

const zoo_model_def *zoo_find(const char *name) {
    zoo_name n;
    return zoo_name_parse(&n, name) == ASSAY_OK ? n.def : NULL;
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

static assay_status config_check(const zoo_model_def *def, const zoo_config *c) {
    const int vocabulary = def->sequences ? c->vocabulary : c->classes;
    if (def->tokens)
        return c->classes >= 1 && vocabulary >= 1 && c->context >= 1
                   ? ASSAY_OK
                   : err_set(ASSAY_E_SHAPE,
                             "%s reads tokens: a vocabulary of %d, a context of %d",
                             def->name, vocabulary, c->context);
    if (c->classes < 1 || c->channels < 1 || c->height < 1 || c->width < 1)
        return err_set(ASSAY_E_SHAPE, "a model of %d classes on images of %d x %d x %d",
                       c->classes, c->height, c->width, c->channels);
    if (c->height < def->least_side || c->width < def->least_side)
        return err_set(ASSAY_E_SHAPE,
                       "%s needs images of at least %d pixels a side, has %d x %d",
                       def->name, def->least_side, c->height, c->width);
    return ASSAY_OK;
}

static assay_status add_inputs(zoo_model *m, bool tokens, bool sequences) {
    assay_status status = ASSAY_OK;
    const zoo_config *c = &m->config;
    const nn_shape line = {2, {0, c->context}}, one = {1, {0}};
    const nn_shape images = {4, {0, c->channels, c->height, c->width}};
    if (tokens)
        ASSAY_TRY(nn_graph_input(m->graph, "tokens", ASSAY_I32, line, &m->images));
    else
        ASSAY_TRY(nn_graph_input(m->graph, "images", ASSAY_F32, images, &m->images));
    m->flat = m->images;
    m->lengths = -1;
    const nn_attr pad = {.name = "pad", .i = {c->vocabulary + ZOO_PAD}, .count = 1};
    if (sequences)
        ASSAY_TRY(nn_graph_op(m->graph, "lengths", &m->images, 1, &pad, 1, &m->lengths));
    ASSAY_TRY(nn_graph_input(m->graph, "labels", ASSAY_I32,
                             tokens && !sequences ? line : one, &m->labels));
done:
    return status;
}

static assay_status
build(zoo_model *out, assay_ctx *ctx, const zoo_name *name, const zoo_config *config) {
    assay_status status = ASSAY_OK;
    const zoo_model_def *def = name->def;
    *out = (zoo_model){
        .name = def->name, .def = def, .config = *config, .n_args = name->n_args};
    memcpy(out->arg, name->arg, sizeof out->arg);
    ASSAY_TRY(config_check(def, config));
    ASSAY_TRY(nn_graph_create(&out->graph, ctx));
    ASSAY_TRY(add_inputs(out, def->tokens, def->sequences));
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

assay_status zoo_build_def(zoo_model *out,
                           assay_ctx *ctx,
                           const zoo_model_def *def,
                           const zoo_config *config) {
    return build(out, ctx, &(zoo_name){.def = def}, config);
}

assay_status
zoo_build(zoo_model *out, assay_ctx *ctx, const char *name, const zoo_config *config) {
    zoo_name n;
    *out = (zoo_model){0};
    assay_status status = zoo_name_parse(&n, name);
    if (status == ASSAY_E_NOTFOUND)
        return unknown(ctx, name);
    return status == ASSAY_OK ? build(out, ctx, &n, config) : status;
}

assay_status
zoo_prepare(const zoo_model *m, assay_ctx *ctx, nn_weights *w, const zoo_sample *sample) {
    return m->def->prepare ? m->def->prepare(m, ctx, w, sample) : ASSAY_OK;
}

double zoo_step_flop(const zoo_model *m) {
    return 3 * m->flop - m->flop_input;
}

size_t zoo_labels_each(const zoo_model *m) {
    const nn_shape labels = nn_graph_shape(m->graph, m->labels);
    return labels.ndim > 1 ? (size_t)labels.dim[1] : 1;
}

int zoo_vocabulary(const zoo_model *m) {
    return m->config.vocabulary ? m->config.vocabulary : m->config.classes;
}

void zoo_destroy(zoo_model *m) {
    nn_graph_destroy(m->graph);
    *m = (zoo_model){0};
}

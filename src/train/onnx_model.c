/* ONNX files with labels, loss and margin added. */
#include "train/onnx_model.h"

#include "base/os.h"
#include "nn/onnx/load.h"

#include <stdio.h>
#include <string.h>

static const zoo_model_def foreign = {.name = "onnx", .summary = "of an ONNX file"};

/* The one input that something is computed from. */
static assay_status images_of(const onnx_import *m, const onnx_port **out) {
    *out = NULL;
    for (size_t i = 0; i < m->n_in; i++)
        if (m->in[i].value >= 0 || m->in[i].param >= 0 || m->in[i].buffer >= 0) {
            if (*out || m->in[i].value < 0)
                return err_set(ASSAY_E_SHAPE, "the model has several inputs");
            *out = &m->in[i];
        }
    const nn_shape *s = *out ? &(*out)->shape : NULL;
    if (s && s->ndim == 4 && s->dim[0] == 0 && (s->dim[1] == 1 || s->dim[1] == 3) &&
        s->dim[2] == s->dim[3] && (*out)->dtype == ASSAY_F32)
        return ASSAY_OK;
    (void)err_set(ASSAY_E_SHAPE, "the input%s%s is not of square images [N,C,H,H] in f32",
                  *out ? " " : "", *out ? (*out)->name : "");
    err_help("export it with a batch that is open, or of 1");
    return ASSAY_E_SHAPE;
}

static assay_status logits_of(const onnx_import *m, const onnx_port **out) {
    *out = &m->out[0];
    if (m->n_out > 0 && m->out[0].value >= 0 && m->out[0].shape.ndim == 2 &&
        m->out[0].shape.dim[0] == 0 && m->out[0].dtype == ASSAY_F32)
        return ASSAY_OK;
    return err_set(ASSAY_E_SHAPE, "the first output is not [N,classes] in f32");
}

/* Probabilities would be taken for logits. */
static assay_status no_softmax(const onnx_import *m, const onnx_port *logits) {
    const char *op = nn_graph_maker(m->graph, logits->value);
    if (!op || strcmp(op, "softmax") != 0)
        return ASSAY_OK;
    (void)err_set(ASSAY_E_UNSUPPORTED, "the output %s is of a softmax, no logits",
                  logits->name);
    err_help("export the model without its last softmax");
    return ASSAY_E_UNSUPPORTED;
}

static assay_status heads_add(zoo_model *z) {
    assay_status status = ASSAY_OK;
    const nn_shape one = {1, {0}};
    ASSAY_TRY(nn_graph_input(z->graph, "labels", ASSAY_I32, one, &z->labels));
    const nn_value heads[] = {z->logits, z->labels};
    ASSAY_TRY(nn_graph_op(z->graph, "cross_entropy", heads, 2, NULL, 0, &z->loss));
    ASSAY_TRY(nn_graph_op(z->graph, "margin", heads, 2, NULL, 0, &z->margin));
done:
    return status;
}

static assay_status take(trained_model *out, assay_ctx *ctx, onnx_import *m) {
    assay_status status = ASSAY_OK;
    const onnx_port *in, *logits;
    ASSAY_TRY(images_of(m, &in));
    ASSAY_TRY(logits_of(m, &logits));
    ASSAY_TRY(no_softmax(m, logits));
    *out = (trained_model){.ctx = ctx, .weights = m->weights};
    out->zoo = (zoo_model){.name = foreign.name,
                           .def = &foreign,
                           .graph = m->graph,
                           .images = in->value,
                           .flat = in->value,
                           .lengths = -1,
                           .logits = logits->value,
                           .penultimate = logits->value};
    out->zoo.config = (zoo_config){.classes = (int)logits->shape.dim[1],
                                   .channels = (int)in->shape.dim[1],
                                   .height = (int)in->shape.dim[2],
                                   .width = (int)in->shape.dim[3]};
    m->graph = NULL; /* the model's now, and the weights */
    m->weights = (nn_weights){0};
    const zoo_config *c = &out->zoo.config;
    out->card = (model_card){.size = c->height,
                             .channels = c->channels,
                             .classes = c->classes,
                             .std = {1, 1, 1}};
    (void)snprintf(out->card.name, sizeof out->card.name, "%s", foreign.name);
    ASSAY_TRY(heads_add(&out->zoo));
done:
    if (status != ASSAY_OK)
        model_free(out);
    return status;
}

assay_status onnx_model_load(trained_model *out, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    onnx_file *file = NULL;
    onnx_import import = {.ctx = ctx};
    os_map map = {0};
    const onnx_options o = {.open_batch = true};
    *out = (trained_model){0};
    ASSAY_TRY(os_map_file(&map, path, false));
    ASSAY_TRY(onnx_parse(&file, ctx, map.data, map.bytes, path));
    ASSAY_TRY_AT(onnx_load(&import, ctx, onnx_file_model(file), &o), "%s", path);
    ASSAY_TRY_AT(take(out, ctx, &import), "%s", path);
done:
    onnx_import_free(&import);
    onnx_file_destroy(file);
    os_unmap(&map);
    return status;
}

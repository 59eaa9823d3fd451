/* Values of the file become values of the graph, in the role in which they are used. */
#include "nn/onnx/half.h"
#include "nn/onnx/import_inside.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

nn_graph *imp_graph(imp *im) {
    return im->graph;
}

assay_ctx *imp_ctx(imp *im) {
    return im->ctx;
}

int64_t imp_opset(const imp *im) {
    return im->model->opset;
}

assay_status imp_unsupported(const char *fmt, ...) {
    char words[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    return err_set(ASSAY_E_UNSUPPORTED, "%s", words);
}

/* ---- a node's inputs ---- */

imp_value *imp_optional(imp *im, const onnx_node *node, size_t i) {
    return i < node->n_in && *node->in[i] ? imp_find(im, node->in[i]) : NULL;
}

assay_status imp_input(imp *im, const onnx_node *node, size_t i, imp_value **out) {
    *out = imp_optional(im, node, i);
    return *out ? ASSAY_OK : err_set(ASSAY_E_FORMAT, "input %zu is missing", i);
}

assay_status imp_get_in(imp *im, const onnx_node *node, size_t i, nn_value *out) {
    assay_status status = ASSAY_OK;
    imp_value *v;
    *out = -1;
    ASSAY_TRY(imp_input(im, node, i, &v));
    ASSAY_TRY(imp_get(im, v, out));
done:
    return status;
}

/* ---- roles ---- */

/* A name for the graph: the file's if it fits and is free. */
static void graph_name(const imp *im, const char *name, char out[NN_MAX_NAME]) {
    snprintf(out, NN_MAX_NAME, "%s", name);
    for (int k = 1; strlen(name) >= NN_MAX_NAME || nn_graph_find(im->graph, out) >= 0;
         k++) {
        snprintf(out, NN_MAX_NAME, "%.64s#%d", name, k);
        if (nn_graph_find(im->graph, out) < 0)
            return;
    }
}

static assay_status note_weight(imp *im, bool buffer, const onnx_tensor *from) {
    assay_status status = ASSAY_OK;
    size_t place =
        (buffer ? nn_graph_buffer_count(im->graph) : nn_graph_param_count(im->graph)) - 1;
    ASSAY_TRY(mem_grow(im->ctx, &im->weights, im->n_weights, &im->cap_weights,
                       im->n_weights + 1, sizeof *im->weights));
    im->weights[im->n_weights++] = (struct imp_weight){buffer, place, from};
done:
    return status;
}

static bool is_float(assay_dtype d) {
    return d == ASSAY_F32 || d == ASSAY_F64 || d == ASSAY_F16 || d == ASSAY_BF16;
}

bool imp_is_weight(const imp_value *v) {
    return (v->init || v->input >= 0) && !v->open && !v->empty && is_float(v->dtype);
}

/* As a parameter or a buffer. */
static assay_status as_weight(imp *im,
                              imp_value *v,
                              const nn_shape *shape,
                              bool buffer,
                              bool decay,
                              nn_value *out) {
    assay_status status = ASSAY_OK;
    char name[NN_MAX_NAME];
    nn_value *known = buffer ? &v->buffer : &v->param;
    *out = *known;
    if (*known >= 0) {
        nn_shape has = nn_graph_shape(im->graph, *known);
        return nn_shape_equal(&has, shape)
                   ? ASSAY_OK
                   : err_set(ASSAY_E_UNSUPPORTED, "'%s' is used in two shapes", v->name);
    }
    if (!imp_is_weight(v))
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED,
                   "'%s' must be a tensor of floats in the file or an input, but is %s",
                   v->name, v->init || v->input >= 0 ? "another kind" : "computed");
    if (v->input >= 0 && v->dtype != ASSAY_F32)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "'%s' must be f32", v->name);
    if (v->init) {
        onnx_array head;
        ASSAY_TRY_AT(onnx_array_check(&head, v->init, im->options->folder), "tensor '%s'",
                     v->name);
    } else {
        im->fed += (size_t)nn_shape_count(shape);
        if (im->fed > IMP_FED_MOST)
            ASSAY_FAIL(ASSAY_E_UNSUPPORTED,
                       "more than %d numbers in inputs that are used as weights",
                       IMP_FED_MOST);
    }
    graph_name(im, v->name, name);
    if (buffer)
        ASSAY_TRY(nn_graph_buffer(im->graph, name, *shape, NN_INIT_ZERO, known));
    else
        ASSAY_TRY(nn_graph_param(im->graph, name, *shape, NN_INIT_ZERO, decay, known));
    if (v->init)
        ASSAY_TRY(note_weight(im, buffer, v->init));
    if (v->input >= 0) {
        onnx_port *p = &im->out->in[v->input];
        *(buffer ? &p->buffer : &p->param) =
            (int)(buffer ? nn_graph_buffer_count(im->graph)
                         : nn_graph_param_count(im->graph)) -
            1;
    }
    *out = *known;
done:
    return status;
}

assay_status imp_param(imp *im, imp_value *v, bool decay, nn_value *out) {
    return as_weight(im, v, &v->shape, false, decay, out);
}

assay_status imp_param_shaped(
    imp *im, imp_value *v, const nn_shape *shape, bool decay, nn_value *out) {
    if (v->open || nn_shape_count(shape) != nn_shape_count(&v->shape)) {
        *out = -1;
        return err_set(ASSAY_E_SHAPE, "'%s' is of another size", v->name);
    }
    return as_weight(im, v, shape, false, decay, out);
}

assay_status imp_buffer(imp *im, imp_value *v, nn_value *out) {
    return as_weight(im, v, &v->shape, true, false, out);
}

static assay_status constant_of_tensor(imp *im, imp_value *v) {
    assay_status status = ASSAY_OK;
    onnx_array a = {0};
    ASSAY_TRY(onnx_array_read(&a, im->ctx, v->init, im->options->folder));
    if (a.count == 0)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "'%s' has no elements", v->name);
    ASSAY_TRY(nn_graph_constant(im->graph, "", v->dtype, v->shape, a.data, &v->v));
done:
    onnx_array_free(&a, im->ctx);
    return status;
}

static assay_status constant_of_known(imp *im, imp_value *v) {
    assay_status status = ASSAY_OK;
    const imp_known *k = v->known;
    if (k->count == 0)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "'%s' has no elements", v->name);
    for (int64_t i = 0; k->batch && i < k->count; i++)
        if (k->batch[i])
            ASSAY_FAIL(ASSAY_E_UNSUPPORTED,
                       "'%s' holds the size of the batch, and is computed with", v->name);
    ASSAY_TRY(imp_known_constant(im, k, &v->v));
done:
    return status;
}

assay_status imp_get(imp *im, imp_value *v, nn_value *out) {
    assay_status status = ASSAY_OK;
    *out = -1;
    if (v->v < 0 && v->init) {
        onnx_array head;
        ASSAY_TRY_AT(onnx_array_head(&head, v->init), "tensor '%s'", v->name);
        if (v->dtype == ASSAY_F32 && head.count > 1 && !v->constant)
            ASSAY_TRY(imp_param(im, v, v->shape.ndim > 1, &v->v));
        else
            ASSAY_TRY_AT(constant_of_tensor(im, v), "tensor '%s'", v->name);
    } else if (v->v < 0 && v->known) {
        ASSAY_TRY(constant_of_known(im, v));
    } else if (v->v < 0 && v->input >= 0) {
        char name[NN_MAX_NAME];
        if (v->empty)
            ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "input '%s' has no elements", v->name);
        graph_name(im, v->name, name);
        ASSAY_TRY(nn_graph_input(im->graph, name, v->dtype, v->shape, &v->v));
        im->out->in[v->input].value = v->v;
    }
    if (v->v < 0)
        ASSAY_FAIL(ASSAY_E_INTERNAL, "'%s' has no value", v->name);
    *out = v->v;
done:
    return status;
}

/* ---- weights ---- */

static float float_at(const onnx_array *a, int64_t i) {
    switch (a->dtype) {
    case ASSAY_F64:
        return (float)((const double *)a->data)[i];
    case ASSAY_BF16:
        return ten_from_bf16(((const uint16_t *)a->data)[i]);
    case ASSAY_F16:
        return half_to_float(((const uint16_t *)a->data)[i]);
    default:
        return ((const float *)a->data)[i];
    }
}

assay_status imp_fill_weights(imp *im) {
    assay_status status = ASSAY_OK;
    onnx_array a = {0};
    nn_weights *w = &im->out->weights;
    ASSAY_TRY(nn_weights_create(w, im->ctx, im->graph, 0));
    for (size_t i = 0; i < im->n_weights; i++) {
        const struct imp_weight *from = &im->weights[i];
        nn_param_info to = from->buffer ? nn_graph_buffer_at(im->graph, from->place)
                                        : nn_graph_param_at(im->graph, from->place);
        float *data = (from->buffer ? w->buffers : w->params) + to.offset;
        ASSAY_TRY_AT(onnx_array_read(&a, im->ctx, from->from, im->options->folder),
                     "tensor '%s'", from->from->name);
        if (a.dtype == ASSAY_F32)
            memcpy(data, a.data, to.count * sizeof *data);
        else
            for (size_t k = 0; k < to.count; k++)
                data[k] = float_at(&a, (int64_t)k);
        onnx_array_free(&a, im->ctx);
    }
done:
    onnx_array_free(&a, im->ctx);
    return status;
}

/* ---- what a node's outputs are ---- */

void imp_note_shape(imp *im, const imp_value *v) {
    if (v->input >= 0)
        im->out->in[v->input].shaped = true;
}

bool imp_wants(const onnx_node *node, size_t k) {
    return k < node->n_out && *node->out[k];
}

assay_status imp_set(imp *im, const onnx_node *node, size_t k, nn_value v) {
    assay_status status = ASSAY_OK;
    imp_value *out;
    if (!imp_wants(node, k))
        return ASSAY_OK;
    ASSAY_TRY(imp_name(im, node->out[k], &out));
    out->v = v;
    out->dtype = nn_graph_dtype(im->graph, v);
    out->shape = nn_graph_shape(im->graph, v);
    out->open = nn_shape_open(&out->shape);
done:
    return status;
}

assay_status imp_alias(imp *im, const onnx_node *node, size_t k, const imp_value *v) {
    assay_status status = ASSAY_OK;
    imp_value *out;
    if (!imp_wants(node, k))
        return ASSAY_OK;
    ASSAY_TRY(imp_name(im, node->out[k], &out));
    const char *name = out->name;
    *out = *v;
    out->name = name;
done:
    return status;
}

assay_status imp_set_known(imp *im, const onnx_node *node, size_t k, imp_known *known) {
    assay_status status = ASSAY_OK;
    imp_value *out;
    if (!imp_wants(node, k))
        return ASSAY_OK;
    ASSAY_TRY(imp_name(im, node->out[k], &out));
    out->known = known;
    out->dtype = known->dtype;
    out->shape.ndim = known->ndim;
    memcpy(out->shape.dim, known->dim, sizeof out->shape.dim);
    out->empty = known->count == 0;
    out->constant = true;
done:
    return status;
}

assay_status imp_tensor(
    imp *im, const onnx_node *node, size_t k, const onnx_tensor *t, imp_value **out) {
    assay_status status = ASSAY_OK;
    onnx_array head;
    *out = NULL;
    ASSAY_TRY(onnx_array_head(&head, t));
    if (!imp_wants(node, k))
        return ASSAY_OK;
    ASSAY_TRY(imp_name(im, node->out[k], out));
    (*out)->init = t;
    (*out)->constant = true;
    (*out)->dtype = head.dtype;
    (*out)->shape.ndim = head.ndim;
    memcpy((*out)->shape.dim, head.dim, sizeof head.dim);
    (*out)->empty = head.count == 0;
done:
    return status;
}

/* The walk from a graph of ours to an ONNX file: nodes that the outputs depend on, in
 * their order; names; tensors. */
#include "nn/onnx/export_inside.h"

#include <stdio.h>
#include <string.h>

struct exp_block {
    exp_block *next;
    _Alignas(16) uint8_t data[];
};

assay_status exp_take(exporter *x, void *out, size_t count, size_t size) {
    assay_status status = ASSAY_OK;
    exp_block *b = NULL;
    *(void **)out = NULL;
    ASSAY_TRY(mem_new(x->ctx, &b, sizeof *b + count * size, 1));
    b->next = x->blocks;
    x->blocks = b;
    *(void **)out = b->data;
done:
    return status;
}

static assay_status keep_text(exporter *x, const char *text, const char **out) {
    assay_status status = ASSAY_OK;
    char *copy;
    *out = NULL;
    ASSAY_TRY(exp_take(x, &copy, strlen(text) + 1, 1));
    memcpy(copy, text, strlen(text) + 1);
    *out = copy;
done:
    return status;
}

assay_status exp_new_name(exporter *x, const char **out) {
    char text[32];
    snprintf(text, sizeof text, "t%d", x->made++);
    return keep_text(x, text, out);
}

/* ---- tensors and ports ---- */

static assay_status make_tensor(exporter *x,
                                const char *name,
                                assay_dtype dtype,
                                const nn_shape *shape,
                                const void *data,
                                onnx_tensor *out) {
    assay_status status = ASSAY_OK;
    int64_t *dim;
    ASSAY_TRY(exp_take(x, &dim, NN_MAX_DIMS, sizeof *dim));
    memcpy(dim, shape->dim, sizeof shape->dim);
    *out = (onnx_tensor){.name = name,
                         .type = onnx_type_of(dtype),
                         .ndim = (size_t)shape->ndim,
                         .dim = dim,
                         .raw = data,
                         .raw_bytes =
                             (size_t)nn_shape_count(shape) * assay_dtype_size(dtype)};
done:
    return status;
}

static assay_status
add_tensor(exporter *x, const char *name, const nn_shape *shape, const float *data) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(mem_grow(x->ctx, &x->init, x->n_init, &x->cap_init, x->n_init + 1,
                       sizeof *x->init));
    ASSAY_TRY(make_tensor(x, name, ASSAY_F32, shape, data, &x->init[x->n_init]));
    x->n_init++;
done:
    return status;
}

/* The node of a constant; data must live until the export ends. */
static assay_status add_constant(exporter *x,
                                 const char *name,
                                 assay_dtype dtype,
                                 const nn_shape *shape,
                                 const void *data) {
    assay_status status = ASSAY_OK;
    onnx_tensor *t;
    ASSAY_TRY(exp_take(x, &t, 1, sizeof *t));
    ASSAY_TRY(make_tensor(x, "", dtype, shape, data, t));
    const onnx_attr value = {.name = "value", .kind = ONNX_ATTR_TENSOR, .t = t, .s = ""};
    ASSAY_TRY(exp_node(x, "Constant", NULL, 0, &value, 1, name, NULL));
done:
    return status;
}

static assay_status
make_port(exporter *x, const char *name, const nn_value_info *v, onnx_value *out) {
    assay_status status = ASSAY_OK;
    onnx_dim *dim;
    ASSAY_TRY(exp_take(x, &dim, NN_MAX_DIMS, sizeof *dim));
    for (int i = 0; i < v->shape.ndim; i++)
        dim[i] = (onnx_dim){v->shape.dim[i], ""};
    if (nn_shape_open(&v->shape))
        dim[0] = (onnx_dim){-1, "batch"};
    *out = (onnx_value){.name = name,
                        .tensor = true,
                        .has_shape = true,
                        .type = onnx_type_of(v->dtype),
                        .ndim = (size_t)v->shape.ndim,
                        .dim = dim};
done:
    return status;
}

assay_status exp_name(exporter *x, nn_value v, const char **out) {
    assay_status status = ASSAY_OK;
    const nn_value_info *info = &x->graph->value[v];
    *out = x->name[v];
    if (*out)
        return ASSAY_OK;
    if (*info->name)
        ASSAY_TRY(keep_text(x, info->name, &x->name[v]));
    else
        ASSAY_TRY(exp_new_name(x, &x->name[v]));
    *out = x->name[v];
    switch (info->kind) {
    case NN_KIND_PARAM:
        ASSAY_TRY(add_tensor(x, *out, &info->shape, x->weights->params + info->offset));
        break;
    case NN_KIND_BUFFER:
        ASSAY_TRY(add_tensor(x, *out, &info->shape, x->weights->buffers + info->offset));
        break;
    case NN_KIND_CONSTANT:
        ASSAY_TRY(add_constant(x, *out, info->dtype, &info->shape, info->constant));
        break;
    case NN_KIND_INPUT:
        ASSAY_TRY(
            mem_grow(x->ctx, &x->in, x->n_in, &x->cap_in, x->n_in + 1, sizeof *x->in));
        ASSAY_TRY(make_port(x, *out, info, &x->in[x->n_in]));
        x->n_in++;
        break;
    default:
        break;
    }
done:
    return status;
}

assay_status
exp_floats(exporter *x, const float *v, int ndim, const int64_t *dim, const char **out) {
    assay_status status = ASSAY_OK;
    nn_shape shape = {.ndim = ndim};
    float *copy;
    for (int i = 0; i < ndim; i++)
        shape.dim[i] = dim[i];
    size_t n = (size_t)nn_shape_count(&shape);
    ASSAY_TRY(exp_take(x, &copy, n, sizeof *copy));
    memcpy(copy, v, n * sizeof *copy);
    ASSAY_TRY(exp_new_name(x, out));
    ASSAY_TRY(add_constant(x, *out, ASSAY_F32, &shape, copy));
done:
    return status;
}

assay_status exp_float(exporter *x, float v, const char **out) {
    return exp_floats(x, &v, 0, NULL, out);
}

/* A list, or with ndim 0 a single number. */
static assay_status
whole(exporter *x, const int64_t *v, int ndim, size_t n, const char **out) {
    assay_status status = ASSAY_OK;
    const nn_shape shape = {ndim, {(int64_t)n}};
    int64_t *copy;
    ASSAY_TRY(exp_take(x, &copy, n, sizeof *copy));
    memcpy(copy, v, n * sizeof *copy);
    ASSAY_TRY(exp_new_name(x, out));
    ASSAY_TRY(add_constant(x, *out, ASSAY_I64, &shape, copy));
done:
    return status;
}

assay_status exp_ints(exporter *x, const int64_t *v, size_t n, const char **out) {
    return whole(x, v, 1, n, out);
}

assay_status exp_scalar(exporter *x, int64_t v, const char **out) {
    return whole(x, &v, 0, 1, out);
}

assay_status exp_node(exporter *x,
                      const char *op_type,
                      const char *const *in,
                      int n_in,
                      const onnx_attr *attr,
                      int n_attr,
                      const char *out,
                      const char **made) {
    assay_status status = ASSAY_OK;
    const char **names;
    onnx_attr *attrs;
    ASSAY_TRY(exp_take(x, &names, (size_t)n_in + 1, sizeof *names));
    ASSAY_TRY(exp_take(x, &attrs, (size_t)n_attr + 1, sizeof *attrs));
    if (n_in)
        memcpy(names, in, (size_t)n_in * sizeof *names);
    if (n_attr)
        memcpy(attrs, attr, (size_t)n_attr * sizeof *attrs);
    if (!out)
        ASSAY_TRY(exp_new_name(x, &out));
    names[n_in] = out;
    ASSAY_TRY(mem_grow(x->ctx, &x->node, x->n_node, &x->cap_node, x->n_node + 1,
                       sizeof *x->node));
    x->node[x->n_node++] = (onnx_node){.name = out,
                                       .op_type = op_type,
                                       .domain = "",
                                       .in = names,
                                       .n_in = (size_t)n_in,
                                       .out = names + n_in,
                                       .n_out = 1,
                                       .attr = attrs,
                                       .n_attr = (size_t)n_attr};
    if (made)
        *made = out;
done:
    return status;
}

/* ---- the walk ---- */

/* Pixels from 0 to 1 become what the model was trained on. */
static assay_status normalise(exporter *x, const onnx_export_options *o) {
    assay_status status = ASSAY_OK;
    const char *in[2], *name;
    const nn_shape *s = &x->graph->value[o->image].shape;
    int64_t dim[4] = {1, s->dim[1], 1, 1};
    if (!o->mean || s->ndim != 4)
        return ASSAY_OK;
    ASSAY_TRY(exp_name(x, o->image, &in[0]));
    ASSAY_TRY(exp_floats(x, o->mean, 4, dim, &in[1]));
    ASSAY_TRY(exp_node(x, "Sub", in, 2, NULL, 0, NULL, &name));
    in[0] = name;
    ASSAY_TRY(exp_floats(x, o->std, 4, dim, &in[1]));
    ASSAY_TRY(exp_node(x, "Div", in, 2, NULL, 0, NULL, &name));
    x->name[o->image] = name;
done:
    return status;
}

static void mark_needed(const nn_graph *g, const onnx_export_options *o, bool *needed) {
    for (int i = 0; i < o->n_outputs; i++)
        needed[o->outputs[i]] = true;
    for (size_t k = g->n_nodes; k-- > 0;)
        for (int i = 0; needed[g->node[k].out] && i < g->node[k].n_in; i++)
            needed[g->node[k].in[i]] = true;
}

static assay_status write_nodes(exporter *x, const bool *needed) {
    assay_status status = ASSAY_OK;
    const nn_graph *g = x->graph;
    const char *name;
    for (size_t k = 0; k < g->n_nodes; k++) {
        const nn_node *node = &g->node[k];
        if (!needed[node->out])
            continue;
        exp_op_fn write = exp_op_find(node->op->name);
        if (!write)
            ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "the op '%s' is not written as ONNX",
                       node->op->name);
        ASSAY_TRY(exp_name(x, node->out, &name));
        ASSAY_TRY(write(x, node, name));
    }
done:
    return status;
}

static assay_status write_outputs(exporter *x, const onnx_export_options *o) {
    assay_status status = ASSAY_OK;
    const char *name;
    ASSAY_TRY(mem_new(x->ctx, &x->out, (size_t)o->n_outputs + 1, sizeof *x->out));
    for (int i = 0; i < o->n_outputs; i++) {
        ASSAY_TRY(exp_name(x, o->outputs[i], &name));
        if (strcmp(name, o->names[i]) != 0)
            ASSAY_TRY(exp_node(x, "Identity", &name, 1, NULL, 0, o->names[i], NULL));
        ASSAY_TRY(make_port(x, o->names[i], &x->graph->value[o->outputs[i]],
                            &x->out[x->n_out]));
        x->n_out++;
    }
done:
    return status;
}

static assay_status check_options(const nn_graph *g, const onnx_export_options *o) {
    bool sound = o->n_outputs > 0 && !o->mean == !o->std;
    for (int i = 0; sound && i < o->n_outputs; i++)
        sound = o->outputs[i] >= 0 && (size_t)o->outputs[i] < g->n_values;
    if (sound && o->mean)
        sound = o->image >= 0 && (size_t)o->image < g->n_values;
    return sound ? ASSAY_OK : err_set(ASSAY_E_INVALID, "an export without outputs");
}

assay_status onnx_export(buf *out,
                         assay_ctx *ctx,
                         const nn_graph *g,
                         const nn_weights *weights,
                         const onnx_export_options *o) {
    assay_status status = ASSAY_OK;
    exporter x = {.ctx = ctx, .graph = g, .weights = weights};
    bool *needed = NULL;
    ASSAY_TRY(check_options(g, o));
    ASSAY_TRY(mem_new(ctx, &x.name, g->n_values + 1, sizeof *x.name));
    ASSAY_TRY(mem_new(ctx, &needed, g->n_values + 1, sizeof *needed));
    mark_needed(g, o, needed);
    ASSAY_TRY(normalise(&x, o));
    ASSAY_TRY(write_nodes(&x, needed));
    ASSAY_TRY(write_outputs(&x, o));
    const onnx_model model = {.ir_version = ONNX_EXPORT_IR,
                              .opset = ONNX_EXPORT_OPSET,
                              .producer = "assay",
                              .producer_version = ASSAY_VERSION,
                              .meta = o->meta,
                              .n_meta = o->n_meta,
                              .graph = {.name = "model",
                                        .node = x.node,
                                        .n_node = x.n_node,
                                        .init = x.init,
                                        .n_init = x.n_init,
                                        .in = x.in,
                                        .n_in = x.n_in,
                                        .out = x.out,
                                        .n_out = x.n_out}};
    ASSAY_TRY(onnx_pack(out, ctx, &model));
done:
    while (x.blocks) {
        exp_block *next = x.blocks->next;
        mem_free(ctx, x.blocks);
        x.blocks = next;
    }
    mem_free(ctx, x.name);
    mem_free(ctx, needed);
    mem_free(ctx, x.node);
    mem_free(ctx, x.init);
    mem_free(ctx, x.in);
    mem_free(ctx, x.out);
    return status;
}

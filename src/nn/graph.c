/* The graph: values and nodes appended one by one, each checked as it comes, so that a
 * finished graph is a sound one. Nodes lie in an order in which they can run. */
#include "nn/graph_inside.h"

#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

assay_status nn_graph_create(nn_graph **out, assay_ctx *ctx) {
    *out = NULL;
    assay_status status = mem_new(ctx, out, 1, sizeof **out);
    if (status == ASSAY_OK)
        (*out)->ctx = ctx;
    return status;
}

void nn_graph_destroy(nn_graph *g) {
    if (!g)
        return;
    assay_ctx *ctx = g->ctx;
    for (size_t i = 0; i < g->n_values; i++)
        mem_free(ctx, g->value[i].constant);
    mem_free(ctx, g->value);
    mem_free(ctx, g->node);
    mem_free(ctx, g->param);
    mem_free(ctx, g->buffer);
    mem_free(ctx, g);
}

/* The largest number of elements a parameter or one example of a value may have. */
static const int64_t most_elements = (int64_t)1 << 40;

static assay_status check_shape(const char *name, const nn_shape *s, int first) {
    if (s->ndim < first || s->ndim > NN_MAX_DIMS)
        return err_set(ASSAY_E_SHAPE, "value '%s' has %d dimensions", name, s->ndim);
    int64_t count = 1;
    for (int i = first; i < s->ndim; i++) {
        if (s->dim[i] < 1 || s->dim[i] > most_elements / count)
            return err_set(ASSAY_E_SHAPE, "dimension %d of value '%s' is %lld", i, name,
                           (long long)s->dim[i]);
        count *= s->dim[i];
    }
    return ASSAY_OK;
}

static assay_status set_name(const nn_graph *g, nn_value_info *v, const char *name) {
    if (strlen(name) >= NN_MAX_NAME)
        return err_set(ASSAY_E_INVALID, "the name '%s' is too long", name);
    if (*name && nn_graph_find(g, name) >= 0)
        return err_set(ASSAY_E_INVALID, "a value named '%s' exists already", name);
    memcpy(v->name, name, strlen(name) + 1);
    return ASSAY_OK;
}

/* Appends a value; *v is copied. */
static assay_status
add_value(nn_graph *g, const char *name, const nn_value_info *v, nn_value *out) {
    assay_status status = ASSAY_OK;
    nn_value_info copy = *v;
    *out = -1;
    ASSAY_TRY(set_name(g, &copy, name));
    ASSAY_TRY(mem_grow(g->ctx, &g->value, g->n_values, &g->cap_values, g->n_values + 1,
                       sizeof *g->value));
    g->value[g->n_values] = copy;
    *out = (nn_value)g->n_values++;
done:
    return status;
}

assay_status nn_graph_input(
    nn_graph *g, const char *name, assay_dtype dtype, nn_shape shape, nn_value *out) {
    assay_status status = ASSAY_OK;
    *out = -1;
    if (assay_dtype_size(dtype) == 0)
        ASSAY_FAIL(ASSAY_E_DTYPE, "input '%s' has no element type", name);
    ASSAY_TRY(check_shape(name, &shape, nn_shape_open(&shape)));
    nn_value_info v = {.kind = NN_KIND_INPUT,
                       .dtype = dtype,
                       .layout = shape.ndim == 4 ? ASSAY_CHANNELS_LAST : ASSAY_ROW_MAJOR,
                       .shape = shape,
                       .node = -1};
    ASSAY_TRY(add_value(g, name, &v, out));
done:
    return status;
}

/* A parameter or a buffer: `list` is theirs, `floats` the length of their flat vector. */
static assay_status add_flat(nn_graph *g,
                             const char *name,
                             nn_value_info v,
                             int **list,
                             size_t *n,
                             size_t *cap,
                             size_t *floats,
                             nn_value *out) {
    assay_status status = ASSAY_OK;
    *out = -1;
    ASSAY_TRY(check_shape(name, &v.shape, 0));
    v.dtype = ASSAY_F32;
    v.node = -1;
    v.offset = *floats;
    v.count = (size_t)nn_shape_count(&v.shape);
    ASSAY_TRY(mem_grow(g->ctx, list, *n, cap, *n + 1, sizeof **list));
    ASSAY_TRY(add_value(g, name, &v, out));
    (*list)[(*n)++] = *out;
    *floats += v.count;
done:
    return status;
}

assay_status nn_graph_param(nn_graph *g,
                            const char *name,
                            nn_shape shape,
                            nn_init init,
                            bool decay,
                            nn_value *out) {
    nn_value_info v = {
        .kind = NN_KIND_PARAM, .shape = shape, .init = init, .decay = decay};
    return add_flat(g, name, v, &g->param, &g->n_params, &g->cap_params, &g->param_floats,
                    out);
}

assay_status nn_graph_buffer(
    nn_graph *g, const char *name, nn_shape shape, nn_init init, nn_value *out) {
    nn_value_info v = {.kind = NN_KIND_BUFFER, .shape = shape, .init = init};
    return add_flat(g, name, v, &g->buffer, &g->n_buffers, &g->cap_buffers,
                    &g->buffer_floats, out);
}

assay_status nn_graph_constant(nn_graph *g,
                               const char *name,
                               assay_dtype dtype,
                               nn_shape shape,
                               const void *data,
                               nn_value *out) {
    assay_status status = ASSAY_OK;
    nn_value_info v = {
        .kind = NN_KIND_CONSTANT, .dtype = dtype, .shape = shape, .node = -1};
    *out = -1;
    if (assay_dtype_size(dtype) == 0)
        ASSAY_FAIL(ASSAY_E_DTYPE, "constant '%s' has no element type", name);
    ASSAY_TRY(check_shape(name, &shape, 0));
    v.count = (size_t)nn_shape_count(&shape);
    ASSAY_TRY(mem_new(g->ctx, &v.constant, v.count, assay_dtype_size(dtype)));
    memcpy(v.constant, data, v.count * assay_dtype_size(dtype));
    ASSAY_TRY(add_value(g, name, &v, out));
    v.constant = NULL;
done:
    mem_free(g->ctx, v.constant);
    return status;
}

static assay_status check_attrs(const nn_op_def *op, const nn_attr *attrs, int n) {
    if (n > NN_MAX_ATTRS)
        return err_set(ASSAY_E_INVALID, "%s: %d attributes are too many", op->name, n);
    for (int i = 0; i < n; i++) {
        bool known = false;
        for (const char *const *a = op->attrs; a && *a; a++)
            known |= strcmp(*a, attrs[i].name) == 0;
        if (!known)
            return err_set(ASSAY_E_INVALID, "%s has no attribute '%s'", op->name,
                           attrs[i].name);
        if (attrs[i].count < 0 || attrs[i].count > NN_MAX_ATTR_INTS)
            return err_set(ASSAY_E_INVALID, "%s: attribute '%s' has %d numbers", op->name,
                           attrs[i].name, attrs[i].count);
    }
    return ASSAY_OK;
}

/* The op's own copy of a name, so that the caller's need not live. */
static const char *own_attr_name(const nn_op_def *op, const char *name) {
    for (const char *const *a = op->attrs; a && *a; a++)
        if (strcmp(*a, name) == 0)
            return *a;
    return "";
}

static assay_status check_dtypes(const nn_node *node) {
    for (int i = 0; i < node->n_in; i++) {
        unsigned f32 = 1u << ASSAY_F32, labels = i > 0 ? 1u << ASSAY_I32 : 0u;
        unsigned takes = node->op->dtypes ? node->op->dtypes : f32 | labels;
        if (!(takes >> node->in_dtype[i] & 1))
            return nn_op_bad_dtype(node, i, "this element type is not handled");
    }
    return ASSAY_OK;
}

static bool computed(const nn_graph *g, nn_value v) {
    nn_value_kind kind = g->value[v].kind;
    return kind == NN_KIND_INPUT || kind == NN_KIND_ACTIVATION;
}

/* Whether images of this shape have the same bytes in either layout. */
static bool lies_both_ways(const nn_shape *s) {
    return s->dim[1] == 1 || (s->dim[2] == 1 && s->dim[3] == 1);
}

const char *nn_graph_maker(const nn_graph *g, nn_value v) {
    for (size_t i = 0; i < g->n_nodes; i++)
        if (g->node[i].out == v)
            return g->node[i].op->name;
    return NULL;
}

/* Brings input i of `node` into the layout that its op wants, through a node before it.
 */
static assay_status want_layout(nn_graph *g, nn_node *node, int i) {
    assay_status status = ASSAY_OK;
    nn_value v = node->in[i];
    bool rows = node->op->layout == NN_ROWS || (node->op->rows_in >> i & 1);
    assay_layout to = rows ? ASSAY_ROW_MAJOR : ASSAY_CHANNELS_LAST;
    if ((node->op->layout == NN_ANY && !rows) || !computed(g, v) ||
        node->in_shape[i].ndim != 4 || g->value[v].layout == to ||
        lies_both_ways(&node->in_shape[i]))
        goto done;
    const nn_attr attr = {.name = "to", .i = {to}, .count = 1};
    ASSAY_TRY(nn_graph_op(g, "layout", &v, 1, &attr, 1, &node->in[i]));
done:
    return status;
}

/* How the output lies unless infer says otherwise; called again when its shape is known.
 */
static assay_layout usual_layout(const nn_graph *g, const nn_node *node) {
    if (node->out_shape.ndim != 4 || node->op->layout == NN_ROWS)
        return ASSAY_ROW_MAJOR;
    if (node->op->layout == NN_IMAGES)
        return ASSAY_CHANNELS_LAST;
    for (int i = 0; i < node->n_in; i++)
        if (computed(g, node->in[i]) && node->in_shape[i].ndim == 4)
            return node->in_layout[i];
    return ASSAY_ROW_MAJOR;
}

assay_status nn_graph_op(nn_graph *g,
                         const char *op_name,
                         const nn_value *inputs,
                         int n_inputs,
                         const nn_attr *attrs,
                         int n_attrs,
                         nn_value *out) {
    assay_status status = ASSAY_OK;
    *out = -1;
    const nn_op_def *op = nn_op_find(op_name);
    if (!op)
        ASSAY_FAIL(ASSAY_E_NOTFOUND, "there is no op named '%s'", op_name);
    if (n_inputs < op->min_inputs || n_inputs > op->max_inputs)
        ASSAY_FAIL(ASSAY_E_INVALID, "%s takes %d to %d inputs, not %d", op->name,
                   op->min_inputs, op->max_inputs, n_inputs);
    ASSAY_TRY(check_attrs(op, attrs, n_attrs));
    nn_node node = {.op = op,
                    .n_in = n_inputs,
                    .n_attr = n_attrs,
                    .out = -1,
                    .out_dtype = ASSAY_F32,
                    .out_layout = (assay_layout)-1};
    for (int i = 0; i < n_inputs; i++) {
        if (inputs[i] < 0 || (size_t)inputs[i] >= g->n_values)
            ASSAY_FAIL(ASSAY_E_INVALID, "%s: input %d is not a value of this graph",
                       op->name, i);
        node.in[i] = inputs[i];
        node.in_shape[i] = g->value[inputs[i]].shape;
        node.in_dtype[i] = g->value[inputs[i]].dtype;
        ASSAY_TRY(want_layout(g, &node, i));
        node.in_layout[i] = g->value[node.in[i]].layout;
    }
    ASSAY_TRY(check_dtypes(&node));
    for (int i = 0; i < n_attrs; i++) {
        node.attr[i] = attrs[i];
        node.attr[i].name = own_attr_name(op, attrs[i].name);
    }
    node.index = (int)g->n_nodes;
    ASSAY_TRY(op->infer(&node));
    ASSAY_TRY(check_shape(op->name, &node.out_shape, nn_shape_open(&node.out_shape)));
    if (node.out_layout == (assay_layout)-1)
        node.out_layout = usual_layout(g, &node);
    ASSAY_TRY(mem_grow(g->ctx, &g->node, g->n_nodes, &g->cap_nodes, g->n_nodes + 1,
                       sizeof *g->node));
    nn_value_info v = {.kind = NN_KIND_ACTIVATION,
                       .dtype = node.out_dtype,
                       .layout = node.out_layout,
                       .shape = node.out_shape,
                       .node = node.index};
    ASSAY_TRY(add_value(g, "", &v, out));
    node.out = *out;
    g->node[g->n_nodes++] = node;
done:
    return status;
}

assay_status nn_graph_name(nn_graph *g, nn_value v, const char *name) {
    if (v < 0 || (size_t)v >= g->n_values)
        return err_set(ASSAY_E_INVALID, "'%s' names no value of this graph", name);
    return set_name(g, &g->value[v], name);
}

nn_value nn_graph_find(const nn_graph *g, const char *name) {
    for (size_t i = 0; i < g->n_values; i++)
        if (strcmp(g->value[i].name, name) == 0)
            return (nn_value)i;
    return -1;
}

nn_shape nn_graph_shape(const nn_graph *g, nn_value v) {
    static const nn_shape none = {0};
    return v >= 0 && (size_t)v < g->n_values ? g->value[v].shape : none;
}

assay_dtype nn_graph_dtype(const nn_graph *g, nn_value v) {
    return v >= 0 && (size_t)v < g->n_values ? g->value[v].dtype : ASSAY_F32;
}

assay_layout nn_graph_layout(const nn_graph *g, nn_value v) {
    return v >= 0 && (size_t)v < g->n_values ? g->value[v].layout : ASSAY_ROW_MAJOR;
}

static nn_param_info info_of(const nn_value_info *v) {
    nn_param_info p = {v->name, v->shape, v->offset, v->count, v->decay, v->init};
    return p;
}

size_t nn_graph_param_count(const nn_graph *g) {
    return g->n_params;
}
size_t nn_graph_param_floats(const nn_graph *g) {
    return g->param_floats;
}
nn_param_info nn_graph_param_at(const nn_graph *g, size_t i) {
    return info_of(&g->value[g->param[i]]);
}
size_t nn_graph_buffer_count(const nn_graph *g) {
    return g->n_buffers;
}
size_t nn_graph_buffer_floats(const nn_graph *g) {
    return g->buffer_floats;
}
nn_param_info nn_graph_buffer_at(const nn_graph *g, size_t i) {
    return info_of(&g->value[g->buffer[i]]);
}

/* The middle of kernel k of output k is 1, as PyTorch's dirac_ has it. */
static void fill_dirac(float *to, const nn_shape *s) {
    const int64_t area = s->dim[2] * s->dim[3];
    const int64_t middle = s->dim[2] / 2 * s->dim[3] + s->dim[3] / 2;
    for (int64_t k = 0; k < s->dim[0] && k < s->dim[1]; k++) {
        float *kernels = to + k * s->dim[1] * area;
        memset(kernels, 0, (size_t)(s->dim[1] * area) * sizeof *kernels);
        kernels[k * area + middle] = 1.0f;
    }
}

/* Kaiming's rules as PyTorch applies them (He et al. 2015, arXiv 1502.01852, eq. 10 for
 * ReLU): uniform in +-1/sqrt(fan_in) (PyTorch's default, a = sqrt(5)), normal with sd
 * sqrt(2/fan_in). A 1-d parameter (a bias) has no fan of its own: its length stands in.
 */
static void fill_init(
    float *to, const nn_value_info *v, uint64_t seed, uint32_t stream, uint64_t index) {
    size_t fan = 1;
    for (int d = v->shape.ndim > 1 ? 1 : 0; d < v->shape.ndim; d++)
        fan *= (size_t)v->shape.dim[d];
    rng r = rng_at(seed, stream, 0, index);
    for (size_t i = 0; i < v->count; i++) {
        switch (v->init) {
        case NN_INIT_ONE:
            to[i] = 1.0f;
            break;
        case NN_INIT_DIRAC:
        case NN_INIT_KAIMING_UNIFORM:
            to[i] = (float)((2 * rng_uniform(&r) - 1) / sqrt((double)fan));
            break;
        case NN_INIT_KAIMING_NORMAL:
            to[i] = (float)(rng_normal(&r) * sqrt(2.0 / (double)fan));
            break;
        case NN_INIT_NORMAL_SMALL:
            to[i] = (float)(rng_normal(&r) * 0.02);
            break;
        default:
            to[i] = 0.0f;
        }
    }
    if (v->init == NN_INIT_DIRAC && v->shape.ndim == 4)
        fill_dirac(to, &v->shape);
}

assay_status
nn_weights_create(nn_weights *out, assay_ctx *ctx, const nn_graph *g, uint64_t seed) {
    assay_status status = ASSAY_OK;
    memset(out, 0, sizeof *out);
    ASSAY_TRY(mem_new(ctx, &out->params, g->param_floats + 1, sizeof(float)));
    ASSAY_TRY(mem_new(ctx, &out->buffers, g->buffer_floats + 1, sizeof(float)));
    for (size_t i = 0; i < g->n_params; i++) {
        const nn_value_info *v = &g->value[g->param[i]];
        fill_init(out->params + v->offset, v, seed, RNG_INIT, i);
    }
    for (size_t i = 0; i < g->n_buffers; i++) {
        const nn_value_info *v = &g->value[g->buffer[i]];
        fill_init(out->buffers + v->offset, v, seed, RNG_INIT, g->n_params + i);
    }
done:
    if (status != ASSAY_OK)
        nn_weights_destroy(out, ctx);
    return status;
}

void nn_weights_destroy(nn_weights *w, assay_ctx *ctx) {
    if (!w)
        return;
    mem_free(ctx, w->params);
    mem_free(ctx, w->buffers);
    memset(w, 0, sizeof *w);
}

/* Walks the nodes forward, then backward, in float64. */
#include "nn/reference.h"

#include "nn/graph_inside.h"

#include <string.h>

typedef struct reference_value {
    size_t count;
    double *value, *grad; /* grad: made by the first backward that reaches it */
    bool needed;          /* by the target */
    bool reached;         /* the last backward reached it */
} reference_value;

struct nn_reference {
    assay_ctx *ctx;
    const nn_graph *graph;
    bool training;
    int n;
    reference_value *value;
};

static double number_at(const void *data, assay_dtype dtype, size_t i) {
    switch (dtype) {
    case ASSAY_F32:
        return (double)((const float *)data)[i];
    case ASSAY_F64:
        return ((const double *)data)[i];
    case ASSAY_I32:
        return ((const int32_t *)data)[i];
    case ASSAY_I64:
        return (double)((const int64_t *)data)[i];
    case ASSAY_BF16:
        return (double)ten_from_bf16(((const uint16_t *)data)[i]);
    case ASSAY_I8:
        return ((const int8_t *)data)[i];
    case ASSAY_I16:
        return ((const int16_t *)data)[i];
    case ASSAY_U16:
        return ((const uint16_t *)data)[i];
    case ASSAY_U32:
        return ((const uint32_t *)data)[i];
    case ASSAY_U64:
        return (double)((const uint64_t *)data)[i];
    default:
        return ((const uint8_t *)data)[i];
    }
}

static void fill(double *to, const nn_value_info *v, const nn_weights *weights) {
    const void *from = v->constant;
    if (v->kind == NN_KIND_PARAM)
        from = weights->params + v->offset;
    if (v->kind == NN_KIND_BUFFER)
        from = weights->buffers + v->offset;
    for (size_t i = 0; from && i < v->count; i++)
        to[i] = number_at(from, v->dtype, i);
}

assay_status nn_reference_create(nn_reference **out,
                                 assay_ctx *ctx,
                                 const nn_graph *g,
                                 const nn_weights *weights,
                                 nn_mode mode,
                                 int n) {
    assay_status status = ASSAY_OK;
    nn_reference *r = NULL;
    *out = NULL;
    if (n < 1)
        ASSAY_FAIL(ASSAY_E_INVALID, "a batch of %d examples", n);
    ASSAY_TRY(mem_new(ctx, &r, 1, sizeof *r));
    r->ctx = ctx;
    r->graph = g;
    r->training = mode == NN_TRAIN;
    r->n = n;
    ASSAY_TRY(mem_new(ctx, &r->value, g->n_values + 1, sizeof *r->value));
    for (size_t v = 0; v < g->n_values; v++) {
        const nn_value_info *info = &g->value[v];
        reference_value *x = &r->value[v];
        bool flat = info->kind == NN_KIND_PARAM || info->kind == NN_KIND_BUFFER;
        x->count = flat ? info->count : (size_t)nn_shape_elements(&info->shape, n);
        ASSAY_TRY(mem_new(ctx, &x->value, x->count + 1, sizeof *x->value));
        fill(x->value, info, weights);
    }
    *out = r;
    r = NULL;
done:
    nn_reference_destroy(r);
    return status;
}

void nn_reference_destroy(nn_reference *r) {
    if (!r)
        return;
    for (size_t v = 0; r->value && v < r->graph->n_values; v++) {
        mem_free(r->ctx, r->value[v].value);
        mem_free(r->ctx, r->value[v].grad);
    }
    mem_free(r->ctx, r->value);
    mem_free(r->ctx, r);
}

static bool known(const nn_reference *r, nn_value v) {
    return v >= 0 && (size_t)v < r->graph->n_values;
}

double *nn_reference_value(nn_reference *r, nn_value v) {
    return known(r, v) ? r->value[v].value : NULL;
}

size_t nn_reference_count(const nn_reference *r, nn_value v) {
    return known(r, v) ? r->value[v].count : 0;
}

const double *nn_reference_grad(const nn_reference *r, nn_value v) {
    return known(r, v) && r->value[v].reached ? r->value[v].grad : NULL;
}

/* What a node's n is: examples, or what its first input says if nothing depends on them.
 */
static int rows_of(const nn_reference *r, const nn_node *node) {
    for (int i = 0; i < node->n_in; i++)
        if (nn_shape_open(&node->in_shape[i]))
            return r->n;
    return node->n_in && node->in_shape[0].ndim ? (int)node->in_shape[0].dim[0] : 1;
}

void nn_reference_forward(nn_reference *r, nn_value target) {
    const nn_graph *g = r->graph;
    double *none[NN_MAX_INPUTS] = {0};
    for (size_t v = 0; v < g->n_values; v++)
        r->value[v].needed = (nn_value)v == target;
    for (size_t k = g->n_nodes; k-- > 0;)
        for (int i = 0; i < g->node[k].n_in; i++)
            r->value[g->node[k].in[i]].needed |= r->value[g->node[k].out].needed;
    for (size_t k = 0; k < g->n_nodes; k++) {
        const nn_node *node = &g->node[k];
        const double *in[NN_MAX_INPUTS] = {0};
        if (!r->value[node->out].needed)
            continue;
        for (int i = 0; i < node->n_in; i++)
            in[i] = r->value[node->in[i]].value;
        node->op->reference(node, rows_of(r, node), r->training, in,
                            r->value[node->out].value, NULL, none);
    }
}

/* Whether a gradient may go to input i of `node`. */
static bool takes_grad(const nn_reference *r, const nn_node *node, int i) {
    nn_value_kind kind = r->graph->value[node->in[i]].kind;
    return node->in_dtype[i] == ASSAY_F32 && kind != NN_KIND_BUFFER &&
           kind != NN_KIND_CONSTANT && !(node->op->held >> i & 1);
}

/* The gradient that one node hands to its inputs, added to what they have. */
static assay_status node_backward(nn_reference *r, const nn_node *node) {
    assay_status status = ASSAY_OK;
    const double *in[NN_MAX_INPUTS] = {0};
    double *d[NN_MAX_INPUTS] = {0};
    for (int i = 0; i < node->n_in; i++) {
        reference_value *x = &r->value[node->in[i]];
        in[i] = x->value;
        if (!takes_grad(r, node, i))
            continue;
        ASSAY_TRY(mem_new(r->ctx, &d[i], x->count + 1, sizeof *d[i]));
        if (!x->grad)
            ASSAY_TRY(mem_new(r->ctx, &x->grad, x->count + 1, sizeof *x->grad));
    }
    node->op->reference(node, rows_of(r, node), r->training, in,
                        r->value[node->out].value, r->value[node->out].grad, d);
    for (int i = 0; i < node->n_in; i++) {
        reference_value *x = &r->value[node->in[i]];
        for (size_t k = 0; d[i] && k < x->count; k++)
            x->grad[k] += d[i][k];
        x->reached |= d[i] != NULL;
    }
done:
    for (int i = 0; i < node->n_in; i++)
        mem_free(r->ctx, d[i]);
    return status;
}

assay_status nn_reference_backward(nn_reference *r, nn_value target, const double *seed) {
    assay_status status = ASSAY_OK;
    const nn_graph *g = r->graph;
    if (!known(r, target))
        ASSAY_FAIL(ASSAY_E_INVALID, "the target is not a value of this graph");
    for (size_t v = 0; v < g->n_values; v++) {
        reference_value *x = &r->value[v];
        x->reached = false;
        if (x->grad)
            memset(x->grad, 0, x->count * sizeof *x->grad);
    }
    reference_value *t = &r->value[target];
    if (!t->grad)
        ASSAY_TRY(mem_new(r->ctx, &t->grad, t->count + 1, sizeof *t->grad));
    memcpy(t->grad, seed, t->count * sizeof *t->grad);
    t->reached = true;
    for (size_t k = g->n_nodes; k-- > 0;) {
        const nn_node *node = &g->node[k];
        if (r->value[node->out].reached && !node->op->no_grad &&
            node->out_dtype == ASSAY_F32)
            ASSAY_TRY(node_backward(r, node));
    }
done:
    return status;
}

/* Copies a graph, value by value, and puts its tangent behind it. */
#include "nn/tangent.h"

#include "nn/graph_inside.h"

#include <string.h>

/* ---- the copy ---- */

static assay_status copy_value(nn_graph *to, const nn_graph *g, nn_value v) {
    assay_status status = ASSAY_OK;
    const nn_value_info *x = &g->value[v];
    const nn_node *node = x->node >= 0 ? &g->node[x->node] : NULL;
    nn_value out = -1;
    switch (x->kind) {
    case NN_KIND_INPUT:
        ASSAY_TRY(nn_graph_input(to, x->name, x->dtype, x->shape, &out));
        break;
    case NN_KIND_PARAM:
        ASSAY_TRY(nn_graph_param(to, x->name, x->shape, x->init, x->decay, &out));
        break;
    case NN_KIND_BUFFER:
        ASSAY_TRY(nn_graph_buffer(to, x->name, x->shape, x->init, &out));
        break;
    case NN_KIND_CONSTANT:
        ASSAY_TRY(nn_graph_constant(to, x->name, x->dtype, x->shape, x->constant, &out));
        break;
    default:
        ASSAY_TRY(nn_graph_op(to, node->op->name, node->in, node->n_in, node->attr,
                              node->n_attr, &out));
        ASSAY_TRY(nn_graph_name(to, out, x->name));
    }
    if (out != v)
        ASSAY_FAIL(ASSAY_E_INTERNAL, "value %d of a graph became %d", v, out);
done:
    return status;
}

/* ---- rules ---- */

assay_status nn_tangent_op(
    nn_value *out, const nn_tangent *t, const char *op, const nn_value *in, int n_in) {
    const nn_node *node = t->node;
    return nn_graph_op(t->graph, op, in, n_in, node->attr, node->n_attr, out);
}

/* The node's op of other inputs. */
static assay_status
same_op(nn_value *out, const nn_tangent *t, const nn_value *in, int n_in) {
    return nn_tangent_op(out, t, t->node->op->name, in, n_in);
}

static assay_status sum_of(nn_value *sum, const nn_tangent *t, nn_value term) {
    const nn_value in[] = {*sum, term};
    if (*sum < 0) {
        *sum = term;
        return ASSAY_OK;
    }
    return nn_graph_op(t->graph, "add", in, 2, NULL, 0, sum);
}

assay_status nn_tangent_none(const nn_tangent *t, const char *why) {
    (void)err_set(ASSAY_E_UNSUPPORTED, "there is no tangent of %s%s", t->node->op->name,
                  why);
    err_where("node %d", t->node->index);
    return ASSAY_E_UNSUPPORTED;
}

assay_status nn_tangent_linear(nn_value *out, const nn_tangent *t) {
    nn_value in[NN_MAX_INPUTS];
    memcpy(in, t->node->in, sizeof in);
    for (int i = 1; i < t->node->n_in; i++)
        if (t->of[i] >= 0)
            return nn_tangent_none(t, " by an input but its first");
    in[0] = t->of[0];
    return same_op(out, t, in, t->node->n_in);
}

assay_status nn_tangent_product(nn_value *out, const nn_tangent *t) {
    assay_status status = ASSAY_OK;
    nn_value sum = -1, term;
    if (t->of[0] >= 0) {
        const nn_value in[] = {t->of[0], t->node->in[1]};
        ASSAY_TRY(same_op(&sum, t, in, 2));
    }
    if (t->of[1] >= 0) {
        const nn_value in[] = {t->node->in[0], t->of[1], t->of[2]};
        ASSAY_TRY(same_op(&term, t, in, t->node->n_in > 2 && t->of[2] >= 0 ? 3 : 2));
        ASSAY_TRY(sum_of(&sum, t, term));
    } else if (t->node->n_in > 2 && t->of[2] >= 0) {
        ASSAY_TRY(nn_tangent_none(t, " by its bias without its weight"));
    }
    *out = sum;
done:
    return status;
}

assay_status nn_tangent_sum(nn_value *out, const nn_tangent *t) {
    if (t->of[0] >= 0 && t->of[1] >= 0)
        return same_op(out, t, t->of, 2);
    int moves = t->of[0] >= 0 ? 0 : 1;
    if (!nn_shape_equal(&t->node->in_shape[moves], &t->node->out_shape))
        return nn_tangent_none(t, " by an input that repeats, alone");
    *out = t->of[moves];
    return ASSAY_OK;
}

assay_status
nn_tangent_act(nn_value *out, const nn_tangent *t, const char *op, bool of_output) {
    const nn_value in[] = {t->of[0], of_output ? t->node->out : t->node->in[0]};
    return nn_tangent_op(out, t, op, in, 2);
}

assay_status nn_tangent_call(nn_value *out,
                             const nn_tangent *t,
                             const char *op,
                             nn_value a,
                             nn_value b,
                             const nn_attr *attrs,
                             int n_attrs) {
    const nn_value in[] = {a, b};
    return nn_graph_op(t->graph, op, in, b < 0 ? 1 : 2, attrs, n_attrs, out);
}

assay_status nn_tangent_shares(
    nn_value *out, const nn_tangent *t, nn_value y, nn_value r, int64_t axis) {
    assay_status status = ASSAY_OK;
    const nn_attr along = {.name = "axes", .i = {axis}, .count = 1};
    nn_value mean;
    ASSAY_TRY(nn_tangent_call(&mean, t, "mul", y, r, NULL, 0));
    ASSAY_TRY(nn_tangent_call(&mean, t, "reduce_sum", mean, -1, &along, 1));
    ASSAY_TRY(nn_tangent_call(&mean, t, "sub", r, mean, NULL, 0));
    ASSAY_TRY(nn_tangent_call(out, t, "mul", y, mean, NULL, 0));
done:
    return status;
}

/* ---- the walk ---- */

/* What a walk knows of a value: whether the target needs it, and its tangent. */
typedef struct tangent_value {
    bool needed;
    nn_value of;
} tangent_value;

static void mark_needed(tangent_value *v, const nn_graph *g, nn_value target) {
    v[target].needed = true;
    for (size_t k = g->n_nodes; k-- > 0;)
        for (int i = 0; v[g->node[k].out].needed && i < g->node[k].n_in; i++)
            v[g->node[k].in[i]].needed = true;
}

/* A buffer without a name for each parameter; only what the target needs moves. */
static assay_status add_direction(tangent_value *v, nn_graph *to, const nn_graph *g) {
    assay_status status = ASSAY_OK;
    for (size_t i = 0; i < g->n_params; i++) {
        const nn_value param = g->param[i];
        nn_value out;
        ASSAY_TRY(nn_graph_buffer(to, "", g->value[param].shape, NN_INIT_ZERO, &out));
        v[param].of = out;
    }
done:
    return status;
}

static assay_status node_tangent(tangent_value *v, nn_graph *to, const nn_node *node) {
    nn_tangent t = {.graph = to, .node = node};
    bool moves = false;
    for (int i = 0; i < NN_MAX_INPUTS; i++) {
        t.of[i] = i < node->n_in ? v[node->in[i]].of : -1;
        moves |= t.of[i] >= 0;
    }
    if (!moves || node->op->no_grad || node->out_dtype != ASSAY_F32)
        return ASSAY_OK;
    return node->op->tangent ? node->op->tangent(&v[node->out].of, &t)
                             : nn_tangent_none(&t, "");
}

assay_status nn_tangent_create(nn_graph **out,
                               nn_value *tangent,
                               assay_ctx *ctx,
                               const nn_graph *g,
                               nn_value target) {
    assay_status status = ASSAY_OK;
    nn_graph *to = NULL;
    tangent_value *v = NULL;
    *out = NULL;
    *tangent = -1;
    if (target < 0 || (size_t)target >= g->n_values || g->value[target].node < 0)
        ASSAY_FAIL(ASSAY_E_INVALID, "the target is not a computed value of this graph");
    ASSAY_TRY(nn_graph_create(&to, ctx));
    ASSAY_TRY(mem_new(ctx, &v, g->n_values, sizeof *v));
    for (size_t i = 0; i < g->n_values; i++) {
        v[i].of = -1;
        ASSAY_TRY(copy_value(to, g, (nn_value)i));
    }
    mark_needed(v, g, target);
    ASSAY_TRY(add_direction(v, to, g));
    for (size_t k = 0; k < g->n_nodes; k++)
        if (v[g->node[k].out].needed)
            ASSAY_TRY(node_tangent(v, to, &g->node[k]));
    if (v[target].of < 0)
        ASSAY_FAIL(ASSAY_E_INVALID, "the target depends on no parameter");
    *tangent = v[target].of;
    *out = to;
    to = NULL;
done:
    mem_free(ctx, v);
    nn_graph_destroy(to);
    return status;
}

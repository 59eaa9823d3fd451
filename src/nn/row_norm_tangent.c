/* The tangents of layer_norm and rms_norm, written out: with c the row less its mean (or
 * the row), s its size, h = c / s and r for what moves,
 *     r_h = (r_c - h mean(h r_c)) / s,  r_y = gain r_h + r_gain h + r_bias. */
#include "nn/row_norm.h"
#include "nn/tangent.h"

/* What the ops here are added with. */
typedef struct norm_rule {
    const nn_tangent *t;
    nn_attr mean[2]; /* over the row, which keeps its dimensions */
} norm_rule;

static assay_status
op(nn_value *out, const norm_rule *n, const char *name, nn_value a, nn_value b) {
    return nn_tangent_call(out, n->t, name, a, b, NULL, 0);
}

static assay_status mean_of(nn_value *out, const norm_rule *n, nn_value x) {
    return nn_tangent_call(out, n->t, "reduce_mean", x, -1, n->mean, 2);
}

static assay_status less_mean(nn_value *out, const norm_rule *n, nn_value x) {
    assay_status status = ASSAY_OK;
    nn_value mean;
    ASSAY_TRY(mean_of(&mean, n, x));
    ASSAY_TRY(op(out, n, "sub", x, mean));
done:
    return status;
}

/* sqrt(mean(c^2) + eps) */
static assay_status size_of(nn_value *out, const norm_rule *n, nn_value c) {
    assay_status status = ASSAY_OK;
    const float eps = (float)nn_attr_f(n->t->node, "eps", 1e-5);
    nn_value x, constant;
    ASSAY_TRY(op(&x, n, "mul", c, c));
    ASSAY_TRY(mean_of(&x, n, x));
    ASSAY_TRY(nn_graph_constant(n->t->graph, "", ASSAY_F32, (nn_shape){0, {0}}, &eps,
                                &constant));
    ASSAY_TRY(op(&x, n, "add", x, constant));
    ASSAY_TRY(op(out, n, "sqrt", x, -1));
done:
    return status;
}

/* *sum + x, or x where there is none yet. */
static assay_status sum_with(nn_value *sum, const norm_rule *n, nn_value x) {
    if (*sum >= 0)
        return op(sum, n, "add", *sum, x);
    *sum = x;
    return ASSAY_OK;
}

/* gain (r_c - h mean(h r_c)) / s */
static assay_status
row_moves(nn_value *out, const norm_rule *n, nn_value r, nn_value h, nn_value s) {
    assay_status status = ASSAY_OK;
    nn_value x;
    ASSAY_TRY(op(&x, n, "mul", h, r));
    ASSAY_TRY(mean_of(&x, n, x));
    ASSAY_TRY(op(&x, n, "mul", h, x));
    ASSAY_TRY(op(&x, n, "sub", r, x));
    ASSAY_TRY(op(out, n, "div", x, s));
    if (n->t->node->n_in > 1)
        ASSAY_TRY(op(out, n, "mul", *out, n->t->node->in[1]));
done:
    return status;
}

assay_status row_norm_tangent(nn_value *out, const nn_tangent *t, bool centred) {
    assay_status status = ASSAY_OK;
    const nn_node *node = t->node;
    const int dims = (int)nn_attr_i(node, "dims", 1);
    norm_rule n = {.t = t,
                   .mean = {{.name = "axes", .count = dims},
                            {.name = "keepdims", .i = {1}, .count = 1}}};
    nn_value c = node->in[0], r = t->of[0], s, h, x, sum = -1;
    for (int i = 0; i < dims; i++)
        n.mean[0].i[i] = i - dims;
    for (int i = 1; i < node->n_in; i++)
        if (node->in_shape[i].ndim != dims)
            return nn_tangent_none(t, " whose gain lies otherwise than its rows");
    if (r < 0 && t->of[1] < 0)
        return nn_tangent_none(t, " by its bias alone");
    if (centred) {
        ASSAY_TRY(less_mean(&c, &n, c));
        if (r >= 0)
            ASSAY_TRY(less_mean(&r, &n, r));
    }
    ASSAY_TRY(size_of(&s, &n, c));
    ASSAY_TRY(op(&h, &n, "div", c, s));
    if (r >= 0)
        ASSAY_TRY(row_moves(&sum, &n, r, h, s));
    if (t->of[1] >= 0) {
        ASSAY_TRY(op(&x, &n, "mul", h, t->of[1]));
        ASSAY_TRY(sum_with(&sum, &n, x));
    }
    if (t->of[2] >= 0)
        ASSAY_TRY(sum_with(&sum, &n, t->of[2]));
    *out = sum;
done:
    return status;
}

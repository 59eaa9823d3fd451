/* The tangent of attention, written out with products over all pairs of tokens: with S
 * the scores, P their softmax and r for what moves,
 *     r_O = P r_V + [P (r_S - <P, r_S>)] V,  r_S = scale (r_Q K' + Q r_K').
 * Unlike attention itself it holds [heads, T, S] numbers for an example. */
#include "nn/attend.h"
#include "nn/graph_inside.h"
#include "nn/tangent.h"

#include <string.h>

/* How the tokens of an input, [0,T,C], are parted into heads. */
static const nn_attr by_head = {.name = "perm", .i = {0, 2, 1, 3}, .count = 4};
static const nn_attr by_head_turned = {.name = "perm", .i = {0, 2, 3, 1}, .count = 4};

/* Input `which` of q, k, v out of x, one value for all or that one alone: [0,H,T,W], or
 * [0,H,W,T] turned. Of nothing (negative): nothing. */
static assay_status
part(nn_value *out, const nn_tangent *t, const attend_shape *s, nn_value x, int which) {
    assay_status status = ASSAY_OK;
    int64_t heads = (int64_t)s->heads;
    int64_t width = (int64_t)(which == 2 ? s->out_width : s->width);
    const nn_attr heads_of = {.name = "shape", .i = {0, 0, heads, width}, .count = 4};
    const nn_attr cut[] = {
        {.name = "starts", .i = {which * heads * width}, .count = 1},
        {.name = "ends", .i = {(which + 1) * heads * width}, .count = 1},
        {.name = "axes", .i = {2}, .count = 1}};
    *out = -1;
    if (x < 0)
        return ASSAY_OK;
    if (t->node->n_in == 1)
        ASSAY_TRY(nn_tangent_call(&x, t, "slice", x, -1, cut, 3));
    ASSAY_TRY(nn_tangent_call(&x, t, "reshape", x, -1, &heads_of, 1));
    ASSAY_TRY(nn_tangent_call(out, t, "transpose", x, -1,
                              which == 1 ? &by_head_turned : &by_head, 1));
done:
    return status;
}

/* sum + a b, of those that are there. */
static assay_status
add_product(nn_value *sum, const nn_tangent *t, nn_value a, nn_value b) {
    assay_status status = ASSAY_OK;
    nn_value term;
    if (a < 0 || b < 0)
        return ASSAY_OK;
    ASSAY_TRY(nn_tangent_call(&term, t, "matmul", a, b, NULL, 0));
    if (*sum >= 0)
        ASSAY_TRY(nn_tangent_call(&term, t, "add", *sum, term, NULL, 0));
    *sum = term;
done:
    return status;
}

static assay_status scaled(nn_value *x, const nn_tangent *t, float by) {
    assay_status status = ASSAY_OK;
    nn_value scale;
    ASSAY_TRY(
        nn_graph_constant(t->graph, "", ASSAY_F32, (nn_shape){0, {0}}, &by, &scale));
    ASSAY_TRY(nn_tangent_call(x, t, "mul", *x, scale, NULL, 0));
done:
    return status;
}

/* Far below all scores: its share is nought, and no gradient comes from there. */
static const float far = -1e30f;

/* Adds `far` where a query does not see a key. */
static assay_status hide_later(nn_value *x, const nn_tangent *t, const attend_shape *s) {
    assay_status status = ASSAY_OK;
    const nn_shape shape = {2, {(int64_t)s->queries, (int64_t)s->keys}};
    float *hidden = NULL;
    nn_value constant;
    ASSAY_TRY(mem_new(t->graph->ctx, &hidden, s->queries * s->keys, sizeof *hidden));
    for (size_t i = 0; i < s->queries; i++)
        for (size_t k = i + 1; k < s->keys; k++)
            hidden[i * s->keys + k] = far;
    ASSAY_TRY(nn_graph_constant(t->graph, "", ASSAY_F32, shape, hidden, &constant));
    ASSAY_TRY(nn_tangent_call(x, t, "add", *x, constant, NULL, 0));
done:
    mem_free(t->graph->ctx, hidden);
    return status;
}

/* Puts `far` where a key is padding, by the lengths; the first one never is. */
static assay_status
hide_padding(nn_value *x, const nn_tangent *t, const attend_shape *s) {
    assay_status status = ASSAY_OK;
    const nn_shape shape = {1, {(int64_t)s->keys}};
    const nn_attr each = {.name = "shape", .i = {0, 1, 1, 1}, .count = 4};
    int32_t *place = NULL;
    nn_value length, places, hidden, seen;
    ASSAY_TRY(mem_new(t->graph->ctx, &place, s->keys, sizeof *place));
    for (size_t k = 0; k < s->keys; k++)
        place[k] = k ? (int32_t)k : INT32_MIN;
    ASSAY_TRY(nn_graph_constant(t->graph, "", ASSAY_I32, shape, place, &places));
    ASSAY_TRY(
        nn_graph_constant(t->graph, "", ASSAY_F32, (nn_shape){0, {0}}, &far, &hidden));
    ASSAY_TRY(nn_tangent_call(&length, t, "reshape", t->node->in[3], -1, &each, 1));
    ASSAY_TRY(nn_tangent_call(&seen, t, "less", places, length, NULL, 0));
    const nn_value in[] = {seen, *x, hidden};
    ASSAY_TRY(nn_graph_op(t->graph, "where", in, 3, NULL, 0, x));
done:
    mem_free(t->graph->ctx, place);
    return status;
}

/* What goes into the softmax: [0,H,T,S]. */
static assay_status
scores(nn_value *out, const nn_tangent *t, const attend_shape *s, const nn_value x[3]) {
    assay_status status = ASSAY_OK;
    *out = -1;
    ASSAY_TRY(add_product(out, t, x[0], x[1]));
    ASSAY_TRY(scaled(out, t, s->scale));
    if (s->causal)
        ASSAY_TRY(hide_later(out, t, s));
    if (t->node->n_in == 4)
        ASSAY_TRY(hide_padding(out, t, s));
done:
    return status;
}

assay_status attend_tangent(nn_value *out, const nn_tangent *t) {
    assay_status status = ASSAY_OK;
    const nn_node *node = t->node;
    const attend_shape s = attend_shape_of(node);
    const nn_attr together = {
        .name = "shape",
        .i = {0, (int64_t)s.queries, (int64_t)(s.heads * s.out_width)},
        .count = 3};
    nn_value x[3], r[3], share, move = -1, sum = -1;
    if (s.rotary != 0)
        return nn_tangent_none(t, " with rotary positions");
    for (int i = 0; i < 3; i++) {
        int from = node->n_in == 1 ? 0 : i;
        ASSAY_TRY(part(&x[i], t, &s, node->in[from], i));
        ASSAY_TRY(part(&r[i], t, &s, t->of[from], i));
    }
    ASSAY_TRY(scores(&share, t, &s, x));
    ASSAY_TRY(nn_tangent_call(&share, t, "softmax", share, -1, NULL, 0));
    ASSAY_TRY(add_product(&move, t, r[0], x[1]));
    ASSAY_TRY(add_product(&move, t, x[0], r[1]));
    if (move >= 0) {
        ASSAY_TRY(scaled(&move, t, s.scale));
        ASSAY_TRY(nn_tangent_shares(&move, t, share, move, -1));
    }
    ASSAY_TRY(add_product(&sum, t, move, x[2]));
    ASSAY_TRY(add_product(&sum, t, share, r[2]));
    ASSAY_TRY(nn_tangent_call(&sum, t, "transpose", sum, -1, &by_head, 1));
    ASSAY_TRY(nn_tangent_call(out, t, "reshape", sum, -1, &together, 1));
done:
    return status;
}

/* attention: softmax(scale Q K^T) V, head by head (Vaswani et al. 2017, arXiv 1706.03762,
 * section 3.2). Inputs: one, [0,T,3C] with q, k, v side by side; or q [0,T,C],
 * k [0,S,C], v [0,S,D]; the last dimension of each is `heads` heads one behind the other.
 * A fourth, lengths [0] of i32, says how many keys of each example there are: those
 * behind them are padding, which nothing sees and no gradient reaches (at least one is
 * seen). Out: [0,T,D]. `causal` 1: token t sees the keys up to t. `scale` (.f): 1 /
 * sqrt(width of a head) if absent. `rotary` (.f): the base of rotary positions (Su et al.
 * 2021, arXiv 2104.09864, eq. 34; the two halves of a head are turned against each
 * other), none if absent.
 *
 * Scores exist for a few rows of one head at a time; what is kept for the backward pass
 * is the logarithm of each row's sum, from which the shares are made again (Dao et al.
 * 2022, arXiv 2205.14135, section 3.1). */
#include "nn/attend.h"

#include <math.h>
#include <string.h>

static const char *const attention_attrs[] = {"heads", "causal", "scale", "rotary", NULL};

static assay_status attention_infer(nn_node *node) {
    const nn_shape *q = &node->in_shape[0];
    int64_t heads = nn_attr_i(node, "heads", 1);
    int tokens = node->n_in == 1 ? 1 : 3;
    if (node->n_in == 2)
        return err_set(ASSAY_E_INVALID, "attention takes one input, three or four");
    if (node->n_in == 4 &&
        (node->in_dtype[3] != ASSAY_I32 || node->in_shape[3].ndim != 1 ||
         nn_shape_open(&node->in_shape[3]) != nn_shape_open(q)))
        return nn_op_bad_shape(node, 3, "a length of i32 is needed for each example");
    for (int i = 0; i < tokens; i++) {
        const nn_shape *s = &node->in_shape[i];
        if (s->ndim != 3 || nn_shape_open(s) != nn_shape_open(q) ||
            s->dim[0] != q->dim[0] || node->in_dtype[i] != ASSAY_F32)
            return nn_op_bad_shape(node, i, "tokens [N,T,C] are needed");
    }
    int64_t parts = node->n_in == 1 ? 3 * heads : heads;
    for (int i = 0; i < tokens; i++)
        if (heads < 1 || node->in_shape[i].dim[2] % parts ||
            node->in_shape[i].dim[2] < parts)
            return nn_op_bad_shape(node, i, "the width must part into the heads");
    node->out_shape = *q;
    if (node->n_in == 1) {
        node->out_shape.dim[2] /= 3;
    } else {
        const nn_shape *k = &node->in_shape[1], *v = &node->in_shape[2];
        if (k->dim[2] != q->dim[2])
            return nn_op_bad_shape(node, 1, "keys are as wide as queries");
        if (v->dim[1] != k->dim[1])
            return nn_op_bad_shape(node, 2, "there is a value for each key");
        node->out_shape.dim[2] = v->dim[2];
    }
    attend_shape s = attend_shape_of(node);
    if (s.rotary != 0 && (!(s.rotary > 1) || s.width % 2))
        return nn_op_bad_shape(node, 0,
                               "rotary positions need a base above 1 and heads "
                               "of even width");
    if (!isfinite(s.scale))
        return err_set(ASSAY_E_INVALID, "attention: a scale of %g", (double)s.scale);
    return ASSAY_OK;
}

static assay_status attention_plan(nn_plan *p) {
    attend_shape s = attend_shape_of(p->node);
    p->save_bytes = (size_t)p->batch * s.heads * s.queries * sizeof(float);
    p->forward_scratch = attend_forward_scratch(&s) * sizeof(float);
    p->backward_scratch = attend_backward_scratch(&s) * sizeof(float);
    p->backward_reads = (1u << p->node->n_in) - 1;
    return attend_turns_create(&p->state, p->ctx, &s);
}

static void attention_unplan(nn_plan *p) {
    mem_free(p->ctx, p->state);
    p->state = NULL;
}

/* Input `i` of q, k, v in one head of one example. */
static attend_rows rows_of(
    const nn_io *io, const attend_shape *s, int i, int example, size_t head, bool grad) {
    int from = io->node->n_in == 1 ? 0 : i;
    size_t width = i == 2 ? s->out_width : s->width;
    size_t tokens = i == 0 ? s->queries : s->keys;
    size_t ld = (size_t)io->node->in_shape[from].dim[2];
    size_t at = (size_t)example * tokens * ld + head * width;
    if (io->node->n_in == 1)
        at += (size_t)i * s->heads * width;
    const void *base = grad ? io->d_in[from] : io->in[from];
    bool half = io->in_half >> from & 1;
    if (!base)
        return (attend_rows){0};
    return (attend_rows){(uint8_t *)base + at * (half ? 2 : 4), half, ld, tokens, width};
}

static attend_rows
out_rows(const nn_io *io, const attend_shape *s, int example, size_t head, bool grad) {
    size_t ld = s->heads * s->out_width;
    size_t at = (size_t)example * s->queries * ld + head * s->out_width;
    const void *base = grad ? io->d_out : io->out;
    return (attend_rows){(uint8_t *)base + at * (io->out_half ? 2 : 4), io->out_half, ld,
                         s->queries, s->out_width};
}

/* Keys of an example that are no padding. */
static size_t keys_of(const nn_io *io, const attend_shape *s, int i) {
    if (io->node->n_in < 4)
        return s->keys;
    int32_t n = ((const int32_t *)io->in[3])[i];
    return n < 1 ? 1 : (size_t)n < s->keys ? (size_t)n : s->keys;
}

static attend_head head_of(const nn_io *io, const attend_shape *s, int i, size_t h) {
    attend_head a = {.shape = s,
                     .keys = keys_of(io, s, i),
                     .turns = io->state,
                     .q = rows_of(io, s, 0, i, h, false),
                     .k = rows_of(io, s, 1, i, h, false),
                     .v = rows_of(io, s, 2, i, h, false),
                     .log_sum =
                         (float *)io->save + ((size_t)i * s->heads + h) * s->queries};
    return a;
}

static assay_status attention_forward(nn_io *io) {
    attend_shape s = attend_shape_of(io->node);
    for (int i = 0; i < io->n; i++)
        for (size_t h = 0; h < s.heads; h++) {
            attend_head a = head_of(io, &s, i, h);
            attend_forward(&a, out_rows(io, &s, i, h, false), io->scratch);
        }
    return ASSAY_OK;
}

static assay_status attention_backward(nn_io *io) {
    attend_shape s = attend_shape_of(io->node);
    for (int i = 0; i < io->n; i++)
        for (size_t h = 0; h < s.heads; h++) {
            attend_head a = head_of(io, &s, i, h);
            attend_backward(&a, out_rows(io, &s, i, h, true),
                            rows_of(io, &s, 0, i, h, true),
                            rows_of(io, &s, 1, i, h, true),
                            rows_of(io, &s, 2, i, h, true), io->scratch);
        }
    return ASSAY_OK;
}

/* ---- the float64 reference: a whole row of scores at a time ---- */

/* Element w of a head's row t, turned to its position (back: the gradient's way). */
static double
turned(const attend_shape *s, const double *row, size_t t, size_t w, bool back) {
    if (s->rotary == 0)
        return row[w];
    size_t half = s->width / 2, i = w % half;
    double angle = (double)t * pow(s->rotary, -2.0 * (double)i / (double)s->width);
    double other = row[w < half ? w + half : w - half];
    double way = (w < half) == back ? 1 : -1;
    return row[w] * cos(angle) + way * other * sin(angle);
}

/* What the reference walks over: one head of one example. */
typedef struct reference_head {
    const attend_shape *s;
    size_t keys;
    const double *q, *k, *v, *d_out;
    double *out, *d_q, *d_k, *d_v;
    size_t ld_q, ld_k, ld_v, ld_out;
} reference_head;

static double score(const reference_head *r, size_t t, size_t k) {
    double sum = 0;
    for (size_t w = 0; w < r->s->width; w++)
        sum += turned(r->s, r->q + t * r->ld_q, t, w, false) *
               turned(r->s, r->k + k * r->ld_k, k, w, false);
    return sum * (double)r->s->scale;
}

/* Adds the turned-back gradient g times row `from` (turned) to d. */
static void add_turned(const attend_shape *s,
                       double *d,
                       size_t t,
                       double g,
                       const double *from,
                       size_t from_t) {
    double row[512];
    for (size_t w = 0; w < s->width; w++)
        row[w] = g * turned(s, from, from_t, w, false);
    for (size_t w = 0; w < s->width; w++)
        d[w] += turned(s, row, t, w, true);
}

static void reference_row(const reference_head *r, size_t t) {
    const attend_shape *s = r->s;
    size_t n = s->causal && t + 1 < r->keys ? t + 1 : r->keys;
    double most = -INFINITY, sum = 0, pull = 0;
    double *out = r->out + t * r->ld_out;
    for (size_t k = 0; k < n; k++)
        most = fmax(most, score(r, t, k));
    for (size_t k = 0; k < n; k++)
        sum += exp(score(r, t, k) - most);
    memset(out, 0, s->out_width * sizeof *out);
    for (size_t k = 0; k < n; k++)
        for (size_t w = 0; w < s->out_width; w++)
            out[w] += exp(score(r, t, k) - most) / sum * r->v[k * r->ld_v + w];
    if (!r->d_out)
        return;
    const double *d = r->d_out + t * r->ld_out;
    for (size_t w = 0; w < s->out_width; w++)
        pull += d[w] * out[w];
    for (size_t k = 0; k < n; k++) {
        double p = exp(score(r, t, k) - most) / sum, d_p = 0;
        for (size_t w = 0; w < s->out_width; w++) {
            d_p += d[w] * r->v[k * r->ld_v + w];
            r->d_v[k * r->ld_v + w] += p * d[w];
        }
        double g = p * (d_p - pull) * (double)s->scale;
        add_turned(s, r->d_q + t * r->ld_q, t, g, r->k + k * r->ld_k, k);
        add_turned(s, r->d_k + k * r->ld_k, k, g, r->q + t * r->ld_q, t);
    }
}

static void attention_reference(const nn_node *node,
                                int n,
                                bool training,
                                const double *const *in,
                                double *out,
                                const double *d_out,
                                double *const *d_in) {
    (void)training;
    attend_shape s = attend_shape_of(node);
    bool packed = node->n_in == 1;
    for (size_t i = 0; i < (size_t)n * s.heads; i++) {
        size_t example = i / s.heads, head = i % s.heads;
        size_t part = packed ? s.heads * s.width : 0;
        reference_head r = {.s = &s, .keys = s.keys, .ld_out = s.heads * s.out_width};
        if (node->n_in == 4)
            r.keys = (size_t)fmin(fmax(in[3][example], 1), (double)s.keys);
        r.ld_q = (size_t)node->in_shape[0].dim[2];
        r.ld_k = packed ? r.ld_q : (size_t)node->in_shape[1].dim[2];
        r.ld_v = packed ? r.ld_q : (size_t)node->in_shape[2].dim[2];
        size_t q = example * s.queries * r.ld_q + head * s.width;
        size_t k = example * s.keys * r.ld_k + head * s.width + part;
        size_t v = example * s.keys * r.ld_v + head * s.out_width + 2 * part;
        size_t o = example * s.queries * r.ld_out + head * s.out_width;
        r.q = in[0] + q;
        r.k = in[packed ? 0 : 1] + k;
        r.v = in[packed ? 0 : 2] + v;
        r.out = out + o;
        if (d_out && d_in[0] && (packed || (d_in[1] && d_in[2]))) {
            r.d_out = d_out + o;
            r.d_q = d_in[0] + q;
            r.d_k = d_in[packed ? 0 : 1] + k;
            r.d_v = d_in[packed ? 0 : 2] + v;
        }
        for (size_t t = 0; t < s.queries; t++)
            reference_row(&r, t);
    }
}

static const nn_op_case attention_cases[] = {
    {.name = "packed, causal",
     .batch = 3,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {3, {0, 11, 30}}}},
     .attr = {{.name = "heads", .i = {2}, .count = 1},
              {.name = "causal", .i = {1}, .count = 1}},
     .n_attrs = 2},
    {.name = "several blocks of rows",
     .batch = 1,
     .n = 1,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {3, {0, 35, 12}}}},
     .attr = {{.name = "causal", .i = {1}, .count = 1}},
     .n_attrs = 1},
    {.name = "apart, of other lengths",
     .batch = 2,
     .n = 2,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {3, {0, 5, 12}}},
            {NN_CASE_VALUE, {3, {0, 18, 12}}},
            {NN_CASE_VALUE, {3, {0, 18, 9}}}},
     .attr = {{.name = "heads", .i = {3}, .count = 1}, {.name = "scale", .f = 0.3}},
     .n_attrs = 2},
    {.name = "rotary, more queries than keys",
     .batch = 2,
     .n = 1,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {3, {0, 9, 8}}},
            {NN_CASE_VALUE, {3, {0, 4, 8}}},
            {NN_CASE_VALUE, {3, {0, 4, 8}}}},
     .attr = {{.name = "heads", .i = {2}, .count = 1},
              {.name = "causal", .i = {1}, .count = 1},
              {.name = "rotary", .f = 10000}},
     .n_attrs = 3},
    {.name = "padded",
     .batch = 3,
     .n = 3,
     .n_inputs = 4,
     .labels = 8, /* lengths from 0 to 7 */
     .in = {{NN_CASE_VALUE, {3, {0, 7, 12}}},
            {NN_CASE_VALUE, {3, {0, 7, 12}}},
            {NN_CASE_VALUE, {3, {0, 7, 12}}},
            {NN_CASE_LABEL, {1, {0}}}},
     .attr = {{.name = "heads", .i = {3}, .count = 1}},
     .n_attrs = 1},
    {.name = "padded, causal, several blocks of rows",
     .batch = 2,
     .n = 2,
     .n_inputs = 4,
     .labels = 36,
     .in = {{NN_CASE_VALUE, {3, {0, 35, 8}}},
            {NN_CASE_VALUE, {3, {0, 35, 8}}},
            {NN_CASE_VALUE, {3, {0, 35, 6}}},
            {NN_CASE_LABEL, {1, {0}}}},
     .attr = {{.name = "heads", .i = {2}, .count = 1},
              {.name = "causal", .i = {1}, .count = 1}},
     .n_attrs = 2},
    {0}};

const nn_op_def assay_op_attention = {
    .name = "attention",
    .summary = "every token's mean over others, weighed by likeness",
    .min_inputs = 1,
    .max_inputs = 4,
    .layout = NN_ROWS,
    .dtypes = 1u << ASSAY_F32 | 1u << ASSAY_I32,
    .half_in = 7,
    .held = 8,
    .half_out = true,
    .attrs = attention_attrs,
    .infer = attention_infer,
    .plan = attention_plan,
    .unplan = attention_unplan,
    .forward = attention_forward,
    .backward = attention_backward,
    .tangent = attend_tangent,
    .reference = attention_reference,
    .cases = attention_cases,
};

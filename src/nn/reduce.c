/* One pass over the input in the order in which it lies; what the outputs have seen so
 * far is in scratch memory. */
#include "nn/reduce.h"

#include "nn/strided.h"

#include <math.h>
#include <string.h>

enum { STRETCH = 512 };

const char *const reduce_attrs[] = {"axes", "keepdims", NULL};

/* ---- shapes ---- */

/* Bit d: dimension d is reduced. */
static unsigned reduced(const nn_node *node) {
    const nn_attr *a = nn_attr_get(node, "axes");
    int ndim = node->in_shape[0].ndim;
    unsigned mask = a ? 0 : (1u << ndim) - 1;
    for (int k = 0; a && k < a->count; k++)
        mask |= 1u << (a->i[k] < 0 ? a->i[k] + ndim : a->i[k]);
    return mask;
}

assay_status reduce_infer(nn_node *node) {
    const nn_attr *a = nn_attr_get(node, "axes");
    const nn_shape *in = &node->in_shape[0];
    int axis;
    for (int k = 0; a && k < a->count; k++) {
        assay_status status = strided_axis(&axis, node, a->i[k], in->ndim);
        if (status != ASSAY_OK)
            return status;
    }
    unsigned mask = reduced(node);
    bool keep = nn_attr_i(node, "keepdims", 1) != 0;
    node->out_shape = (nn_shape){0};
    for (int d = 0; d < in->ndim; d++)
        if (keep || !(mask >> d & 1))
            node->out_shape.dim[node->out_shape.ndim++] = mask >> d & 1 ? 1 : in->dim[d];
    node->out_dtype = node->in_dtype[0];
    return ASSAY_OK;
}

/* The input (`to`) against the output (`from`), whose strides are 0 where reduced. */
static void view_of(strided_view *v, const nn_node *node, int n) {
    const nn_shape *in = &node->in_shape[0], *out = &node->out_shape;
    int64_t own[NN_MAX_DIMS], outs[NN_MAX_DIMS];
    unsigned mask = reduced(node);
    nn_strides(in, node->in_layout[0], own);
    nn_strides(out, node->out_layout, outs);
    *v = (strided_view){0};
    for (int d = 0, k = 0; d < in->ndim; d++) {
        bool gone = mask >> d & 1;
        strided_add(v, strided_size(in, d, n), own[d], gone ? 0 : outs[k]);
        k += !gone || out->ndim == in->ndim;
    }
}

static int64_t out_count(const nn_node *node, int n) {
    return nn_shape_elements(&node->out_shape, n);
}

/* Elements that become one. */
static int64_t share(const nn_node *node, int n) {
    unsigned mask = reduced(node);
    int64_t count = 1;
    for (int d = 0; d < node->in_shape[0].ndim; d++)
        count *= mask >> d & 1 ? strided_size(&node->in_shape[0], d, n) : 1;
    return count;
}

/* ---- what is kept ---- */

typedef struct seen {
    double *a, *b; /* b: LOG_SUM_EXP: the largest so far; else unused */
} seen;

static void seen_begin(const seen *s, reduce_kind kind, int64_t count) {
    double first = kind == REDUCE_MAX    ? -INFINITY
                   : kind == REDUCE_MIN  ? INFINITY
                   : kind == REDUCE_PROD ? 1
                                         : 0;
    for (int64_t i = 0; i < count; i++) {
        s->a[i] = first;
        s->b[i] = -INFINITY;
    }
}

/* a is the sum of e^(x - b). */
static void see_exponential(double *a, double *b, double x) {
    if (x <= *b) {
        *a += x == *b ? 1 : exp(x - *b);
    } else {
        *a = (*a == 0 ? 0 : *a * exp(*b - x)) + 1;
        *b = x;
    }
}

#define SEE(change)                                                                      \
    for (size_t i = 0; i < n; i++) {                                                     \
        double v = x[i], *a = &s->a[at + (int64_t)i * step];                             \
        change;                                                                          \
    }                                                                                    \
    break

/* n numbers for outputs at, at + step, ... */
static void see(const seen *s,
                reduce_kind kind,
                int64_t at,
                int64_t step,
                const double *x,
                size_t n) {
    switch (kind) {
    case REDUCE_SUM:
    case REDUCE_MEAN:
    case REDUCE_LOG_SUM:
        SEE(*a += v);
    case REDUCE_MAX:
        SEE(*a = v > *a || isnan(v) ? v : *a);
    case REDUCE_MIN:
        SEE(*a = v < *a || isnan(v) ? v : *a);
    case REDUCE_PROD:
        SEE(*a *= v);
    case REDUCE_L1:
        SEE(*a += fabs(v));
    case REDUCE_L2:
    case REDUCE_SUM_SQUARE:
        SEE(*a += v * v);
    case REDUCE_LOG_SUM_EXP:
        SEE(see_exponential(a, &s->b[at + (int64_t)i * step], v));
    }
}

static void seen_end(const seen *s, reduce_kind kind, int64_t count, double share_of) {
    for (int64_t i = 0; i < count; i++) {
        if (kind == REDUCE_MEAN)
            s->a[i] /= share_of;
        else if (kind == REDUCE_L2)
            s->a[i] = sqrt(s->a[i]);
        else if (kind == REDUCE_LOG_SUM)
            s->a[i] = log(s->a[i]);
        else if (kind == REDUCE_LOG_SUM_EXP)
            s->a[i] = log(s->a[i]) + s->b[i];
    }
}

static reduce_kind kind_of(const nn_node *node) {
    return ((const reduction *)node->op->family)->kind;
}

assay_status reduce_plan(nn_plan *p) {
    static const unsigned reads_x =
        1u << REDUCE_MAX | 1u << REDUCE_MIN | 1u << REDUCE_PROD | 1u << REDUCE_L1 |
        1u << REDUCE_L2 | 1u << REDUCE_LOG_SUM_EXP | 1u << REDUCE_SUM_SQUARE;
    static const unsigned reads_y = 1u << REDUCE_MAX | 1u << REDUCE_MIN |
                                    1u << REDUCE_L2 | 1u << REDUCE_LOG_SUM |
                                    1u << REDUCE_LOG_SUM_EXP;
    reduce_kind kind = kind_of(p->node);
    p->backward_reads = reads_x >> kind & 1;
    p->backward_reads_out = reads_y >> kind & 1;
    p->forward_scratch = p->backward_scratch =
        2 * (size_t)out_count(p->node, p->batch) * sizeof(double);
    return ASSAY_OK;
}

static seen seen_of(const nn_io *io) {
    seen s = {.a = io->scratch};
    s.b = s.a + out_count(io->node, io->n);
    return s;
}

assay_status reduce_forward(nn_io *io) {
    const nn_node *node = io->node;
    reduce_kind kind = kind_of(node);
    assay_dtype dtype = node->in_dtype[0];
    int64_t count = out_count(node, io->n), size = (int64_t)assay_dtype_size(dtype);
    seen s = seen_of(io);
    strided_view v;
    strided_runs r;
    double x[STRETCH];
    view_of(&v, node, io->n);
    seen_begin(&s, kind, count);
    for (strided_begin(&r, &v); strided_next(&r);)
        for (int64_t i = 0; i < r.length; i += STRETCH) {
            size_t n = (size_t)(r.length - i < STRETCH ? r.length - i : STRETCH);
            num_to_f64(x, (const uint8_t *)io->in[0] + (r.to + i * r.to_step) * size,
                       dtype, r.to_step, n);
            see(&s, kind, r.from + i * r.from_step, r.from_step, x, n);
        }
    seen_end(&s, kind, count, (double)share(node, io->n));
    num_from_f64(io->out, node->out_dtype, s.a, (size_t)count);
    return ASSAY_OK;
}

/* ---- gradients ---- */

/* What the slopes of one output need: how many elements are equal to it (MAX, MIN) or 0
 * (PROD), and the product of the others. */
static void
count_ties(const nn_io *io, reduce_kind kind, const seen *s, const strided_view *v) {
    const float *x = io->in[0], *y = io->out;
    strided_runs r;
    int64_t count = out_count(io->node, io->n);
    for (int64_t i = 0; i < count; i++) {
        s->a[i] = 0;
        s->b[i] = 1;
    }
    for (strided_begin(&r, v); strided_next(&r);)
        for (int64_t i = 0; i < r.length; i++) {
            int64_t at = r.from + i * r.from_step;
            float value = x[r.to + i * r.to_step];
            if (kind == REDUCE_PROD) {
                s->a[at] += value == 0;
                s->b[at] *= value == 0 ? 1 : (double)value;
            } else {
                s->a[at] += value == y[at];
            }
        }
}

static double
slope_of(const nn_io *io, reduce_kind kind, const seen *s, int64_t from, int64_t at) {
    const float *xs = io->in[0], *ys = io->out;
    double share_of;
    switch (kind) {
    case REDUCE_SUM:
        return 1;
    case REDUCE_MEAN:
        share_of = (double)share(io->node, io->n);
        return 1 / share_of;
    case REDUCE_MAX:
    case REDUCE_MIN:
        return xs[from] == ys[at] ? 1 / s->a[at] : 0;
    case REDUCE_PROD:
        if (xs[from] == 0)
            return s->a[at] > 1 ? 0 : s->b[at];
        return s->a[at] > 0 ? 0 : s->b[at] / (double)xs[from];
    case REDUCE_L1:
        return (xs[from] > 0) - (xs[from] < 0);
    case REDUCE_L2:
        return ys[at] == 0 ? 0 : (double)xs[from] / (double)ys[at];
    case REDUCE_LOG_SUM:
        return exp(-(double)ys[at]);
    case REDUCE_LOG_SUM_EXP:
        return exp((double)xs[from] - (double)ys[at]);
    case REDUCE_SUM_SQUARE:
        return 2 * (double)xs[from];
    }
    return 0;
}

assay_status reduce_backward(nn_io *io) {
    reduce_kind kind = kind_of(io->node);
    const float *d_y = io->d_out;
    float *d_x = io->d_in[0];
    seen s = seen_of(io);
    strided_view v;
    strided_runs r;
    view_of(&v, io->node, io->n);
    if (kind == REDUCE_MAX || kind == REDUCE_MIN || kind == REDUCE_PROD)
        count_ties(io, kind, &s, &v);
    bool flat = kind == REDUCE_SUM || kind == REDUCE_MEAN;
    float same = flat ? (float)slope_of(io, kind, &s, 0, 0) : 0;
    for (strided_begin(&r, &v); strided_next(&r);)
        for (int64_t i = 0; i < r.length; i++) {
            int64_t from = r.to + i * r.to_step, at = r.from + i * r.from_step;
            d_x[from] = flat
                            ? d_y[at] * same
                            : (float)((double)d_y[at] * slope_of(io, kind, &s, from, at));
        }
    return ASSAY_OK;
}

/* ---- the reference ---- */

int64_t reduce_place(const reduce_members *m, int64_t i) {
    int64_t at = m->first;
    for (int d = m->ndim; d-- > 0; i /= m->dim[d])
        at += i % m->dim[d] * m->stride[d];
    return at;
}

void reduce_reference(const nn_node *node,
                      int n,
                      bool training,
                      const double *const *in,
                      double *out,
                      const double *d_out,
                      double *const *d_in) {
    (void)training;
    const reduction *f = node->op->family;
    const nn_shape *s = &node->in_shape[0];
    int64_t own[NN_MAX_DIMS], outs[NN_MAX_DIMS], count = out_count(node, n);
    unsigned mask = reduced(node);
    nn_strides(s, node->in_layout[0], own);
    nn_strides(&node->out_shape, node->out_layout, outs);
    reduce_members x = {.x = in[0], .count = share(node, n)};
    for (int d = 0; d < s->ndim; d++)
        if (mask >> d & 1) {
            x.dim[x.ndim] = strided_size(s, d, n);
            x.stride[x.ndim++] = own[d];
        }
    for (int64_t o = 0; o < count; o++) {
        int64_t put = 0, rest = o;
        x.first = 0;
        for (int d = s->ndim, k = node->out_shape.ndim; d-- > 0;) {
            bool gone = mask >> d & 1;
            k -= !gone || node->out_shape.ndim == s->ndim;
            if (gone)
                continue;
            int64_t size = strided_size(s, d, n);
            x.first += rest % size * own[d];
            put += rest % size * outs[k];
            rest /= size;
        }
        out[put] = f->value(&x);
        for (int64_t i = 0; d_out && d_in[0] && i < x.count; i++)
            d_in[0][reduce_place(&x, i)] = d_out[put] * f->slope(&x, out[put], i);
    }
}

/* ---- cases ---- */

#define AXES(...)                                                                        \
    {                                                                                    \
        .name = "axes", .i = {__VA_ARGS__},                                              \
        .count = sizeof((int[]){__VA_ARGS__}) / sizeof(int)                              \
    }
#define DROPPED                                                                          \
    { .name = "keepdims", .i = {0}, .count = 1 }
#define REDUCE_CASES(NAME, KIND)                                                         \
    const nn_op_case NAME[] = {{.name = "pixels of an image",                            \
                                .batch = 3,                                              \
                                .n = 2,                                                  \
                                .n_inputs = 1,                                           \
                                .in = {{KIND, {4, {0, 5, 3, 4}}}},                       \
                                .attr = {AXES(2, 3)},                                    \
                                .n_attrs = 1},                                           \
                               {.name = "last, dropped",                                 \
                                .batch = 2,                                              \
                                .n = 2,                                                  \
                                .n_inputs = 1,                                           \
                                .in = {{KIND, {3, {0, 4, 7}}}},                          \
                                .attr = {AXES(-1), DROPPED},                             \
                                .n_attrs = 2},                                           \
                               {.name = "channels, dropped",                             \
                                .batch = 2,                                              \
                                .n = 1,                                                  \
                                .n_inputs = 1,                                           \
                                .in = {{KIND, {4, {0, 3, 4, 5}}}},                       \
                                .attr = {DROPPED, AXES(1)},                              \
                                .n_attrs = 2},                                           \
                               {.name = "the batch",                                     \
                                .batch = 4,                                              \
                                .n = 3,                                                  \
                                .n_inputs = 1,                                           \
                                .in = {{KIND, {3, {0, 4, 2}}}},                          \
                                .attr = {AXES(0, 2)},                                    \
                                .n_attrs = 1},                                           \
                               {.name = "all of a static one",                           \
                                .batch = 1,                                              \
                                .n = 1,                                                  \
                                .n_inputs = 1,                                           \
                                .in = {{KIND, {3, {2, 3, 2}}}},                          \
                                .attr = {DROPPED},                                       \
                                .n_attrs = 1},                                           \
                               {0}}

REDUCE_CASES(reduce_cases, NN_CASE_VALUE);
REDUCE_CASES(reduce_cases_positive, NN_CASE_POSITIVE);

/* prelu: x above zero, slope x below, the slope learnt. He et al. 2015, arXiv 1502.01852,
 * eq. 1. A slope of one dimension at most is one number, or one per channel (dimension 1
 * of x, PyTorch's); one of more dimensions is stretched over x's last dimensions (ONNX's
 * PRelu: [C,1,1] over images). */
#include "nn/op.h"

#include <string.h>

/* Where the slope of an element lies: its distance along each dimension of x. */
typedef struct prelu_walk {
    int ndim;
    int64_t dim[NN_MAX_DIMS], x[NN_MAX_DIMS], slope[NN_MAX_DIMS];
} prelu_walk;

static bool walk_make(prelu_walk *out, const nn_node *node) {
    const nn_shape *x = &node->in_shape[0], *s = &node->in_shape[1];
    prelu_walk w = {.ndim = x->ndim};
    bool channels = s->ndim == 1 && s->dim[0] > 1;
    if (nn_shape_open(s) || s->ndim > x->ndim || (channels && x->ndim < 2))
        return false;
    memcpy(w.dim, x->dim, sizeof w.dim);
    nn_strides(x, node->in_layout[0], w.x);
    int64_t step = 1;
    for (int k = s->ndim; k-- > 0;) {
        int at = channels ? 1 : x->ndim - s->ndim + k;
        if (s->dim[k] != 1 && s->dim[k] != x->dim[at])
            return false;
        if (s->dim[k] != 1)
            w.slope[at] = step;
        step *= s->dim[k];
    }
    *out = w;
    return true;
}

static assay_status prelu_infer(nn_node *node) {
    prelu_walk w;
    if (!walk_make(&w, node))
        return nn_op_bad_shape(node, 1,
                               "the slope must be one number, one per channel, or a "
                               "static shape that stretches over input 0");
    node->out_shape = node->in_shape[0];
    return ASSAY_OK;
}

static size_t slopes_of(const nn_node *node) {
    return (size_t)nn_shape_count(&node->in_shape[1]);
}

static assay_status prelu_plan(nn_plan *p) {
    p->backward_reads = 3;
    p->factor_bytes = slopes_of(p->node) * (size_t)p->batch * sizeof(float);
    p->backward_scratch = slopes_of(p->node) * sizeof(double);
    return ASSAY_OK;
}

/* Where example i's elements lie: for each of its lines along dimension `line`. */
typedef struct prelu_line {
    int64_t x, slope, n, step;
} prelu_line;

/* The dimension whose elements lie side by side, and how many lines of it an example has.
 */
static int line_of(const prelu_walk *w, int64_t *lines) {
    int line = 0;
    *lines = 1;
    for (int k = 1; k < w->ndim; k++) {
        *lines *= w->dim[k];
        if (w->x[k] == 1 && (w->dim[k] > 1 || line == 0))
            line = k;
    }
    if (line)
        *lines /= w->dim[line];
    return line;
}

static prelu_line line_at(const prelu_walk *w, int line, int64_t example, int64_t i) {
    prelu_line l = {.x = example * w->x[0],
                    .slope = example * w->slope[0],
                    .n = line ? w->dim[line] : 1,
                    .step = line ? w->slope[line] : 0};
    for (int k = w->ndim; k-- > 1;) {
        if (k == line)
            continue;
        l.x += i % w->dim[k] * w->x[k];
        l.slope += i % w->dim[k] * w->slope[k];
        i /= w->dim[k];
    }
    return l;
}

static assay_status prelu_forward(nn_io *io) {
    prelu_walk w;
    int64_t lines;
    if (!walk_make(&w, io->node))
        return ASSAY_E_INTERNAL;
    int line = line_of(&w, &lines);
    for (int64_t at = 0; at < io->n * lines; at++) {
        prelu_line l = line_at(&w, line, at / lines, at % lines);
        const float *x = (const float *)io->in[0] + l.x;
        const float *slope = (const float *)io->in[1] + l.slope;
        float *y = (float *)io->out + l.x;
        for (int64_t k = 0; k < l.n; k++)
            y[k] = x[k] > 0 ? x[k] : x[k] * slope[k * l.step];
    }
    return ASSAY_OK;
}

/* Adds example i's share of the slope's gradient. */
static void slope_gradient(const nn_io *io, const prelu_walk *w, int64_t i, double *sum) {
    int64_t lines;
    int line = line_of(w, &lines);
    for (int64_t at = 0; at < lines; at++) {
        prelu_line l = line_at(w, line, i, at);
        const float *x = (const float *)io->in[0] + l.x;
        const float *d_y = (const float *)io->d_out + l.x;
        for (int64_t k = 0; k < l.n; k++)
            sum[l.slope + k * l.step] += x[k] > 0 ? 0 : (double)(d_y[k] * x[k]);
    }
}

static assay_status prelu_backward(nn_io *io) {
    prelu_walk w;
    int64_t lines;
    if (!walk_make(&w, io->node))
        return ASSAY_E_INTERNAL;
    int line = line_of(&w, &lines);
    for (int64_t at = 0; io->d_in[0] && at < io->n * lines; at++) {
        prelu_line l = line_at(&w, line, at / lines, at % lines);
        const float *x = (const float *)io->in[0] + l.x;
        const float *slope = (const float *)io->in[1] + l.slope;
        const float *d_y = (const float *)io->d_out + l.x;
        float *d_x = (float *)io->d_in[0] + l.x;
        for (int64_t k = 0; k < l.n; k++)
            d_x[k] = x[k] > 0 ? d_y[k] : d_y[k] * slope[k * l.step];
    }
    bool each = io->mode == NN_CAPTURE;
    size_t slopes = slopes_of(io->node);
    double *sum = io->scratch;
    if (!each && !io->d_in[1])
        return ASSAY_OK;
    for (int64_t i = 0; i < io->n; i++) {
        if (each || i == 0)
            memset(sum, 0, slopes * sizeof *sum);
        slope_gradient(io, &w, i, sum);
        float *to = each ? (float *)io->factor + (size_t)i * slopes : io->d_in[1];
        for (size_t k = 0; k < slopes && (each || i + 1 == io->n); k++)
            to[k] = (float)sum[k];
    }
    return ASSAY_OK;
}

static void prelu_factors(const nn_io *io, nn_factor *f) {
    f->kind = NN_FACTOR_DIAG;
    f->d = io->factor;
}

static void prelu_reference(const nn_node *node,
                            int n,
                            bool training,
                            const double *const *in,
                            double *out,
                            const double *d_out,
                            double *const *d_in) {
    (void)training;
    prelu_walk w;
    if (!walk_make(&w, node))
        return;
    for (int64_t at = 0; at < nn_shape_elements(&node->in_shape[0], n); at++) {
        int64_t slope = 0;
        for (int k = 0; k < w.ndim; k++)
            slope += (k ? at / w.x[k] % w.dim[k] : at / w.x[k]) * w.slope[k];
        double x = in[0][at], a = in[1][slope];
        out[at] = x > 0 ? x : a * x;
        if (d_out && d_in[0])
            d_in[0][at] = x > 0 ? d_out[at] : a * d_out[at];
        if (d_out && d_in[1])
            d_in[1][slope] += x > 0 ? 0 : x * d_out[at];
    }
}

static const nn_op_case prelu_cases[] = {
    {.name = "one slope a channel",
     .batch = 3,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {4, {0, 5, 7, 3}}}, {NN_CASE_PARAM, {1, {5}}}}},
    {.name = "one slope",
     .batch = 4,
     .n = 4,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {2, {0, 9}}}, {NN_CASE_PARAM, {1, {1}}}}},
    {.name = "over the last three",
     .batch = 2,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {4, {0, 3, 4, 5}}}, {NN_CASE_PARAM, {3, {3, 1, 5}}}}},
    {0}};

const nn_op_def assay_op_prelu = {
    .name = "prelu",
    .summary = "the identity, with a learnt slope below zero",
    .min_inputs = 2,
    .max_inputs = 2,
    .layout = NN_ANY,
    .rows_in = 1u << 1,
    .infer = prelu_infer,
    .plan = prelu_plan,
    .forward = prelu_forward,
    .backward = prelu_backward,
    .factors = prelu_factors,
    .reference = prelu_reference,
    .cases = prelu_cases,
};

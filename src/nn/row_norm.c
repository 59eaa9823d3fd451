/* Norms over the last `dims` dimensions; inputs x, [gain, [bias]] of those dimensions.
 * `save` holds every row's statistics. Gradients of gain and bias are summed in runs of
 * rows, then run by run; under capture per example, into `factor`. */
#include "nn/row_norm.h"

#include "nn/rows.h"

#include <math.h>
#include <string.h>

enum { RUN = 64 }; /* rows whose gradients are summed up before they join the total */

const char *const row_norm_attrs[] = {"dims", "eps", NULL};

static int dims_of(const nn_node *node) {
    return (int)nn_attr_i(node, "dims", 1);
}

static int64_t row_of(const nn_node *node) {
    const nn_shape *s = &node->in_shape[0];
    int64_t c = 1;
    for (int i = s->ndim - dims_of(node); i < s->ndim; i++)
        c *= s->dim[i];
    return c;
}

static row_norm norm_of(const nn_io *io, bool centred) {
    const nn_node *node = io->node;
    int64_t c = row_of(node);
    return (row_norm){
        .rows = (size_t)(nn_shape_elements(&node->in_shape[0], io->n) / c),
        .c = (size_t)c,
        .eps = (float)nn_attr_f(node, "eps", 1e-5),
        .centred = centred,
        .gain = node->n_in > 1 ? io->in[1] : NULL,
        .bias = node->n_in > 2 ? io->in[2] : NULL,
    };
}

assay_status row_norm_infer(nn_node *node) {
    const nn_shape *x = &node->in_shape[0];
    int64_t dims = nn_attr_i(node, "dims", 1);
    double eps = nn_attr_f(node, "eps", 1e-5);
    if (dims < 1 || dims > x->ndim - (nn_shape_open(x) ? 1 : 0))
        return nn_op_bad_shape(node, 0, "there are not so many dimensions to norm over");
    if (!(eps >= 0 && eps < 1))
        return err_set(ASSAY_E_INVALID, "%s: an eps of %g", node->op->name, eps);
    for (int i = 1; i < node->n_in; i++) {
        const nn_shape *s = &node->in_shape[i];
        bool same = s->ndim == dims || nn_shape_count(s) == row_of(node);
        for (int k = 0; same && s->ndim == dims && k < dims; k++)
            same = s->dim[k] == x->dim[x->ndim - dims + k];
        if (!same)
            return nn_op_bad_shape(node, i, "gain and bias have the last dimensions");
    }
    node->out_shape = *x;
    return ASSAY_OK;
}

assay_status row_norm_plan(nn_plan *p) {
    size_t c = (size_t)row_of(p->node);
    size_t each = (size_t)nn_shape_elements(&p->node->in_shape[0], p->batch);
    p->save_bytes = each / c * sizeof(row_stat);
    p->backward_reads = 1u | (p->node->n_in > 1 ? 2u : 0u);
    p->backward_scratch = 2 * c * sizeof(float);
    p->factor_bytes = (size_t)p->batch * 2 * c * sizeof(float);
    return ASSAY_OK;
}

assay_status row_norm_forward(nn_io *io, bool centred) {
    row_norm g = norm_of(io, centred);
    row_kernels_get()->norm((row_values){io->out, io->out_half}, io->save,
                            (row_values){(void *)io->in[0], io->in_half & 1}, &g);
    return ASSAY_OK;
}

static row_values from(row_values v, size_t i) {
    if (v.at)
        v.at = (uint8_t *)v.at + i * (v.half ? 2 : 4);
    return v;
}

/* Rows [first, first + rows); adds to d_gain and d_bias, which may be NULL. */
static void back_rows(const nn_io *io,
                      row_norm g,
                      size_t first,
                      size_t rows,
                      float *d_gain,
                      float *d_bias) {
    bool x_half = io->in_half & 1;
    size_t at = first * g.c;
    g.rows = rows;
    row_kernels_get()->norm_back(from((row_values){io->d_in[0], x_half}, at), d_gain,
                                 d_bias,
                                 from((row_values){(void *)io->d_out, io->out_half}, at),
                                 from((row_values){(void *)io->in[0], x_half}, at),
                                 (const row_stat *)io->save + first, &g);
}

static void add(float *to, const float *run, size_t c) {
    for (size_t k = 0; k < c; k++)
        to[k] += run[k];
}

/* Rows of one example after the other, its own gradients behind each other's. */
static void back_captured(nn_io *io, const row_norm *g) {
    size_t each = g->rows / (size_t)io->n;
    float *d_gain = io->factor, *d_bias = d_gain + (size_t)io->n * g->c;
    memset(d_gain, 0, 2 * (size_t)io->n * g->c * sizeof *d_gain);
    for (size_t i = 0; i < (size_t)io->n; i++)
        back_rows(io, *g, i * each, each, d_gain + i * g->c, d_bias + i * g->c);
}

assay_status row_norm_backward(nn_io *io, bool centred) {
    row_norm g = norm_of(io, centred);
    if (io->mode == NN_CAPTURE && io->factor && io->node->n_in > 1) {
        back_captured(io, &g);
        return ASSAY_OK;
    }
    size_t bytes = g.c * sizeof(float);
    float *d_gain = io->node->n_in > 1 ? io->d_in[1] : NULL;
    float *d_bias = io->node->n_in > 2 ? io->d_in[2] : NULL;
    float *gain_run = d_gain ? io->scratch : NULL;
    float *bias_run = d_bias ? (float *)io->scratch + g.c : NULL;
    if (d_gain)
        memset(d_gain, 0, bytes);
    if (d_bias)
        memset(d_bias, 0, bytes);
    for (size_t r = 0; r < g.rows; r += RUN) {
        if (gain_run)
            memset(gain_run, 0, bytes);
        if (bias_run)
            memset(bias_run, 0, bytes);
        back_rows(io, g, r, g.rows - r < RUN ? g.rows - r : RUN, gain_run, bias_run);
        if (gain_run)
            add(d_gain, gain_run, g.c);
        if (bias_run)
            add(d_bias, bias_run, g.c);
    }
    return ASSAY_OK;
}

void row_norm_factors(const nn_io *io, nn_factor *f) {
    f->kind = NN_FACTOR_DIAG;
    f->d = io->factor;
    f->d2 = f->d + (int64_t)io->n * row_of(io->node);
}

/* One row; the gradients of gain and bias are added to. */
static void reference_row(const nn_node *node,
                          bool centred,
                          int64_t c,
                          const double *const *in,
                          const double *x,
                          double *y,
                          const double *d_y,
                          double *const *d_in,
                          double *d_x) {
    double mean = 0, square = 0, flat = 0, slope = 0;
    for (int64_t k = 0; centred && k < c; k++)
        mean += x[k] / (double)c;
    for (int64_t k = 0; k < c; k++)
        square += (x[k] - mean) * (x[k] - mean) / (double)c;
    double inv = 1 / sqrt(square + nn_attr_f(node, "eps", 1e-5));
    for (int64_t k = 0; k < c; k++) {
        double gain = node->n_in > 1 ? in[1][k] : 1, hat = (x[k] - mean) * inv;
        y[k] = hat * gain + (node->n_in > 2 ? in[2][k] : 0);
        if (!d_y)
            continue;
        flat += centred ? d_y[k] * gain / (double)c : 0;
        slope += d_y[k] * gain * hat / (double)c;
        if (node->n_in > 1 && d_in[1])
            d_in[1][k] += d_y[k] * hat;
        if (node->n_in > 2 && d_in[2])
            d_in[2][k] += d_y[k];
    }
    for (int64_t k = 0; d_y && d_x && k < c; k++) {
        double gain = node->n_in > 1 ? in[1][k] : 1, hat = (x[k] - mean) * inv;
        d_x[k] = inv * (d_y[k] * gain - flat - hat * slope);
    }
}

void row_norm_reference(const nn_node *node,
                        int n,
                        bool centred,
                        const double *const *in,
                        double *out,
                        const double *d_out,
                        double *const *d_in) {
    int64_t c = row_of(node), rows = nn_shape_elements(&node->in_shape[0], n) / c;
    for (int64_t r = 0; r < rows; r++)
        reference_row(node, centred, c, in, in[0] + r * c, out + r * c,
                      d_out ? d_out + r * c : NULL, d_in,
                      d_in[0] ? d_in[0] + r * c : NULL);
}

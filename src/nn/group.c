/* Statistics come channel by channel from the batch norm's kernels, one example at a time
 * while it is in the cache, and are merged over a group; what forward leaves to backward
 * is a mean and 1/sd per example and channel. */
#include "nn/group.h"

#include "nn/mixed.h"

#include <math.h>
#include <string.h>

enum { X, SCALE, SHIFT };

assay_status group_infer(nn_node *node, int64_t groups) {
    const nn_shape *x = &node->in_shape[X];
    if (x->ndim != 4 && x->ndim != 2)
        return nn_op_bad_shape(node, X, "images [N,C,H,W] or vectors [N,C] are needed");
    if (groups < 1 || x->dim[1] % groups)
        return nn_op_bad_shape(node, X, "the channels don't part into the groups");
    for (int i = SCALE; i <= SHIFT; i++)
        if (node->in_shape[i].ndim != 1 || node->in_shape[i].dim[0] != x->dim[1])
            return nn_op_bad_shape(node, i,
                                   "one number per channel of input 0 is needed");
    node->out_shape = *x;
    return ASSAY_OK;
}

static size_t channels_of(const nn_node *node) {
    return (size_t)node->in_shape[X].dim[1];
}
static size_t pixels_of(const nn_node *node) {
    return (size_t)nn_shape_each(&node->in_shape[X]) / channels_of(node);
}

assay_status group_plan(nn_plan *p) {
    size_t c = channels_of(p->node), batch = (size_t)p->batch;
    p->save_bytes = 2 * c * batch * sizeof(float);
    p->forward_scratch = 2 * c * sizeof(double);
    p->backward_scratch = 4 * c * sizeof(double) + 6 * c * sizeof(float);
    p->backward_reads = 1u << X | 1u << SCALE | 1u << SHIFT;
    p->factor_bytes = 2 * c * batch * sizeof(float);
    return ASSAY_OK;
}

/* Example i's mean and 1/sd, as forward left them. */
static bn_affine affine_of(const nn_io *io, size_t i) {
    size_t c = channels_of(io->node);
    const float *mean = (const float *)io->save + 2 * c * i;
    bn_affine a = {mean, mean + c, io->in[SCALE], io->in[SHIFT]};
    return a;
}

/* The kernels for how x and y lie; an element of either. */
static const image_kernels *kernels_of(const nn_io *io) {
    return nn_kernels_get()->image[io->in_half & 1][io->out_half];
}
static size_t x_bytes(const nn_io *io) {
    return io->in_half & 1 ? 2 : 4;
}
static size_t y_bytes(const nn_io *io) {
    return io->out_half ? 2 : 4;
}

/* Merges the channels of each group: all have the same number of pixels. */
static void merge(float *mean,
                  float *invstd,
                  const double *sum,
                  size_t c,
                  size_t groups,
                  double pixels,
                  double eps) {
    size_t part = c / groups;
    for (size_t first = 0; first < c; first += part) {
        double middle = 0, m2 = 0;
        for (size_t k = first; k < first + part; k++)
            middle += sum[k] / (double)part;
        for (size_t k = first; k < first + part; k++)
            m2 += sum[c + k] + pixels * (sum[k] - middle) * (sum[k] - middle);
        for (size_t k = first; k < first + part; k++) {
            mean[k] = (float)middle;
            invstd[k] = (float)(1 / sqrt(m2 / (pixels * (double)part) + eps));
        }
    }
}

void group_forward(nn_io *io, int64_t groups) {
    const image_kernels *k = kernels_of(io);
    size_t c = channels_of(io->node), pixels = pixels_of(io->node), each = c * pixels;
    const bn_tail alone = {0};
    double eps = nn_attr_f(io->node, "eps", 1e-5), *sum = io->scratch;
    for (size_t i = 0; i < (size_t)io->n; i++) {
        const void *x = (const uint8_t *)io->in[X] + i * each * x_bytes(io);
        float *mean = (float *)io->save + 2 * c * i;
        memset(sum, 0, 2 * c * sizeof *sum);
        k->moments(sum, sum + c, x, 0, pixels, c);
        merge(mean, mean + c, sum, c, (size_t)groups, (double)pixels, eps);
        bn_affine a = affine_of(io, i);
        k->bn((uint8_t *)io->out + i * each * y_bytes(io), x, &a, &alone, pixels, c);
    }
}

/* d_x = invstd (scale d_y - mean over the group of (scale d_y)
 *                         - xhat times that of (scale d_y xhat)); sum as bn_back_sums
 * gives it. `line`: 6 c floats of scratch. */
static void pull_back(const nn_io *io,
                      uint8_t *d_x,
                      const uint8_t *d_y,
                      const uint8_t *x,
                      const bn_affine *a,
                      const double *sum,
                      float *line,
                      size_t pixels,
                      size_t c,
                      size_t groups) {
    size_t part = c / groups;
    float *gain = line, *flat = line + c, *slope = line + 2 * c;
    float *row_x = line + 3 * c, *row_d = line + 4 * c, *row_out = line + 5 * c;
    bool x_half = io->in_half & 1;
    for (size_t first = 0; first < c; first += part) {
        double s0 = 0, s1 = 0, count = (double)(part * pixels);
        for (size_t k = first; k < first + part; k++) {
            s0 += (double)a->scale[k] * sum[k] / count;
            s1 += (double)a->scale[k] * sum[c + k] / count;
        }
        for (size_t k = first; k < first + part; k++) {
            gain[k] = a->scale[k] * a->invstd[k];
            flat[k] = (float)(s0 * (double)a->invstd[k]);
            slope[k] = (float)(s1 * (double)a->invstd[k] * (double)a->invstd[k]);
        }
    }
    for (size_t p = 0; p < pixels; p++) {
        mixed_copy(row_x, false, x + p * c * x_bytes(io), x_half, c);
        mixed_copy(row_d, false, d_y + p * c * y_bytes(io), io->out_half, c);
        for (size_t k = 0; k < c; k++)
            row_out[k] =
                row_d[k] * gain[k] - (flat[k] + (row_x[k] - a->mean[k]) * slope[k]);
        mixed_copy(d_x + p * c * x_bytes(io), x_half, row_out, false, c);
    }
}

void group_backward(nn_io *io, int64_t groups) {
    const image_kernels *kernels = kernels_of(io);
    size_t c = channels_of(io->node), pixels = pixels_of(io->node), each = c * pixels;
    const bn_tail alone = {0};
    double *sum = io->scratch, *total = sum + 2 * c;
    float *line = (float *)(total + 2 * c);
    float *scale = io->factor, *shift = scale ? scale + c * (size_t)io->n : NULL;
    memset(total, 0, 2 * c * sizeof *total);
    for (size_t i = 0; i < (size_t)io->n; i++) {
        const uint8_t *x = (const uint8_t *)io->in[X] + i * each * x_bytes(io);
        const uint8_t *d_y = (const uint8_t *)io->d_out + i * each * y_bytes(io);
        bn_affine a = affine_of(io, i);
        memset(sum, 0, 2 * c * sizeof *sum);
        kernels->bn_back_sums(sum, d_y, x, NULL, &a, &alone, pixels, c);
        for (size_t k = 0; k < 2 * c; k++)
            total[k] += sum[k];
        for (size_t k = 0; io->mode == NN_CAPTURE && k < c; k++) {
            shift[i * c + k] = (float)sum[k];
            scale[i * c + k] = (float)sum[c + k];
        }
        if (io->d_in[X])
            pull_back(io, (uint8_t *)io->d_in[X] + i * each * x_bytes(io), d_y, x, &a,
                      sum, line, pixels, c, (size_t)groups);
    }
    for (size_t k = 0; k < c; k++) {
        if (io->d_in[SHIFT])
            ((float *)io->d_in[SHIFT])[k] = (float)total[k];
        if (io->d_in[SCALE])
            ((float *)io->d_in[SCALE])[k] = (float)total[c + k];
    }
}

void group_factors(const nn_io *io, nn_factor *f) {
    f->kind = NN_FACTOR_DIAG;
    f->d = io->factor;
    f->d2 = f->d + channels_of(io->node) * (size_t)io->n;
}

/* One group of one example. */
static void one_group(const nn_node *node,
                      size_t first,
                      size_t c0,
                      size_t part,
                      const double *const *in,
                      double *out,
                      const double *d_out,
                      double *const *d_in) {
    size_t c = channels_of(node), count = part * pixels_of(node);
    double eps = nn_attr_f(node, "eps", 1e-5), mean = 0, var = 0, s0 = 0, s1 = 0;
    for (size_t e = 0; e < count; e++)
        mean += in[X][first + e / part * c + c0 + e % part] / (double)count;
    for (size_t e = 0; e < count; e++) {
        double d = in[X][first + e / part * c + c0 + e % part] - mean;
        var += d * d / (double)count;
    }
    double inv = 1 / sqrt(var + eps);
    for (size_t e = 0; e < count; e++) {
        size_t k = c0 + e % part, at = first + e / part * c + k;
        double hat = (in[X][at] - mean) * inv, d = d_out ? d_out[at] : 0;
        out[at] = hat * in[SCALE][k] + in[SHIFT][k];
        s0 += d * in[SCALE][k] / (double)count;
        s1 += d * in[SCALE][k] * hat / (double)count;
        if (d_out && d_in[SHIFT])
            d_in[SHIFT][k] += d;
        if (d_out && d_in[SCALE])
            d_in[SCALE][k] += d * hat;
    }
    for (size_t e = 0; d_out && d_in[X] && e < count; e++) {
        size_t k = c0 + e % part, at = first + e / part * c + k;
        double hat = (in[X][at] - mean) * inv;
        d_in[X][at] = inv * (d_out[at] * in[SCALE][k] - s0 - hat * s1);
    }
}

void group_reference(const nn_node *node,
                     int64_t groups,
                     int n,
                     const double *const *in,
                     double *out,
                     const double *d_out,
                     double *const *d_in) {
    size_t c = channels_of(node), part = c / (size_t)groups;
    for (size_t i = 0; i < (size_t)n; i++)
        for (size_t c0 = 0; c0 < c; c0 += part)
            one_group(node, i * c * pixels_of(node), c0, part, in, out, d_out, d_in);
}

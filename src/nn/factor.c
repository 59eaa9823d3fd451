/* Per-example gradients out of factors. For a convolution the example's input is unfolded
 * a tile of pixels at a time, tap by tap (rows of channels are copied whole), and one
 * small product per tile adds up  g = D^T U,  D [pixels, O], U [pixels, kh kw I]; at the
 * end g is brought into the weight's own order, [O, I, kh, kw]. Groups of channels are
 * summed tap by tap in that order at once. */
#include "nn/gemm.h"
#include "nn/kernels.h"

#include <string.h>

enum {
    TILE = 64, /* output pixels unfolded at once */
    ALIGN = 16 /* floats that scratch of a product is aligned to */
};

/* Floats of an unfolded pixel, and the same up to a whole number of vectors. */
static int64_t patch_of(const nn_factor *f) {
    return f->in * f->kh * f->kw;
}
static int64_t row_of(const nn_factor *f) {
    return (patch_of(f) + 15) / 16 * 16;
}

static nn_window window_of(const nn_factor *f) {
    nn_window g = {.c = f->in,
                   .h = f->h,
                   .w = f->w,
                   .oh = f->oh,
                   .ow = f->ow,
                   .kh = f->kh,
                   .kw = f->kw,
                   .groups = f->groups};
    memcpy(g.stride, f->stride, sizeof g.stride);
    memcpy(g.pad, f->pad, sizeof g.pad);
    memcpy(g.dilation, f->dilation, sizeof g.dilation);
    return g;
}

size_t nn_factor_scratch(const nn_factor *f) {
    direct_conv small;
    if (f->kind == NN_FACTOR_OUTER)
        return gemm_scratch((size_t)f->out, (size_t)f->in, (size_t)f->t) + ALIGN;
    if (f->kind != NN_FACTOR_CONV || f->groups > 1)
        return 1;
    nn_window g = window_of(f);
    if (direct_make(&small, &g, f->out))
        return small.padded_floats + small.packed_floats;
    return (size_t)((TILE + f->out) * row_of(f));
}

/* A small patch, as conv2d has it. */
static void small_gradient(
    const nn_factor *f, const direct_conv *s, int example, float *out, float *scratch) {
    const float *x = f->x + (int64_t)example * f->h * f->w * f->in;
    const float *d = f->d + (size_t)example * s->out_floats;
    float *padded = scratch + s->packed_floats;
    memset(scratch, 0, (s->packed_floats + s->padded_floats) * sizeof *scratch);
    direct_pad(s, padded, x);
    nn_kernels_get()->direct_weights(scratch, padded, d, s);
    direct_unpack(s, out, scratch);
}

static void large_gradient(
    const nn_factor *f, const nn_window *g, int example, float *out, float *scratch) {
    const nn_kernels *k = nn_kernels_get();
    int64_t pixels = f->oh * f->ow, ld = row_of(f);
    const float *x = f->x + (int64_t)example * f->h * f->w * f->in;
    const float *d = f->d + (int64_t)example * pixels * f->out;
    float *sum = scratch + TILE * ld;
    for (int64_t o = 0; o < pixels; o += TILE) {
        size_t n = (size_t)(pixels - o < TILE ? pixels - o : TILE);
        k->unfold(scratch, x, g, (size_t)o, n, (size_t)ld);
        k->outer_sum(sum, d + o * f->out, scratch, n, (size_t)f->out, (size_t)patch_of(f),
                     (size_t)ld, o > 0);
    }
    for (int64_t o = 0; o < f->out; o++, out += patch_of(f))
        k->turn_taps(out, sum + o * ld, (size_t)(f->kh * f->kw), (size_t)f->in);
}

/* One tap of one group: g[o,i] += d[o] x[i], elements of g `step` apart. */
static void group_outer(
    float *g, const float *d, const float *x, int64_t out, int64_t in, int64_t step) {
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = 0; i < in; i++)
            g[(o * in + i) * step] += d[o] * x[i];
}

static void group_gradient(const nn_factor *f, int example, float *out) {
    int64_t part = f->in / f->groups, out_part = f->out / f->groups, taps = f->kh * f->kw;
    const float *x = f->x + (int64_t)example * f->h * f->w * f->in;
    const float *d = f->d + (int64_t)example * f->oh * f->ow * f->out;
    memset(out, 0, f->weight_count * sizeof *out);
    for (int64_t pixel = 0; pixel < f->oh * f->ow; pixel++, d += f->out)
        for (int64_t tap = 0; tap < taps; tap++) {
            int64_t row =
                pixel / f->ow * f->stride[0] - f->pad[0] + tap / f->kw * f->dilation[0];
            int64_t column =
                pixel % f->ow * f->stride[1] - f->pad[1] + tap % f->kw * f->dilation[1];
            if (row < 0 || row >= f->h || column < 0 || column >= f->w)
                continue;
            const float *at = x + (row * f->w + column) * f->in;
            for (int64_t k = 0; k < f->groups; k++)
                group_outer(out + k * out_part * part * taps + tap, d + k * out_part,
                            at + k * part, out_part, part, taps);
        }
}

static void conv_gradient(const nn_factor *f, int example, float *out, float *scratch) {
    direct_conv small;
    nn_window g = window_of(f);
    size_t pixels = (size_t)(f->transposed ? f->h * f->w : f->oh * f->ow);
    size_t outs = (size_t)(f->transposed ? f->in : f->out);
    if (f->groups > 1)
        group_gradient(f, example, out);
    else if (direct_make(&small, &g, f->out))
        small_gradient(f, &small, example, out, scratch);
    else
        large_gradient(f, &g, example, out, scratch);
    if (f->bias_count)
        nn_kernels_get()->image[0][0]->sum_rows(out + f->weight_count,
                                                (f->transposed ? f->x : f->d) +
                                                    (size_t)example * pixels * outs,
                                                pixels, outs);
}

/* g = D^T X, D [t, out], X [t, in]. */
static void outer_gradient(const nn_factor *f, int example, float *out, float *scratch) {
    size_t t = (size_t)f->t, outs = (size_t)f->out, in = (size_t)f->in;
    const float *x = f->x + (size_t)example * t * in;
    const float *d = f->d + (size_t)example * t * outs;
    size_t off = (uintptr_t)scratch / sizeof *scratch % ALIGN;
    const gemm_job job = gemm_turned_times(out, d, x, outs, in, t);
    gemm_run(&job, scratch + (off ? ALIGN - off : 0));
    if (f->bias_count)
        nn_kernels_get()->image[0][0]->sum_rows(out + f->weight_count, d, t, outs);
}

static void gather_gradient(const nn_factor *f, int example, float *out) {
    const float *d = f->d + (int64_t)example * f->t * f->out;
    memset(out, 0, f->weight_count * sizeof *out);
    for (int64_t t = 0; t < f->t; t++, d += f->out) {
        int64_t i = (int64_t)example * f->t + t;
        int64_t row = f->index_i64 ? ((const int64_t *)f->index)[i]
                                   : ((const int32_t *)f->index)[i];
        for (int64_t o = 0; o < f->out; o++)
            out[row * f->out + o] += d[o];
    }
}

void nn_factor_gradient(const nn_factor *f, int example, float *out, float *scratch) {
    switch (f->kind) {
    case NN_FACTOR_OUTER:
        outer_gradient(f, example, out, scratch);
        break;
    case NN_FACTOR_CONV:
        conv_gradient(f, example, out, scratch);
        break;
    case NN_FACTOR_DIAG:
        memcpy(out, f->d + (size_t)example * f->weight_count,
               f->weight_count * sizeof *out);
        if (f->bias_count)
            memcpy(out + f->weight_count, f->d2 + (size_t)example * f->bias_count,
                   f->bias_count * sizeof *out);
        break;
    case NN_FACTOR_GATHER:
        gather_gradient(f, example, out);
        break;
    }
}

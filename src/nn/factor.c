/* Per-example gradients out of factors. For a convolution the example's input is unfolded
 * a tile of pixels at a time, tap by tap (rows of channels are copied whole), and one
 * small product per tile adds up  g = D^T U,  D [pixels, O], U [pixels, kh kw I]; at the
 * end g is brought into the weight's own order, [O, I, kh, kw]. */
#include "nn/kernels.h"

#include <string.h>

enum { TILE = 64 }; /* output pixels unfolded at once */

/* Floats of an unfolded pixel, and the same up to a whole number of vectors. */
static int64_t patch_of(const nn_factor *f) {
    return f->in * f->kh * f->kw;
}
static int64_t row_of(const nn_factor *f) {
    return (patch_of(f) + 15) / 16 * 16;
}

size_t nn_factor_scratch(const nn_factor *f) {
    return f->kind == NN_FACTOR_CONV ? (size_t)((TILE + f->out) * row_of(f)) : 1;
}

/* The patch under output pixel o, zeros outside the image and behind the end. */
static void unfold_pixel(const nn_factor *f, const float *x, int64_t o, float *to) {
    int64_t p = o / f->ow * f->stride[0] - f->pad[0];
    int64_t q = o % f->ow * f->stride[1] - f->pad[1];
    size_t bytes = (size_t)f->in * sizeof *to;
    for (int64_t u = 0; u < f->kh; u++)
        for (int64_t v = 0; v < f->kw; v++, to += f->in) {
            int64_t row = p + u * f->dilation[0], col = q + v * f->dilation[1];
            if (row >= 0 && row < f->h && col >= 0 && col < f->w)
                memcpy(to, x + (row * f->w + col) * f->in, bytes);
            else
                memset(to, 0, bytes);
        }
    memset(to, 0, (size_t)(row_of(f) - patch_of(f)) * sizeof *to);
}

static void conv_gradient(const nn_factor *f, int example, float *out, float *scratch) {
    int64_t pixels = f->oh * f->ow, ld = row_of(f), taps = f->kh * f->kw;
    const float *x = f->x + (int64_t)example * f->h * f->w * f->in;
    const float *d = f->d + (int64_t)example * pixels * f->out;
    float *sum = scratch + TILE * ld;
    for (int64_t o = 0; o < pixels; o += TILE) {
        int64_t n = pixels - o < TILE ? pixels - o : TILE;
        for (int64_t i = 0; i < n; i++)
            unfold_pixel(f, x, o + i, scratch + i * ld);
        nn_kernels_get()->outer_sum(sum, d + o * f->out, scratch, (size_t)n,
                                    (size_t)f->out, (size_t)patch_of(f), (size_t)ld,
                                    o > 0);
    }
    for (int64_t o = 0; o < f->out; o++)
        for (int64_t c = 0; c < f->in; c++)
            for (int64_t t = 0; t < taps; t++)
                *out++ = sum[o * ld + t * f->in + c];
    if (f->bias_count)
        nn_kernels_get()->sum_rows(out, d, (size_t)pixels, (size_t)f->out);
}

static void outer_gradient(const nn_factor *f, int example, float *out) {
    const float *x = f->x + (int64_t)example * f->t * f->in;
    const float *d = f->d + (int64_t)example * f->t * f->out;
    memset(out, 0, (f->weight_count + f->bias_count) * sizeof *out);
    for (int64_t t = 0; t < f->t; t++)
        for (int64_t o = 0; o < f->out; o++) {
            float g = d[t * f->out + o];
            for (int64_t i = 0; i < f->in; i++)
                out[o * f->in + i] += g * x[t * f->in + i];
            if (f->bias_count)
                out[f->weight_count + (size_t)o] += g;
        }
}

void nn_factor_gradient(const nn_factor *f, int example, float *out, float *scratch) {
    switch (f->kind) {
    case NN_FACTOR_OUTER:
        outer_gradient(f, example, out);
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
        break;
    }
}

/* Resizing, one axis after the other: box coverage where it shrinks, bilinear where it
 * grows.
 *
 * Weights are whole numbers. Growing or shrinking n pixels to m, the box of output o
 * covers [o n, (o + 1) n) and input i covers [i m, (i + 1) m) of a common ruler, so that
 * coverages are integers that sum to n; bilinear weights are integers that sum to 2 m.
 * Column sums stay below 2^24 and are exact in f32, whole sums in f64: the only rounding
 * is the last one, and the result is the same for every instruction set. */
#include "image/inside.h"
#include "simd/simd.h"

#include <string.h>

typedef struct axis_span {
    int32_t begin, count;
    size_t weights; /* index of the first */
} axis_span;

typedef struct axis {
    axis_span *span; /* one for each output */
    float *weight;
    double total; /* sum of the weights of each output */
} axis;

/* Output o of a shrinking axis: the inputs it covers. */
static axis_span box_at(float *weight, int64_t n, int64_t m, int64_t o) {
    int64_t from = o * n, to = from + n;
    axis_span s = {.begin = (int32_t)(from / m)};
    for (int64_t i = s.begin; i * m < to; i++) {
        int64_t low = i * m > from ? i * m : from,
                high = (i + 1) * m < to ? (i + 1) * m : to;
        weight[s.count++] = (float)(high - low);
    }
    return s;
}

/* Output o of a growing axis: the two inputs beside its centre, (2 o + 1) n / (2 m) -
 * 1/2. */
static axis_span linear_at(float *weight, int64_t n, int64_t m, int64_t o) {
    int64_t at = (2 * o + 1) * n - m, whole = at >= 0 ? at / (2 * m) : 0;
    int64_t part = at >= 0 ? at % (2 * m) : 0;
    axis_span s = {.begin = (int32_t)whole, .count = 1};
    if (part == 0 || whole + 1 >= n) {
        weight[0] = (float)(2 * m);
    } else {
        weight[0] = (float)(2 * m - part);
        weight[1] = (float)part;
        s.count = 2;
    }
    return s;
}

static void axis_free(axis *a, assay_ctx *ctx) {
    mem_free(ctx, a->span);
    mem_free(ctx, a->weight);
}

/* For n inputs and m outputs. */
static assay_status axis_make(axis *a, assay_ctx *ctx, int n, int m) {
    assay_status status = ASSAY_OK;
    /* Boxes share at most one input with each neighbour. */
    size_t most = m < n ? (size_t)n + (size_t)m : 2 * (size_t)m, used = 0;
    ASSAY_TRY(mem_new(ctx, &a->span, (size_t)m, sizeof *a->span));
    ASSAY_TRY(mem_new(ctx, &a->weight, most, sizeof *a->weight));
    for (int o = 0; o < m; o++) {
        axis_span s = m < n ? box_at(a->weight + used, n, m, o)
                            : linear_at(a->weight + used, n, m, o);
        s.weights = used;
        used += (size_t)s.count;
        a->span[o] = s;
    }
    a->total = m < n ? n : 2.0 * m;
done:
    return status;
}

/* One output row from a row of column sums. */
static void sum_row(
    uint8_t *out, const float *in, const axis *a, int width, int channels, double total) {
    double half = total / 2;
    for (int x = 0; x < width; x++) {
        const axis_span *s = &a->span[x];
        const float *w = a->weight + s->weights,
                    *p = in + (size_t)s->begin * (size_t)channels;
        if (channels == 3) {
            double r = 0, g = 0, b = 0;
            for (int32_t i = 0; i < s->count; i++, p += 3) {
                double v = w[i];
                r += v * p[0];
                g += v * p[1];
                b += v * p[2];
            }
            out[0] = (uint8_t)((r + half) / total);
            out[1] = (uint8_t)((g + half) / total);
            out[2] = (uint8_t)((b + half) / total);
        } else {
            for (int c = 0; c < channels; c++) {
                double v = 0;
                for (int32_t i = 0; i < s->count; i++)
                    v += (double)w[i] * p[(size_t)i * (size_t)channels + (size_t)c];
                out[c] = (uint8_t)((v + half) / total);
            }
        }
        out += channels;
    }
}

assay_status image_resize(assay_ctx *ctx,
                          const uint8_t *src,
                          int sw,
                          int sh,
                          int channels,
                          uint8_t *dst,
                          int dw,
                          int dh) {
    assay_status status = ASSAY_OK;
    axis across = {0}, down = {0};
    float *sums = NULL;
    if (sw < 1 || sh < 1 || dw < 1 || dh < 1 || channels < 1 || channels > 4 ||
        sw > IMAGE_MAX_SIDE || sh > IMAGE_MAX_SIDE || dw > IMAGE_MAX_SIDE ||
        dh > IMAGE_MAX_SIDE)
        ASSAY_FAIL(ASSAY_E_SHAPE, "can't resize %d x %d pixels of %d channels to %d x %d",
                   sw, sh, channels, dw, dh);
    size_t row = (size_t)sw * (size_t)channels, out_row = (size_t)dw * (size_t)channels;
    if (sw == dw && sh == dh) {
        memcpy(dst, src, row * (size_t)sh);
        goto done;
    }
    ASSAY_TRY(axis_make(&across, ctx, sw, dw));
    ASSAY_TRY(axis_make(&down, ctx, sh, dh));
    ASSAY_TRY(mem_new(ctx, &sums, row, sizeof *sums));
    double total = across.total * down.total;
    for (int y = 0; y < dh; y++) {
        const axis_span *s = &down.span[y];
        memset(sums, 0, row * sizeof *sums);
        for (int32_t i = 0; i < s->count; i++)
            simd()->f32_accumulate_row(sums, down.weight[s->weights + (size_t)i],
                                       src + (size_t)(s->begin + i) * row, row);
        sum_row(dst + (size_t)y * out_row, sums, &across, dw, channels, total);
    }
done:
    axis_free(&across, ctx);
    axis_free(&down, ctx);
    mem_free(ctx, sums);
    return status;
}

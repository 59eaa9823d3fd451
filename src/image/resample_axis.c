/* Weights of a filter along one axis: exact ratios of whole numbers (but for the cubic),
 * rounded so that each output's sum to one.
 *
 * n inputs become m outputs. On a ruler of 2 m marks an input, the centre of output o
 * lies at (2 o + 1) n and that of input i at (2 i + 1) m. */
#include "image/resample_inside.h"

#include <string.h>

typedef struct ruler {
    int64_t n, m;
} ruler;

/* The least input, 0 or above, whose centre lies above `mark`. */
static int64_t first_above(ruler r, int64_t mark) {
    int64_t from = mark - r.m;
    return from < 0 ? 0 : from / (2 * r.m) + 1;
}

/* The share of each input in the output's box. */
static resample_span area_at(double *raw, double *total, ruler r, int64_t o) {
    int64_t from = o * r.n, to = from + r.n;
    resample_span s = {.begin = (int32_t)(from / r.m)};
    for (int64_t i = s.begin; i * r.m < to; i++) {
        int64_t low = i * r.m > from ? i * r.m : from,
                high = (i + 1) * r.m < to ? (i + 1) * r.m : to;
        raw[s.count++] = (double)(high - low);
    }
    *total = (double)r.n;
    return s;
}

/* Inputs `begin` and the next, the second with part / whole. */
static resample_span
two_at(double *raw, double *total, ruler r, int64_t begin, int64_t part, int64_t whole) {
    resample_span s = {.begin = (int32_t)begin, .count = 1};
    *total = (double)whole;
    raw[0] = (double)whole;
    if (part > 0 && begin + 1 < r.n) {
        raw[0] = (double)(whole - part);
        raw[1] = (double)part;
        s.count = 2;
    }
    return s;
}

/* Enlarging as OpenCV's INTER_AREA does: the second input's share is that of its part of
 * the output's box. */
static resample_span area_linear_at(double *raw, double *total, ruler r, int64_t o) {
    int64_t begin = o * r.n / r.m, part = (o + 1) * r.n - (begin + 1) * r.m;
    return two_at(raw, total, r, begin, part > 0 ? part % r.n : 0, r.n);
}

/* The two inputs beside the centre; beyond the outermost centres, the outermost. */
static resample_span bilinear_at(double *raw, double *total, ruler r, int64_t o) {
    int64_t at = (2 * o + 1) * r.n - r.m, whole = 2 * r.m;
    if (at < 0)
        at = 0;
    return two_at(raw, total, r, at / whole, at % whole, whole);
}

static resample_span nearest_at(double *raw, double *total, ruler r, int64_t o) {
    return two_at(raw, total, r, (2 * o + 1) * r.n / (2 * r.m), 0, 1);
}

static resample_span triangle_at(double *raw, double *total, ruler r, int64_t o) {
    int64_t centre = (2 * o + 1) * r.n, reach = 2 * (r.n > r.m ? r.n : r.m);
    resample_span s = {.begin = (int32_t)first_above(r, centre - reach)};
    int64_t distance = (2 * (int64_t)s.begin + 1) * r.m - centre;
    *total = 0;
    for (int64_t i = s.begin; i < r.n && distance < reach; i++, distance += 2 * r.m) {
        raw[s.count] = (double)(reach - (distance < 0 ? -distance : distance));
        *total += raw[s.count++];
    }
    return s;
}

/* Keys' cubic with a = -1/2. */
static double cubic(double x) {
    if (x < 0)
        x = -x;
    return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : ((-0.5 * x + 2.5) * x - 4) * x + 2;
}

static resample_span cubic_at(double *raw, double *total, ruler r, int64_t o) {
    int64_t centre = (2 * o + 1) * r.n, unit = 2 * (r.n > r.m ? r.n : r.m);
    resample_span s = {.begin = (int32_t)first_above(r, centre - 2 * unit)};
    int64_t distance = (2 * (int64_t)s.begin + 1) * r.m - centre;
    double inverse = 1 / (double)unit;
    *total = 0;
    for (int64_t i = s.begin; i < r.n && distance < 2 * unit; i++, distance += 2 * r.m) {
        raw[s.count] = cubic((double)distance * inverse);
        *total += raw[s.count++];
    }
    return s;
}

static resample_span span_at(resample_axis *a, double *total, int64_t o) {
    ruler r = {.n = a->in, .m = a->out};
    switch (a->filter) {
    case RESAMPLE_TRIANGLE:
        return triangle_at(a->raw, total, r, o);
    case RESAMPLE_CUBIC:
        return cubic_at(a->raw, total, r, o);
    case RESAMPLE_BILINEAR:
        return bilinear_at(a->raw, total, r, o);
    case RESAMPLE_NEAREST:
        return nearest_at(a->raw, total, r, o);
    default:
        return a->linear ? area_linear_at(a->raw, total, r, o)
                         : area_at(a->raw, total, r, o);
    }
}

/* No output has more inputs than this. */
static int most_taps(resample_filter filter, bool linear, int in, int out) {
    if (filter == RESAMPLE_NEAREST)
        return 1;
    if (filter == RESAMPLE_BILINEAR || (filter == RESAMPLE_AREA && linear))
        return 2;
    int scale = in > out ? (in + out - 1) / out : 1, reach = filter == RESAMPLE_AREA ? 1
                                                             : filter == RESAMPLE_TRIANGLE
                                                                 ? 2
                                                                 : 4;
    int most = reach * scale + 1;
    return most < in ? most : in;
}

/* Integers whose partial sums are nearest to those of the weights: errors don't add up.
 */
static void round_weights(int32_t *out, const double *raw, int count, double factor) {
    const int32_t up = 1 << 23; /* casting cuts towards zero: keep above it */
    int32_t before = up;
    double sum = 0;
    for (int i = 0; i < count; i++) {
        sum += raw[i];
        int32_t now = (int32_t)(sum * factor + (up + 0.5));
        out[i] = now - before;
        before = now;
    }
}

assay_status resample_axis_make(resample_axis *a,
                                assay_ctx *ctx,
                                bool *changed,
                                resample_filter filter,
                                bool linear,
                                int in,
                                int out,
                                int narrow_bits) {
    assay_status status = ASSAY_OK;
    int most = most_taps(filter, linear, in, out);
    int bits = most > RESAMPLE_NARROW ? RESAMPLE_WIDE_BITS : narrow_bits;
    *changed = a->in != in || a->out != out || a->filter != filter ||
               a->linear != linear || a->bits != bits;
    if (!*changed)
        goto done;
    a->in = 0; /* not valid until all is done */
    size_t weights = (size_t)out * (size_t)most;
    ASSAY_TRY(mem_grow(ctx, &a->span, 0, &a->span_cap, (size_t)out, sizeof *a->span));
    ASSAY_TRY(mem_grow(ctx, &a->weight, 0, &a->weight_cap, weights, sizeof *a->weight));
    ASSAY_TRY(mem_grow(ctx, &a->raw, 0, &a->raw_cap, (size_t)most + 1, sizeof *a->raw));
    a->filter = filter;
    a->linear = linear;
    a->out = out;
    a->bits = bits;
    a->taps = 0;
    a->stride = most;
    memset(a->weight, 0, weights * sizeof *a->weight);
    a->in = in;
    for (int o = 0; o < out; o++) {
        double total;
        a->span[o] = span_at(a, &total, o);
        round_weights(a->weight + (size_t)o * (size_t)most, a->raw, a->span[o].count,
                      (double)(1 << bits) / total);
        if (a->span[o].count > a->taps)
            a->taps = a->span[o].count;
    }
done:
    return status;
}

void resample_axis_free(resample_axis *a, assay_ctx *ctx) {
    mem_free(ctx, a->span);
    mem_free(ctx, a->weight);
    mem_free(ctx, a->raw);
}

/* The resampler's definition in float64, an output pixel at a time: every input's weight
 * from the filter as it is written down, no tables, no rounding, no order of rows. */
#include "image/resample.h"

#include <math.h>

/* Input i covers [i, i + 1) of the axis; output o the scale times as long [o s, (o + 1)
 * s). */
typedef struct view {
    resample_filter filter;
    bool linear; /* the area filter by the enlarging rule */
    int in, out;
    double scale;
} view;

static double triangle(double x) {
    return fabs(x) < 1 ? 1 - fabs(x) : 0;
}

static double cubic(double x) {
    const double a = -0.5;
    x = fabs(x);
    if (x < 1)
        return (a + 2) * x * x * x - (a + 3) * x * x + 1;
    return x < 2 ? a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a : 0;
}

/* OpenCV's INTER_AREA when enlarging: output o begins in input b and gives the next input
 * the part of itself that lies beyond b's end, in units of the output, modulo one. */
static double area_linear(const view *v, int o, int i) {
    int64_t n = v->in, m = v->out, b = o * n / m, part = (o + 1) * n - (b + 1) * m;
    double share = part > 0 && b + 1 < n ? (double)(part % n) / (double)n : 0;
    return i == b ? 1 - share : i == b + 1 ? share : 0;
}

/* Before division by the sum over all i. */
static double weight(const view *v, int o, int i) {
    double centre = (o + 0.5) * v->scale, at = i + 0.5;
    double stretch = v->scale > 1 ? v->scale : 1;
    switch (v->filter) {
    case RESAMPLE_AREA:
        if (v->linear)
            return area_linear(v, o, i);
        return fmax(0, fmin(i + 1, (o + 1) * v->scale) - fmax(i, o * v->scale));
    case RESAMPLE_TRIANGLE:
        return triangle((at - centre) / stretch);
    case RESAMPLE_CUBIC:
        return cubic((at - centre) / stretch);
    case RESAMPLE_BILINEAR:
        return triangle(at - fmin(fmax(centre, 0.5), v->in - 0.5));
    default:
        return i == (2 * (int64_t)o + 1) * v->in / (2 * (int64_t)v->out) ? 1 : 0;
    }
}

/* Inputs outside this have no weight. */
static void range(const view *v, int o, int *first, int *end) {
    double centre = (o + 0.5) * v->scale, reach = 2 * (v->scale > 1 ? v->scale : 1) + 2;
    *first = centre > reach ? (int)(centre - reach) : 0;
    *end = centre + reach < v->in ? (int)(centre + reach) : v->in;
}

/* Output (o_x, o_y) before mirroring. */
static void
pixel(const view *x, const view *y, const uint8_t *rgb, int o_x, int o_y, double out[3]) {
    double sum[3] = {0}, total = 0;
    int x0, x1, y0, y1;
    range(x, o_x, &x0, &x1);
    range(y, o_y, &y0, &y1);
    for (int j = y0; j < y1; j++) {
        double down = weight(y, o_y, j);
        for (int i = x0; i < x1 && down != 0; i++) {
            double w = down * weight(x, o_x, i);
            const uint8_t *p = rgb + ((size_t)j * (size_t)x->in + (size_t)i) * 3;
            total += w;
            for (int c = 0; c < 3; c++)
                sum[c] += w * p[c];
        }
    }
    for (int c = 0; c < 3; c++)
        out[c] = fmin(fmax(sum[c] / total, 0), 255);
}

assay_status resample_reference(assay_ctx *ctx,
                                const resample_job *job,
                                const uint8_t *rgb,
                                double *out) {
    (void)ctx;
    bool linear = job->in_width < job->out_width || job->in_height < job->out_height;
    view x = {job->filter, linear, job->in_width, job->out_width,
              (double)job->in_width / job->out_width};
    view y = {job->filter, linear, job->in_height, job->out_height,
              (double)job->in_height / job->out_height};
    if (x.in < 1 || y.in < 1 || x.out < 1 || y.out < 1)
        return err_set(ASSAY_E_SHAPE, "can't resample %d x %d pixels to %d x %d", x.in,
                       y.in, x.out, y.out);
    for (int o_y = 0; o_y < y.out; o_y++)
        for (int o_x = 0; o_x < x.out; o_x++) {
            int to_x = job->mirror_x ? x.out - 1 - o_x : o_x,
                to_y = job->mirror_y ? y.out - 1 - o_y : o_y;
            pixel(&x, &y, rgb, o_x, o_y,
                  out + ((size_t)to_y * (size_t)x.out + (size_t)to_x) * 3);
        }
    return ASSAY_OK;
}

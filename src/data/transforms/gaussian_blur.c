/* Blurs by a Gaussian of random width: down the columns, then along the rows. */
#include "data/augment/kernels.h"
#include "data/augment/photometric.h"
#include "simd/simd.h"

#include <math.h>
#include <string.h>

enum { KERNEL, SIGMA, P = 3, LONGEST = 127 };

static assay_status plan(transform_plan *p) {
    int taps = (int)p->value[KERNEL];
    size_t c = (size_t)p->in.channels, w = (size_t)p->in.width;
    if (taps % 2 == 0)
        return err_set(ASSAY_E_INVALID, "gaussian_blur: the kernel has an odd length");
    if (p->value[SIGMA] > p->value[SIGMA + 1])
        return err_set(ASSAY_E_INVALID, "gaussian_blur: sigma goes from less to more");
    if (taps / 2 >= p->in.height || taps / 2 >= p->in.width)
        return err_set(ASSAY_E_SHAPE,
                       "gaussian_blur: a kernel of %d is too long for %d x %d", taps,
                       p->in.width, p->in.height);
    p->scratch_bytes = ((w + (size_t)taps - 1) * c + w * c) * sizeof(float);
    p->out = p->in;
    return ASSAY_OK;
}

static bool draw(const transform_plan *p, transform_sample *s, double weight[LONGEST]) {
    const double *sigma = p->value + SIGMA;
    int taps = (int)p->value[KERNEL], half = taps / 2;
    double sum = 0;
    if (!photo_happens(&s->r, p->value[P]))
        return false;
    double width = sigma[0] + (sigma[1] - sigma[0]) * rng_uniform(&s->r);
    for (int i = 0; i < taps; i++) {
        double x = (i - half) / width;
        weight[i] = exp(-0.5 * x * x);
        sum += weight[i];
    }
    for (int i = 0; i < taps; i++)
        weight[i] /= sum;
    return true;
}

/* Mirrored at the first and the last pixel, which are not repeated. */
static int inside(int i, int n) {
    i = i < 0 ? -i : i;
    return i >= n ? 2 * (n - 1) - i : i;
}

/* `row` holds w pixels behind `half` places that are filled here, as are those behind. */
static void mirror_ends(float *row, int w, int half, int c) {
    float *first = row + half * c;
    for (int i = 1; i <= half; i++)
        for (int k = 0; k < c; k++) {
            first[-i * c + k] = first[inside(-i, w) * c + k];
            first[(w - 1 + i) * c + k] = first[inside(w - 1 + i, w) * c + k];
        }
}

static bool
apply(const transform_plan *p, transform_sample *s, const uint8_t *src, uint8_t *dst) {
    const simd_table *v = simd();
    int w = p->in.width, h = p->in.height, c = p->in.channels;
    int taps = (int)p->value[KERNEL], half = taps / 2;
    size_t row = (size_t)w * (size_t)c;
    double weight[LONGEST];
    float *down = (float *)(void *)s->scratch;
    float *along = down + row + (size_t)(2 * half * c);
    if (!draw(p, s, weight))
        return false;
    for (int y = 0; y < h; y++) {
        memset(down, 0, (row + (size_t)(2 * half * c)) * sizeof *down);
        memset(along, 0, row * sizeof *along);
        for (int i = 0; i < taps; i++)
            v->f32_accumulate_row(down + half * c, (float)weight[i],
                                  src + (size_t)inside(y + i - half, h) * row, row);
        mirror_ends(down, w, half, c);
        for (int i = 0; i < taps; i++)
            v->f32_axpy(along, (float)weight[i], down + i * c, row);
        data_kernels_used()->to_bytes(dst + (size_t)y * row, along, row);
    }
    return true;
}

static void reference(const transform_plan *p,
                      transform_sample *s,
                      const uint8_t *src,
                      uint8_t *dst) {
    int w = p->in.width, h = p->in.height, c = p->in.channels;
    int taps = (int)p->value[KERNEL], half = taps / 2;
    double weight[LONGEST];
    if (!draw(p, s, weight)) {
        memcpy(dst, src, photo_bytes(&p->in));
        return;
    }
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int k = 0; k < c; k++) {
                double sum = 0;
                for (int i = 0; i < taps; i++)
                    for (int j = 0; j < taps; j++)
                        sum +=
                            weight[i] * weight[j] *
                            src[(inside(y + i - half, h) * w + inside(x + j - half, w)) *
                                    c +
                                k];
                dst[(y * w + x) * c + k] = (uint8_t)floor(sum + 0.5);
            }
}

static const transform_arg args[] = {
    {.name = "kernel",
     .count = 1,
     .least = 1,
     .most = LONGEST,
     .whole = true,
     .needed = true},
    {.name = "sigma", .count = 2, .initial = {0.1, 2}, .least = 0.01, .most = 1000},
    {.name = "p", .count = 1, .initial = {1}, .least = 0, .most = 1},
    {.name = NULL},
};

static const transform_case cases[] = {
    {.args = "5", .in = {32, 32, 3}, .out = {32, 32, 3}},
    {.args = "3, sigma=0.5, p=0.5", .in = {9, 31, 3}, .out = {9, 31, 3}},
    {.args = "11, sigma=1:4", .in = {6, 7, 1}, .out = {6, 7, 1}},
    {.args = "1", .in = {1, 1, 3}, .out = {1, 1, 3}},
    {.args = "7", .in = {8, 4, 3}, .out = {8, 4, 3}},
    {.args = "4", .in = {8, 8, 3}, .refused = true},
    {.args = "9", .in = {8, 4, 3}, .refused = true},
    {.args = "3, sigma=2:1", .in = {8, 8, 3}, .refused = true},
    {.args = "3, sigma=0", .in = {8, 8, 3}, .refused = true},
    {.args = NULL},
};

const data_transform assay_transform_gaussian_blur = {
    .name = "gaussian_blur",
    .summary = "blurs by a Gaussian of random width",
    .details = "kernel: taps on each axis, odd; sigma drawn evenly; mirrored at the "
               "edges: torchvision's GaussianBlur.",
    .stage = TRANSFORM_PIXELS,
    .args = args,
    .plan = plan,
    .apply = apply,
    .reference = reference,
    .tolerance = 1,
    .cases = cases,
};

/* Power iteration on differences of gradients. */
#include "train/curvature.h"

#include "base/rng.h"

#include <math.h>

/* Of |at|, on either side. */
#define REACH 1e-3

typedef struct search {
    const float *at;
    size_t n;
    double reach;
    float *way;           /* a direction of length 1 */
    float *there, *image; /* a place, and the gradient there */
    float *product;       /* the Hessian times the direction */
    curvature_gradient gradient;
    void *arg;
} search;

static double length(const float *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

static void first_way(search *s, uint64_t seed) {
    rng r = rng_at(seed, RNG_CURVATURE, 0, 0);
    for (size_t i = 0; i < s->n; i++)
        s->way[i] = (float)rng_normal(&r);
    float by = (float)(1 / length(s->way, s->n));
    for (size_t i = 0; i < s->n; i++)
        s->way[i] *= by;
}

static assay_status multiply(search *s) {
    assay_status status = ASSAY_OK;
    for (int side = 1; side >= -1; side -= 2) {
        for (size_t i = 0; i < s->n; i++)
            s->there[i] = s->at[i] + (float)(side * s->reach) * s->way[i];
        ASSAY_TRY(s->gradient(s->arg, s->there, side > 0 ? s->product : s->image));
    }
    for (size_t i = 0; i < s->n; i++)
        s->product[i] = (float)((double)(s->product[i] - s->image[i]) / (2 * s->reach));
done:
    return status;
}

assay_status curvature_largest(double *out,
                               assay_ctx *ctx,
                               const float *at,
                               size_t n,
                               curvature_gradient gradient,
                               void *arg,
                               uint64_t seed) {
    assay_status status = ASSAY_OK;
    double long_way = length(at, n);
    search s = {.at = at,
                .n = n,
                .reach = REACH * (long_way > 0 ? long_way : 1),
                .gradient = gradient,
                .arg = arg};
    *out = 0;
    ASSAY_TRY(mem_new(ctx, &s.way, n, sizeof *s.way));
    ASSAY_TRY(mem_new(ctx, &s.there, n, sizeof *s.there));
    ASSAY_TRY(mem_new(ctx, &s.image, n, sizeof *s.image));
    ASSAY_TRY(mem_new(ctx, &s.product, n, sizeof *s.product));
    first_way(&s, seed);
    for (int round = 0; round < CURVATURE_ROUNDS; round++) {
        double along = 0;
        ASSAY_TRY(multiply(&s));
        for (size_t i = 0; i < n; i++)
            along += (double)s.way[i] * (double)s.product[i];
        *out = along;
        double size = length(s.product, n);
        if (!(size > 0))
            break;
        for (size_t i = 0; i < n; i++)
            s.way[i] = (float)((double)s.product[i] / size);
    }
done:
    mem_free(ctx, s.way);
    mem_free(ctx, s.there);
    mem_free(ctx, s.image);
    mem_free(ctx, s.product);
    return status;
}

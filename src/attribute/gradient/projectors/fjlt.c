/* fjlt: random signs, a Walsh-Hadamard transform, and some of its coordinates (Ailon and
 * Chazelle 2009, with sampling in place of the sparse matrix). The transform spreads
 * every gradient evenly, so that the sample, drawn with replacement, loses none of them.
 */
#include "attribute/gradient/projector.h"

#include <math.h>
#include <string.h>

static size_t padded(const att_projection *p) {
    size_t n = 1;
    while (n < p->floats)
        n *= 2;
    return n;
}

static assay_status plan(att_projection *p, const nn_factor *f, int count) {
    (void)f;
    (void)count;
    p->scratch = padded(p) + p->widest + p->room;
    return ASSAY_OK;
}

/* In place; n a power of two. Scales lengths by sqrt(n). */
static void walsh_hadamard(float *x, size_t n) {
    for (size_t half = 1; half < n; half *= 2)
        for (size_t i = 0; i < n; i += 2 * half)
            for (size_t j = i; j < i + half; j++) {
                float a = x[j], b = x[j + half];
                x[j] = a + b;
                x[j + half] = a - b;
            }
}

static void put(float *x, const float *g, const att_projection *p, size_t at, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[at + i] = att_bits(p->seed, at + i, 0) & 1 ? g[i] : -g[i];
}

static void run(float *out,
                const att_projection *p,
                const nn_factor *f,
                int count,
                int n,
                float *scratch) {
    size_t wide = padded(p), dim = (size_t)p->dim;
    float *x = scratch, *g = x + wide, *room = g + p->widest;
    float scale = 1 / sqrtf((float)p->dim);
    for (int lane = 0; lane < n; lane++) {
        memset(x, 0, wide * sizeof *x);
        for (int i = 0; i < count; i++) {
            nn_factor_gradient(&f[i], lane, g, room);
            put(x, g, p, f[i].weight_offset, f[i].weight_count);
            put(x, g + f[i].weight_count, p, f[i].bias_offset, f[i].bias_count);
        }
        walsh_hadamard(x, wide);
        for (size_t j = 0; j < dim; j++)
            out[(size_t)lane * dim + j] = scale * x[att_bits(p->seed, j, 1) & (wide - 1)];
    }
}

const att_projector assay_projector_fjlt = {
    .name = "fjlt",
    .summary = "a sample of a Walsh-Hadamard transform",
    .plan = plan,
    .run = run,
};

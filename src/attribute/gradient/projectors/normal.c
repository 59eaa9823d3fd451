/* normal: a dense matrix of normal numbers, made on the fly. Slower still than signs, and
 * no better. */
#include "attribute/gradient/dense.h"

#include "base/rng.h"

static void row(float *out, const att_projection *p, uint64_t coordinate) {
    rng r = rng_at(p->seed, RNG_SKETCH, 0, coordinate);
    for (int j = 0; j < p->dim; j++)
        out[j] = (float)rng_normal(&r);
}

static void run(float *out,
                const att_projection *p,
                const nn_factor *f,
                int count,
                int n,
                float *scratch) {
    dense_run(out, p, f, count, n, scratch, row);
}

const att_projector assay_projector_normal = {
    .name = "normal",
    .summary = "a dense matrix of normal numbers (slower; for comparison)",
    .plan = dense_plan,
    .run = run,
};

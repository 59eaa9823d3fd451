/* rademacher: a dense matrix of signs, made on the fly. Slow: others are tested against
 * it. */
#include "attribute/gradient/dense.h"

static void row(float *out, const att_projection *p, uint64_t coordinate) {
    uint64_t bits = 0;
    for (int j = 0; j < p->dim; j++, bits >>= 1) {
        if (j % 64 == 0)
            bits = att_bits(p->seed, coordinate, (uint64_t)j / 64);
        out[j] = bits & 1 ? 1.0f : -1.0f;
    }
}

static void run(float *out,
                const att_projection *p,
                const nn_factor *f,
                int count,
                int n,
                float *scratch) {
    dense_run(out, p, f, count, n, scratch, row);
}

const att_projector assay_projector_rademacher = {
    .name = "rademacher",
    .summary = "a dense matrix of signs (slow; for comparison)",
    .plan = dense_plan,
    .run = run,
};

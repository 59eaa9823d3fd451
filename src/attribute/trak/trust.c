/* How far predicted effects can be trusted, without retraining: members differ in the
 * rows they saw, so the sum of tau over a member's rows predicts by how much its margins
 * differ from the other members'. That sum needs no score: sum_i seen_i q_i phi_i .
 * psi_t, one vector per pair of members. */
#include "attribute/trak/trak.h"

#include "base/pool.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RESAMPLES = 1000 };

typedef struct trust_job {
    const att_trak *t;
    const uint8_t *seen;
    const uint64_t *targets;
    size_t n;
    double *sum;      /* [kernel member][seen member][dim] */
    float *predicted; /* [kernel member][seen member][n] */
} trust_job;

/* For one kernel member: its features summed over the rows each member saw, then
 * multiplied with its transformed targets. */
static assay_status predict(void *arg, int worker, size_t begin, size_t end) {
    const trust_job *job = arg;
    const att_trak *t = job->t;
    assay_status status = ASSAY_OK;
    size_t k = (size_t)t->dim, members = (size_t)t->members;
    float *weight = NULL, *part = NULL, *psi = NULL, *rounded = NULL;
    (void)worker;
    ASSAY_TRY(mem_new(t->ctx, &weight, members * TRAK_ROWS, sizeof *weight));
    ASSAY_TRY(mem_new(t->ctx, &part, members * k, sizeof *part));
    ASSAY_TRY(mem_new(t->ctx, &rounded, members * k, sizeof *rounded));
    ASSAY_TRY(mem_new(t->ctx, &psi, TRAK_TARGETS * k, sizeof *psi));
    for (size_t m = begin; m < end; m++) {
        double *sum = job->sum + m * members * k;
        for (uint64_t first = 0; first < t->train_rows; first += TRAK_ROWS) {
            uint64_t left = t->train_rows - first;
            size_t rows = left < TRAK_ROWS ? (size_t)left : TRAK_ROWS;
            ASSAY_TRY(ctx_check(t->ctx));
            for (size_t s = 0; s < members; s++)
                for (size_t i = 0; i < rows; i++)
                    weight[s * rows + i] = job->seen[s * t->train_rows + first + i]
                                               ? trak_weight(t, first + i)
                                               : 0.0f;
            la_gemm(false, false, (int64_t)members, t->dim, (int64_t)rows, 1.0f, weight,
                    (int64_t)rows, store_row_read(t->stores[m], (int64_t)first), t->dim,
                    0.0f, part, t->dim);
            for (size_t i = 0; i < members * k; i++)
                sum[i] += (double)part[i];
        }
        for (size_t i = 0; i < members * k; i++)
            rounded[i] = (float)sum[i];
        for (size_t first = 0; first < job->n; first += TRAK_TARGETS) {
            size_t n = job->n - first < TRAK_TARGETS ? job->n - first : TRAK_TARGETS;
            ASSAY_TRY(trak_transform(t, (int)m, job->targets + first, n, psi));
            la_gemm(false, true, t->members, (int64_t)n, t->dim, 1.0f, rounded, t->dim,
                    psi, t->dim, 0.0f, job->predicted + m * members * job->n + first,
                    (int64_t)job->n);
        }
    }
done:
    mem_free(t->ctx, weight);
    mem_free(t->ctx, part);
    mem_free(t->ctx, rounded);
    mem_free(t->ctx, psi);
    return status;
}

/* Sums over members of one target's centred deviations. */
typedef struct moments {
    double xx, xy, yy;
} moments;

static moments deviations(const trust_job *job, const float *margins, size_t target) {
    size_t members = (size_t)job->t->members;
    moments s = {0, 0, 0};
    double mean_x = 0, mean_y = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t m = 0; m < members; m++) {
            double x = 0, y = (double)margins[m * job->n + target];
            for (size_t kernel = 0; kernel < members; kernel++)
                x += (double)job->predicted[(kernel * members + m) * job->n + target];
            if (pass == 0) {
                mean_x += x / (double)members;
                mean_y += y / (double)members;
            } else {
                s.xx += (x - mean_x) * (x - mean_x);
                s.xy += (x - mean_x) * (y - mean_y);
                s.yy += (y - mean_y) * (y - mean_y);
            }
        }
    return s;
}

static double correlation(moments s) {
    return s.xx > 0 && s.yy > 0 ? s.xy / sqrt(s.xx * s.yy) : 0;
}

static int by_value(const void *x, const void *y) {
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

assay_status att_trak_trust(att_trak *t,
                            const uint8_t *seen,
                            const uint64_t *targets,
                            size_t n_targets,
                            const float *margins,
                            uint64_t seed,
                            att_trust *out) {
    assay_status status = ASSAY_OK;
    size_t members = (size_t)t->members;
    trust_job job = {.t = t, .seen = seen, .targets = targets, .n = n_targets};
    moments *each = NULL, all = {0, 0, 0};
    double *drawn = NULL;
    *out = (att_trust){0, 0, 0, 0};
    ASSAY_TRY(trak_check_targets(t, targets, n_targets));
    if (members < 2 || n_targets == 0)
        goto done;
    ASSAY_TRY(
        mem_new(t->ctx, &job.sum, members * members * (size_t)t->dim, sizeof *job.sum));
    ASSAY_TRY(
        mem_new(t->ctx, &job.predicted, members * members * n_targets, sizeof(float)));
    ASSAY_TRY(mem_new(t->ctx, &each, n_targets, sizeof *each));
    ASSAY_TRY(mem_new(t->ctx, &drawn, RESAMPLES, sizeof *drawn));
    ASSAY_TRY(assay_parallel_for(t->ctx, members, 1, predict, &job));
    for (size_t i = 0; i < n_targets; i++) {
        each[i] = deviations(&job, margins, i);
        all.xx += each[i].xx;
        all.xy += each[i].xy;
        all.yy += each[i].yy;
    }
    if (!isfinite(all.xx) || !isfinite(all.yy))
        ASSAY_FAIL(ASSAY_E_NUMERIC, "margins or features are not finite");
    out->correlation = correlation(all);
    out->slope = all.xx > 0 ? all.xy / all.xx : 0;
    for (uint64_t r = 0; r < RESAMPLES; r++) {
        rng draw = rng_at(seed, RNG_BOOTSTRAP, 0, r);
        moments s = {0, 0, 0};
        for (size_t i = 0; i < n_targets; i++) {
            const moments *e = &each[rng_below(&draw, n_targets)];
            s.xx += e->xx;
            s.xy += e->xy;
            s.yy += e->yy;
        }
        drawn[r] = correlation(s);
    }
    qsort(drawn, RESAMPLES, sizeof *drawn, by_value);
    out->low = drawn[RESAMPLES / 40];
    out->high = drawn[RESAMPLES - 1 - RESAMPLES / 40];
done:
    mem_free(t->ctx, job.sum);
    mem_free(t->ctx, job.predicted);
    mem_free(t->ctx, each);
    mem_free(t->ctx, drawn);
    return status;
}

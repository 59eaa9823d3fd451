/* TRAK's kernels and what is linear in one vector per member: factorising, the
 * transformed targets, scores of one target, the weighted mean over targets,
 * self-influence. The strongest rows of many targets are in top.c. */
#include "attribute/trak/trak.h"

#include "base/pool.h"
#include "simd/simd.h"

#include <math.h>
#include <string.h>

/* ---- the kernels ---- */

typedef struct gram_job {
    att_trak *t;
    double ridge;
} gram_job;

/* Gram matrix of one member's active rows, in blocks of LA_GRAM_ROWS. */
static assay_status
gram(const att_trak *t, int member, float *rows, float *scratch, double *c) {
    size_t k = (size_t)t->dim, held = 0;
    for (uint64_t row = 0; row < t->train_rows; row++) {
        if (!t->active || t->active[row])
            memcpy(rows + held++ * k, store_row_read(t->stores[member], (int64_t)row),
                   k * sizeof *rows);
        if (held == LA_GRAM_ROWS || (row + 1 == t->train_rows && held)) {
            assay_status status = ctx_check(t->ctx);
            if (status != ASSAY_OK)
                return status;
            la_gram((int64_t)held, t->dim, rows, t->dim, scratch, c);
            held = 0;
        }
    }
    return ASSAY_OK;
}

static assay_status factorise(void *arg, int worker, size_t begin, size_t end) {
    const gram_job *job = arg;
    const att_trak *t = job->t;
    assay_status status = ASSAY_OK;
    float *rows = NULL, *scratch = NULL;
    size_t k = (size_t)t->dim;
    (void)worker;
    ASSAY_TRY(mem_new(t->ctx, &rows, LA_GRAM_ROWS * k, sizeof *rows));
    ASSAY_TRY(mem_new(t->ctx, &scratch, k * k, sizeof *scratch));
    for (size_t m = begin; m < end; m++) {
        double *c = t->factor[m], trace = 0;
        ASSAY_TRY(gram(t, (int)m, rows, scratch, c));
        for (size_t i = 0; i < k; i++)
            trace += c[i * k + i];
        if (!isfinite(trace)) {
            status =
                err_set(ASSAY_E_NUMERIC, "the gradients of member %zu are not finite", m);
            err_help("its training diverged: train it again with a smaller rate");
            goto done;
        }
        double lambda = job->ridge * trace / (double)k;
        /* no gradient at all: any kernel gives zero scores */
        for (size_t i = 0; i < k; i++)
            c[i * k + i] += trace > 0 ? lambda : 1;
        ASSAY_TRY_AT(la_cholesky(t->dim, c), "kernel of member %zu", m);
    }
done:
    mem_free(t->ctx, rows);
    mem_free(t->ctx, scratch);
    return status;
}

assay_status att_trak_create(att_trak **out,
                             assay_ctx *ctx,
                             row_store *const *stores,
                             int members,
                             uint64_t train_rows,
                             const uint8_t *active,
                             const float *q,
                             const att_trak_options *options) {
    assay_status status = ASSAY_OK;
    const att_trak_options usual = {.ridge = 1, .use_q = true};
    const att_trak_options *o = options ? options : &usual;
    att_trak *t = NULL;
    *out = NULL;
    ASSAY_TRY(la_self_check());
    if (members < 1)
        ASSAY_FAIL(ASSAY_E_INVALID, "attribution needs at least one member");
    if (!(o->ridge >= 0) || isinf(o->ridge))
        ASSAY_FAIL(ASSAY_E_INVALID, "the ridge must be a number from 0 on");
    if (o->use_q && !q)
        ASSAY_FAIL(ASSAY_E_INVALID, "attribution with q needs q");
    ASSAY_TRY(mem_new(ctx, &t, 1, sizeof *t));
    *t = (att_trak){.ctx = ctx,
                    .stores = stores,
                    .members = members,
                    .dim = store_cols(stores[0]),
                    .train_rows = train_rows,
                    .rows = (uint64_t)store_rows(stores[0]),
                    .active = active,
                    .q = o->use_q ? q : NULL};
    ASSAY_TRY(mem_new(ctx, &t->factor, (size_t)members, sizeof *t->factor));
    for (int m = 0; m < members; m++) {
        if (store_cols(stores[m]) != t->dim ||
            (uint64_t)store_rows(stores[m]) != t->rows || train_rows > t->rows ||
            train_rows >= UINT32_MAX)
            ASSAY_FAIL(ASSAY_E_SHAPE, "the features of member %d do not fit the others'",
                       m);
        ASSAY_TRY(mem_new(ctx, &t->factor[m], (size_t)(t->dim * t->dim), sizeof(double)));
    }
    gram_job job = {t, o->ridge};
    ASSAY_TRY(assay_parallel_for(ctx, (size_t)members, 1, factorise, &job));
    *out = t;
    t = NULL;
done:
    att_trak_destroy(t);
    return status;
}

void att_trak_destroy(att_trak *t) {
    if (!t)
        return;
    for (int m = 0; t->factor && m < t->members; m++)
        mem_free(t->ctx, t->factor[m]);
    mem_free(t->ctx, t->factor);
    mem_free(t->ctx, t);
}

/* ---- targets ---- */

assay_status trak_check_targets(const att_trak *t, const uint64_t *targets, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (targets[i] >= t->rows)
            return err_set(ASSAY_E_SHAPE, "target row %llu of %llu",
                           (unsigned long long)targets[i], (unsigned long long)t->rows);
    return ASSAY_OK;
}

assay_status trak_transform(
    const att_trak *t, int member, const uint64_t *targets, size_t n, float *out) {
    assay_status status = ASSAY_OK;
    size_t k = (size_t)t->dim;
    double *b = NULL;
    ASSAY_TRY(mem_new(t->ctx, &b, n * k, sizeof *b));
    for (size_t i = 0; i < n; i++) {
        const float *phi = store_row_read(t->stores[member], (int64_t)targets[i]);
        for (size_t j = 0; j < k; j++)
            b[i * k + j] = (double)phi[j];
    }
    ASSAY_TRY(la_cholesky_solve(t->dim, t->factor[member], (int64_t)n, b));
    for (size_t i = 0; i < n * k; i++)
        out[i] = (float)b[i];
done:
    mem_free(t->ctx, b);
    return status;
}

/* ---- one vector per member ---- */

typedef struct project_job {
    const att_trak *t;
    const float *v;
    float *out;
} project_job;

static assay_status project(void *arg, int worker, size_t begin, size_t end) {
    const project_job *job = arg;
    const att_trak *t = job->t;
    (void)worker;
    for (int m = 0; m < t->members; m++)
        la_gemm(false, false, (int64_t)(end - begin), 1, t->dim, 1.0f,
                store_row_read(t->stores[m], (int64_t)begin), t->dim, job->v + m * t->dim,
                1, m ? 1.0f : 0.0f, job->out + begin, 1);
    for (size_t i = begin; i < end; i++)
        job->out[i] *= trak_weight(t, i);
    return ASSAY_OK;
}

assay_status trak_project(const att_trak *t, const float *v, float *out) {
    project_job job = {t, v, out};
    return assay_parallel_for(t->ctx, t->train_rows, TRAK_ROWS, project, &job);
}

assay_status att_trak_scores(att_trak *t, uint64_t target_row, float *out) {
    assay_status status = ASSAY_OK;
    float *v = NULL;
    ASSAY_TRY(trak_check_targets(t, &target_row, 1));
    ASSAY_TRY(mem_new(t->ctx, &v, (size_t)(t->members * t->dim), sizeof *v));
    for (int m = 0; m < t->members; m++)
        ASSAY_TRY(trak_transform(t, m, &target_row, 1, v + m * t->dim));
    ASSAY_TRY(trak_project(t, v, out));
done:
    mem_free(t->ctx, v);
    return status;
}

assay_status att_trak_mean(
    att_trak *t, const uint64_t *targets, const float *weight, size_t n, float *out) {
    assay_status status = ASSAY_OK;
    size_t k = (size_t)t->dim;
    double *sum = NULL;
    float *v = NULL;
    ASSAY_TRY(trak_check_targets(t, targets, n));
    ASSAY_TRY(mem_new(t->ctx, &sum, k, sizeof *sum));
    ASSAY_TRY(mem_new(t->ctx, &v, (size_t)t->members * k, sizeof *v));
    for (int m = 0; m < t->members; m++) {
        memset(sum, 0, k * sizeof *sum);
        for (size_t i = 0; i < n; i++) {
            const float *phi = store_row_read(t->stores[m], (int64_t)targets[i]);
            for (size_t j = 0; j < k; j++)
                sum[j] += (double)weight[i] * (double)phi[j];
        }
        ASSAY_TRY(la_cholesky_solve(t->dim, t->factor[m], 1, sum));
        for (size_t j = 0; j < k; j++)
            v[(size_t)m * k + j] = (float)sum[j];
    }
    ASSAY_TRY(trak_project(t, v, out));
done:
    mem_free(t->ctx, sum);
    mem_free(t->ctx, v);
    return status;
}

/* ---- self-influence ---- */

typedef struct self_job {
    const att_trak *t;
    const float *inverse; /* of the member at hand, [dim,dim] */
    float **tile;         /* [workers][TRAK_TILE, dim] */
    const float *feature; /* the member's rows */
    double *sum;          /* [train_rows] */
} self_job;

static assay_status self_rows(void *arg, int worker, size_t begin, size_t end) {
    const self_job *job = arg;
    const att_trak *t = job->t;
    size_t k = (size_t)t->dim;
    float *y = job->tile[worker];
    for (size_t first = begin; first < end; first += TRAK_TILE) {
        size_t n = end - first < TRAK_TILE ? end - first : TRAK_TILE;
        const float *phi = job->feature + first * k;
        la_gemm(false, false, (int64_t)n, t->dim, t->dim, 1.0f, phi, t->dim, job->inverse,
                t->dim, 0.0f, y, t->dim);
        for (size_t i = 0; i < n; i++)
            job->sum[first + i] += simd()->f32_dot64(y + i * k, phi + i * k, k);
    }
    return ASSAY_OK;
}

assay_status att_trak_self(att_trak *t, float *out) {
    assay_status status = ASSAY_OK;
    size_t k = (size_t)t->dim, workers = (size_t)assay_ctx_threads(t->ctx);
    double *inverse = NULL;
    float *rounded = NULL;
    self_job job = {.t = t};
    ASSAY_TRY(mem_new(t->ctx, &inverse, k * k, sizeof *inverse));
    ASSAY_TRY(mem_new(t->ctx, &rounded, k * k, sizeof *rounded));
    ASSAY_TRY(mem_new(t->ctx, &job.sum, t->train_rows, sizeof *job.sum));
    ASSAY_TRY(mem_new(t->ctx, &job.tile, workers, sizeof *job.tile));
    for (size_t w = 0; w < workers; w++)
        ASSAY_TRY(mem_new(t->ctx, &job.tile[w], TRAK_TILE * k, sizeof(float)));
    job.inverse = rounded;
    for (int m = 0; m < t->members; m++) {
        memcpy(inverse, t->factor[m], k * k * sizeof *inverse);
        ASSAY_TRY(la_cholesky_inverse(t->dim, inverse));
        for (size_t i = 0; i < k * k; i++)
            rounded[i] = (float)inverse[i];
        job.feature = store_row_read(t->stores[m], 0);
        ASSAY_TRY(assay_parallel_for(t->ctx, t->train_rows, TRAK_ROWS, self_rows, &job));
    }
    for (uint64_t i = 0; i < t->train_rows; i++)
        out[i] = (float)(job.sum[i] * (double)trak_weight(t, i));
done:
    for (size_t w = 0; job.tile && w < workers; w++)
        mem_free(t->ctx, job.tile[w]);
    mem_free(t->ctx, job.tile);
    mem_free(t->ctx, job.sum);
    mem_free(t->ctx, rounded);
    mem_free(t->ctx, inverse);
    return status;
}

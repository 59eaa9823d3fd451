/* Cuts a product into strips of rows or of columns, whichever are more. */
#include "attribute/algebra/matmul.h"

#include "base/pool.h"

enum { STRIP = 256 };

typedef struct strips {
    assay_ctx *ctx;
    const gemm_job *job;
    bool columns;
} strips;

static assay_status run_strip(void *arg, int worker, size_t begin, size_t end) {
    const strips *s = arg;
    assay_status status = ASSAY_OK;
    gemm_job part = *s->job;
    float *scratch = NULL;
    (void)worker;
    if (s->columns) {
        part.n = end - begin;
        part.b += begin * part.b_col;
        part.c += begin;
    } else {
        part.m = end - begin;
        part.a += begin * part.a_row;
        part.c += begin * part.ldc;
    }
    ASSAY_TRY(
        mem_new(s->ctx, &scratch, gemm_scratch(part.m, part.n, part.k), sizeof *scratch));
    gemm_run(&part, scratch);
done:
    mem_free(s->ctx, scratch);
    return status;
}

assay_status mat_run(assay_ctx *ctx, const gemm_job *job) {
    strips s = {ctx, job, job->n > job->m};
    if (job->m == 0 || job->n == 0)
        return ASSAY_OK;
    return assay_parallel_for(ctx, s.columns ? job->n : job->m, STRIP, run_strip, &s);
}

assay_status mat_mul(assay_ctx *ctx,
                     float *c,
                     const float *a,
                     const float *b,
                     size_t m,
                     size_t n,
                     size_t k) {
    const gemm_job job = gemm_times(c, a, b, m, n, k);
    return mat_run(ctx, &job);
}

assay_status mat_mul_nt(assay_ctx *ctx,
                        float *c,
                        const float *a,
                        const float *b,
                        size_t m,
                        size_t n,
                        size_t k) {
    const gemm_job job = gemm_times_turned(c, a, b, m, n, k);
    return mat_run(ctx, &job);
}

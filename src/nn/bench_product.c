/* Matrix products in f32 of linear layers, three passes each: our kernels beside
 * oneDNN's. */
#include "nn/bench.h"
#include "nn/gemm.h"
#include "nn/onednn.h"

#include "base/rng.h"

#include <math.h>
#include <stdio.h>

/* y[m,n] = x[m,k] W[n,k]' */
static const struct shape {
    const char *name;
    size_t m, n, k;
} shapes[] = {
    {"mlp 32x256x784", 32, 256, 784},          {"mlp 32x10x256", 32, 10, 256},
    {"gpt qkv 2048x384x128", 2048, 384, 128},  {"gpt fc 2048x512x128", 2048, 512, 128},
    {"gpt proj 2048x128x512", 2048, 128, 512}, {"gpt head 2048x65x128", 2048, 65, 128},
};

typedef struct product {
    gemm_job job; /* ours */
    float *scratch;
    bool ta, tb; /* the same for the library */
    int64_t lda, ldb;
    assay_status status;
} product;

static void run_own(void *arg) {
    const product *p = arg;
    gemm_run(&p->job, p->scratch);
}

static void run_other(void *arg) {
    product *p = arg;
    const gemm_job *j = &p->job;
    p->status = dn_gemm(p->ta, p->tb, (int64_t)j->m, (int64_t)j->n, (int64_t)j->k, 1,
                        j->a, p->lda, j->b, p->ldb, 0, j->c, (int64_t)j->ldc);
}

/* Of the first rows of c, beside sums in f64. */
static double error_of(const gemm_job *j) {
    enum { ROWS = 8 };
    double apart = 0, all = 0;
    for (size_t i = 0; i < ROWS && i < j->m; i++)
        for (size_t q = 0; q < j->n; q++) {
            double sum = 0;
            for (size_t p = 0; p < j->k; p++)
                sum += (double)j->a[i * j->a_row + p * j->a_col] *
                       (double)j->b[p * j->b_row + q * j->b_col];
            double d = (double)j->c[i * j->ldc + q] - sum;
            apart += d * d;
            all += sum * sum;
        }
    return sqrt(apart / all);
}

static assay_status
add_pass(nn_bench *b, const struct shape *s, const char *pass, product *p) {
    assay_status status = ASSAY_OK;
    nn_bench_row row = {.op = "linear", .pass = pass, .other = "oneDNN"};
    (void)snprintf(row.shape, sizeof row.shape, "%s", s->name);
    row.gflop = 2e-9 * (double)s->m * (double)s->n * (double)s->k;
    row.other_ms = nn_bench_time(run_other, p);
    ASSAY_TRY(p->status);
    row.own_ms = nn_bench_time(run_own, p);
    row.error = error_of(&p->job);
    (void)snprintf(row.note, sizeof row.note, "f32");
    ASSAY_TRY(nn_bench_add(b, &row));
done:
    return status;
}

static assay_status add_shape(nn_bench *b, const struct shape *s) {
    assay_status status = ASSAY_OK;
    assay_ctx *ctx = nn_bench_ctx(b);
    const size_t m = s->m, n = s->n, k = s->k;
    float *x = NULL, *w = NULL, *d = NULL, *to = NULL, *scratch = NULL;
    const size_t most = (m > n ? m : n) * (n > k ? n : k);
    const size_t rooms[] = {gemm_scratch(m, n, k), gemm_scratch(m, k, n),
                            gemm_scratch(n, k, m)};
    size_t room = rooms[0];
    for (size_t i = 1; i < 3; i++)
        room = rooms[i] > room ? rooms[i] : room;
    ASSAY_TRY(mem_new(ctx, &x, m * k, sizeof *x));
    ASSAY_TRY(mem_new(ctx, &w, n * k, sizeof *w));
    ASSAY_TRY(mem_new(ctx, &d, m * n, sizeof *d));
    ASSAY_TRY(mem_new(ctx, &to, most, sizeof *to));
    ASSAY_TRY(mem_new(ctx, &scratch, room, sizeof *scratch));
    rng r = rng_at(1, RNG_BENCH, 0, m * n * k);
    for (size_t i = 0; i < m * k; i++)
        x[i] = (float)rng_normal(&r);
    for (size_t i = 0; i < n * k; i++)
        w[i] = (float)rng_normal(&r);
    for (size_t i = 0; i < m * n; i++)
        d[i] = (float)rng_normal(&r);
    product forward = {gemm_times_turned(to, x, w, m, n, k),
                       scratch,
                       false,
                       true,
                       (int64_t)k,
                       (int64_t)k,
                       ASSAY_OK};
    product data = {gemm_times(to, d, w, m, k, n),
                    scratch,
                    false,
                    false,
                    (int64_t)n,
                    (int64_t)k,
                    ASSAY_OK};
    product weights = {gemm_turned_times(to, d, x, n, k, m),
                       scratch,
                       true,
                       false,
                       (int64_t)n,
                       (int64_t)k,
                       ASSAY_OK};
    ASSAY_TRY(add_pass(b, s, "forward", &forward));
    ASSAY_TRY(add_pass(b, s, "backward-data", &data));
    ASSAY_TRY(add_pass(b, s, "backward-weights", &weights));
done:
    mem_free(ctx, x);
    mem_free(ctx, w);
    mem_free(ctx, d);
    mem_free(ctx, to);
    mem_free(ctx, scratch);
    return status;
}

assay_status nn_bench_product(nn_bench *b) {
    assay_status status = ASSAY_OK;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (nn_bench_wants(b, "linear", shapes[i].name))
            ASSAY_TRY(add_shape(b, &shapes[i]));
done:
    return status;
}

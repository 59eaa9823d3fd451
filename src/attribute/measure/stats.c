/* Ranks, Spearman's correlation column by column, bootstrap intervals, reliability. */
#include "attribute/measure/stats.h"

#include "base/pool.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SEEDS = 6 }; /* halved in all ways */

/* ---- one column ---- */

/* Sorts places by value: a merge sort, since qsort takes no cookie. */
static void
sort_places(uint32_t *at, uint32_t *room, const float *x, size_t stride, size_t n) {
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t low = 0; low < n; low += 2 * width) {
            size_t mid = low + width < n ? low + width : n;
            size_t high = low + 2 * width < n ? low + 2 * width : n;
            size_t i = low, j = mid;
            for (size_t k = low; k < high; k++)
                room[k] =
                    i < mid && (j >= high || !(x[at[j] * stride] < x[at[i] * stride]))
                        ? at[i++]
                        : at[j++];
        }
        memcpy(at, room, n * sizeof *at);
    }
}

void stat_ranks(double *out, const float *x, size_t stride, size_t n, uint32_t *order) {
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    sort_places(order, order + n, x, stride, n);
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && !(x[order[i] * stride] < x[order[j] * stride]); j++)
            ;
        for (size_t k = i; k < j; k++)
            out[order[k]] = 0.5 * (double)(i + j - 1) - 0.5 * (double)(n - 1);
    }
}

static double correlation(const double *a, const double *b, size_t n) {
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        ab += a[i] * b[i];
        aa += a[i] * a[i];
        bb += b[i] * b[i];
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

/* Room for the ranks of two columns. */
typedef struct ranker {
    double *a, *b;
    float *column_a, *column_b;
    uint32_t *order;
} ranker;

static assay_status ranker_make(ranker *r, assay_ctx *ctx, size_t n) {
    assay_status status = ASSAY_OK;
    *r = (ranker){0};
    ASSAY_TRY(mem_new(ctx, &r->a, n + 1, sizeof *r->a));
    ASSAY_TRY(mem_new(ctx, &r->b, n + 1, sizeof *r->b));
    ASSAY_TRY(mem_new(ctx, &r->column_a, n + 1, sizeof *r->column_a));
    ASSAY_TRY(mem_new(ctx, &r->column_b, n + 1, sizeof *r->column_b));
    ASSAY_TRY(mem_new(ctx, &r->order, 2 * n + 1, sizeof *r->order));
done:
    return status;
}

static void ranker_free(ranker *r, assay_ctx *ctx) {
    mem_free(ctx, r->a);
    mem_free(ctx, r->b);
    mem_free(ctx, r->column_a);
    mem_free(ctx, r->column_b);
    mem_free(ctx, r->order);
}

static double
ranker_run(ranker *r, const float *a, const float *b, size_t stride, size_t n) {
    stat_ranks(r->a, a, stride, n, r->order);
    stat_ranks(r->b, b, stride, n, r->order);
    return correlation(r->a, r->b, n);
}

assay_status stat_spearman(double *out,
                           assay_ctx *ctx,
                           const float *a,
                           const float *b,
                           size_t stride,
                           size_t n) {
    ranker r;
    *out = 0;
    assay_status status = ranker_make(&r, ctx, n);
    if (status == ASSAY_OK)
        *out = ranker_run(&r, a, b, stride, n);
    ranker_free(&r, ctx);
    return status;
}

/* ---- tables ---- */

typedef struct columns_job {
    assay_ctx *ctx;
    const float *a, *b;
    const uint32_t *pick; /* rows that are looked at, or NULL: all */
    size_t rows, columns;
    double *out;
} columns_job;

static assay_status run_columns(void *arg, int worker, size_t begin, size_t end) {
    const columns_job *job = arg;
    ranker r;
    (void)worker;
    assay_status status = ranker_make(&r, job->ctx, job->rows);
    for (size_t c = begin; status == ASSAY_OK && c < end; c++) {
        for (size_t i = 0; i < job->rows; i++) {
            size_t row = job->pick ? job->pick[i] : i;
            r.column_a[i] = job->a[row * job->columns + c];
            r.column_b[i] = job->b[row * job->columns + c];
        }
        job->out[c] = ranker_run(&r, r.column_a, r.column_b, 1, job->rows);
    }
    ranker_free(&r, job->ctx);
    return status;
}

assay_status stat_spearman_columns(double *out,
                                   assay_ctx *ctx,
                                   const float *a,
                                   const float *b,
                                   size_t rows,
                                   size_t columns) {
    columns_job job = {ctx, a, b, NULL, rows, columns, out};
    return assay_parallel_for(ctx, columns, 16, run_columns, &job);
}

static double mean_of(const double *x, const uint32_t *pick, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[pick ? pick[i] : i];
    return n ? sum / (double)n : 0;
}

/* Half the width of a 95 % interval, as a normal distribution has it. */
static double half_width(const double *x, int n) {
    double mean = 0, square = 0;
    for (int i = 0; i < n; i++)
        mean += x[i] / n;
    for (int i = 0; i < n; i++)
        square += (x[i] - mean) * (x[i] - mean) / n;
    return 1.96 * sqrt(square);
}

typedef struct rounds_job {
    columns_job all; /* of which each round takes some rows */
    uint64_t seed;
    double *by_subsets, *by_targets, *by_both; /* [rounds] */
    const double *whole;                       /* [columns], all rows */
} rounds_job;

static void draw(uint32_t *pick, size_t n, uint64_t seed, uint32_t what, uint64_t round) {
    rng r = rng_at(seed, RNG_BOOTSTRAP, what, round);
    for (size_t i = 0; i < n; i++)
        pick[i] = (uint32_t)rng_below(&r, n);
}

static assay_status run_rounds(void *arg, int worker, size_t begin, size_t end) {
    const rounds_job *job = arg;
    assay_status status = ASSAY_OK;
    columns_job one = job->all;
    uint32_t *rows = NULL, *columns = NULL;
    ASSAY_TRY(mem_new(one.ctx, &rows, one.rows + 1, sizeof *rows));
    ASSAY_TRY(mem_new(one.ctx, &columns, one.columns + 1, sizeof *columns));
    ASSAY_TRY(mem_new(one.ctx, &one.out, one.columns + 1, sizeof *one.out));
    one.pick = rows;
    for (size_t round = begin; round < end; round++) {
        draw(rows, one.rows, job->seed, 0, round);
        draw(columns, one.columns, job->seed, 1, round);
        ASSAY_TRY(run_columns(&one, worker, 0, one.columns));
        job->by_subsets[round] = mean_of(one.out, NULL, one.columns);
        job->by_both[round] = mean_of(one.out, columns, one.columns);
        job->by_targets[round] = mean_of(job->whole, columns, one.columns);
    }
done:
    mem_free(one.ctx, rows);
    mem_free(one.ctx, columns);
    mem_free(one.ctx, one.out);
    return status;
}

assay_status stat_lds_measure(stat_lds *out,
                              assay_ctx *ctx,
                              const float *predicted,
                              const float *truth,
                              size_t subsets,
                              size_t targets,
                              int rounds,
                              uint64_t seed) {
    assay_status status = ASSAY_OK;
    double *whole = NULL, *drawn = NULL;
    size_t n = (size_t)rounds;
    *out = (stat_lds){0};
    ASSAY_TRY(mem_new(ctx, &whole, targets + 1, sizeof *whole));
    ASSAY_TRY(mem_new(ctx, &drawn, 3 * n + 1, sizeof *drawn));
    ASSAY_TRY(stat_spearman_columns(whole, ctx, predicted, truth, subsets, targets));
    out->mean = mean_of(whole, NULL, targets);
    if (rounds) {
        rounds_job job = {.all = {ctx, predicted, truth, NULL, subsets, targets, NULL},
                          .seed = seed,
                          .by_subsets = drawn,
                          .by_targets = drawn + n,
                          .by_both = drawn + 2 * n,
                          .whole = whole};
        ASSAY_TRY(assay_parallel_for(ctx, n, 1, run_rounds, &job));
        out->by_subsets = half_width(job.by_subsets, rounds);
        out->by_targets = half_width(job.by_targets, rounds);
        out->by_both = half_width(job.by_both, rounds);
    }
done:
    mem_free(ctx, whole);
    mem_free(ctx, drawn);
    return status;
}

/* ---- reliability ---- */

static int ones(unsigned x) {
    int n = 0;
    for (; x; x &= x - 1)
        n++;
    return n;
}

assay_status stat_reliability(double *out,
                              assay_ctx *ctx,
                              const float *values,
                              size_t seeds,
                              size_t subsets,
                              size_t targets) {
    assay_status status = ASSAY_OK;
    size_t each = subsets * targets, halves = 0;
    int half = (int)(seeds / 2);
    float *a = NULL, *b = NULL;
    double *r = NULL, sum = 0;
    *out = 0;
    if (seeds < 2)
        return ASSAY_OK;
    ASSAY_TRY(mem_new(ctx, &a, each, sizeof *a));
    ASSAY_TRY(mem_new(ctx, &b, each, sizeof *b));
    ASSAY_TRY(mem_new(ctx, &r, targets, sizeof *r));
    unsigned sets = seeds <= MOST_SEEDS ? 1u << seeds : 2;
    for (unsigned set = 1; set < sets; set++) {
        unsigned in = seeds <= MOST_SEEDS ? set : (1u << half) - 1;
        bool twice =
            2 * (size_t)half == seeds && !(in & 1); /* its other half comes too */
        if (ones(in) != half || twice)
            continue;
        int taken = 0;
        memset(a, 0, each * sizeof *a);
        memset(b, 0, each * sizeof *b);
        for (size_t s = 0; s < seeds; s++) {
            bool first = s < 32 && (in >> s & 1);
            if (!first && taken++ >= half)
                continue; /* an odd seed is left out */
            float *sum_of = first ? a : b;
            for (size_t i = 0; i < each; i++)
                sum_of[i] += values[s * each + i];
        }
        ASSAY_TRY(stat_spearman_columns(r, ctx, a, b, subsets, targets));
        sum += mean_of(r, NULL, targets);
        halves++;
    }
    double c = sum / (double)halves, k = (double)seeds / half;
    *out = c > 0 ? k * c / (1 + (k - 1) * c) : 0;
done:
    mem_free(ctx, a);
    mem_free(ctx, b);
    mem_free(ctx, r);
    return status;
}

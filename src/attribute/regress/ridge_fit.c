/* Ridge regression for all targets and a grid of penalties by one eigendecomposition. */
#include "attribute/regress/regress.h"

#include "attribute/algebra/linalg.h"
#include "attribute/algebra/matmul.h"

#include <math.h>
#include <string.h>

/* Over the masks' mean variance. */
static const double grid[] = {.01, .03, .1, .3, 1, 3, 10, 30, 100, 300, 1000};
enum { GRID = sizeof grid / sizeof *grid };

/* Directions of the rows' space in which the fitted models differ. */
typedef struct basis {
    assay_ctx *ctx;
    size_t count, rows, targets;
    float *vector;  /* [count, rows], orthonormal */
    double *value;  /* [count] variances of the masks along them */
    float *rotated; /* [targets, count] the covariances with outputs along them */
    float *part;    /* [targets, count] scratch */
} basis;

static assay_status primal(basis *b, const reg_moments *m) {
    assay_status status = ASSAY_OK;
    size_t n = b->rows;
    double *vector = NULL, *a = NULL;
    ASSAY_TRY(mem_new(b->ctx, &vector, n * n, sizeof *vector));
    ASSAY_TRY(mem_new(b->ctx, &a, n * n, sizeof *a));
    memcpy(a, m->gram, n * n * sizeof *a);
    ASSAY_TRY(la_eigen(b->ctx, (int64_t)n, a, (int64_t)n, b->value, vector));
    for (size_t i = 0; i < n * n; i++)
        b->vector[i] = (float)vector[i];
done:
    mem_free(b->ctx, vector);
    mem_free(b->ctx, a);
    return status;
}

/* Of the kernel X X' / models = U D U': the vectors are X' u / sqrt(models d). */
static assay_status dual(basis *b, const reg_data *d, const reg_moments *m) {
    assay_status status = ASSAY_OK;
    size_t k = d->models, n = d->rows;
    float *x = NULL, *kernel = NULL, *u = NULL;
    double *a = NULL, *vector = NULL;
    ASSAY_TRY(mem_new(b->ctx, &x, k * n, sizeof *x));
    ASSAY_TRY(mem_new(b->ctx, &kernel, k * k, sizeof *kernel));
    ASSAY_TRY(mem_new(b->ctx, &u, k * k, sizeof *u));
    ASSAY_TRY(mem_new(b->ctx, &a, k * k, sizeof *a));
    ASSAY_TRY(mem_new(b->ctx, &vector, k * k, sizeof *vector));
    for (size_t j = 0; j < k; j++)
        for (size_t i = 0; i < n; i++)
            x[j * n + i] = (float)(d->holds[j * n + i] - m->mean[i]);
    ASSAY_TRY(mat_mul_nt(b->ctx, kernel, x, x, k, k, n));
    for (size_t i = 0; i < k * k; i++)
        a[i] = (double)kernel[i] / (double)k;
    ASSAY_TRY(la_eigen(b->ctx, (int64_t)k, a, (int64_t)k, b->value, vector));
    for (size_t c = 0; c < k; c++) { /* centring takes one direction away */
        double scale =
            b->value[c] > 1e-9 * b->value[0] ? 1 / sqrt((double)k * b->value[c]) : 0;
        for (size_t j = 0; j < k; j++)
            u[c * k + j] = (float)(scale * vector[c * k + j]);
    }
    ASSAY_TRY(mat_mul(b->ctx, b->vector, u, x, k, n, k));
done:
    mem_free(b->ctx, x);
    mem_free(b->ctx, kernel);
    mem_free(b->ctx, u);
    mem_free(b->ctx, a);
    mem_free(b->ctx, vector);
    return status;
}

static void basis_free(basis *b) {
    mem_free(b->ctx, b->vector);
    mem_free(b->ctx, b->value);
    mem_free(b->ctx, b->rotated);
    mem_free(b->ctx, b->part);
}

static assay_status basis_make(basis *b, const reg_data *d, const reg_moments *m) {
    assay_status status = ASSAY_OK;
    b->count = m->gram ? d->rows : d->models;
    b->rows = d->rows;
    b->targets = d->targets;
    ASSAY_TRY(la_self_check());
    ASSAY_TRY(mem_new(b->ctx, &b->vector, b->count * b->rows, sizeof *b->vector));
    ASSAY_TRY(mem_new(b->ctx, &b->value, b->count, sizeof *b->value));
    ASSAY_TRY(mem_new(b->ctx, &b->rotated, b->targets * b->count, sizeof *b->rotated));
    ASSAY_TRY(mem_new(b->ctx, &b->part, b->targets * b->count, sizeof *b->part));
    ASSAY_TRY(m->gram ? primal(b, m) : dual(b, d, m));
    ASSAY_TRY(mat_mul_nt(b->ctx, b->rotated, m->cross, b->vector, b->targets, b->count,
                         b->rows));
done:
    return status;
}

/* w [targets, rows] for one penalty. */
static assay_status solve(float *w, basis *b, double penalty) {
    for (size_t t = 0; t < b->targets; t++)
        for (size_t c = 0; c < b->count; c++) {
            double along = b->value[c] > 0 ? b->value[c] : 0, below = along + penalty;
            b->part[t * b->count + c] =
                below > 0 ? (float)((double)b->rotated[t * b->count + c] / below) : 0;
        }
    return mat_mul(b->ctx, w, b->part, b->vector, b->targets, b->rows, b->count);
}

/* Mean variance of a row's place in the masks, for rows that come and go. */
static double variance(const reg_moments *m, size_t rows) {
    double sum = 0;
    for (size_t i = 0; i < rows; i++)
        sum += m->mean[i] * (1 - m->mean[i]) / (double)rows;
    return sum;
}

/* The penalty, over `variance`, whose weights foretell the judging models best. */
static assay_status
choose(double *out, float *w, assay_ctx *ctx, const reg_data *d, size_t fit) {
    assay_status status = ASSAY_OK;
    const reg_data first = reg_part(d, 0, fit);
    const reg_data judge = reg_part(d, fit, d->models - fit);
    double least = INFINITY;
    reg_moments m = {0};
    basis b = {.ctx = ctx};
    ASSAY_TRY(reg_moments_make(&m, ctx, &first, fit >= d->rows));
    ASSAY_TRY(basis_make(&b, &first, &m));
    for (int g = 0; g < GRID; g++) {
        double error;
        ASSAY_TRY(solve(w, &b, grid[g] * variance(&m, d->rows)));
        ASSAY_TRY(reg_error(&error, ctx, &judge, &m, w));
        if (error < least) {
            least = error;
            *out = grid[g];
        }
    }
done:
    basis_free(&b);
    reg_moments_free(&m);
    return status;
}

assay_status reg_ridge(float *w,
                       reg_moments *m,
                       reg_result *result,
                       assay_ctx *ctx,
                       const reg_data *d,
                       size_t fit,
                       double penalty) {
    assay_status status = ASSAY_OK;
    basis b = {.ctx = ctx};
    *m = (reg_moments){0};
    *result = (reg_result){.penalty = penalty, .nonzero = (double)d->rows};
    if (penalty < 0)
        ASSAY_TRY(choose(&result->penalty, w, ctx, d, fit));
    ASSAY_TRY(reg_moments_make(m, ctx, d, d->models >= d->rows));
    ASSAY_TRY(basis_make(&b, d, m));
    ASSAY_TRY(solve(w, &b, result->penalty * variance(m, d->rows)));
done:
    basis_free(&b);
    if (status != ASSAY_OK)
        reg_moments_free(m);
    return status;
}

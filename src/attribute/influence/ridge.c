/* Ridge regression on features, in the smaller of rows and dimensions. */
#include "attribute/influence/ridge.h"

#include "attribute/algebra/linalg.h"
#include "attribute/algebra/matmul.h"
#include "attribute/influence/kernel.h"

#include <math.h>

static assay_status
dual(float *scores, const att_features *x, size_t n, size_t targets, double ridge) {
    assay_status status = ASSAY_OK;
    size_t dim = (size_t)x->dim;
    float *k = NULL;
    ASSAY_TRY(mem_new(x->ctx, &k, n * (n + targets), sizeof *k));
    ASSAY_TRY(mat_mul_nt(x->ctx, k, x->phi, x->phi, n, n + targets, dim));
    ASSAY_TRY(att_dual_add(scores, x->ctx, k, n, targets, ridge, dim));
done:
    mem_free(x->ctx, k);
    return status;
}

/* Phi'Phi in f64. */
static assay_status gram_make(double **out, const att_features *x, size_t n) {
    assay_status status = ASSAY_OK;
    size_t dim = (size_t)x->dim;
    float *scratch = NULL;
    ASSAY_TRY(la_self_check());
    ASSAY_TRY(mem_new(x->ctx, out, dim * dim, sizeof **out));
    ASSAY_TRY(mem_new(x->ctx, &scratch, dim * dim, sizeof *scratch));
    la_gram((int64_t)n, x->dim, x->phi, x->dim, scratch, *out);
done:
    mem_free(x->ctx, scratch);
    return status;
}

/* psi [targets, dim] = inside^-1 of the targets' features, from the Cholesky factor,
 * times `scale`; scores += Phi psi'. */
static assay_status solve_add(float *scores,
                              const att_features *x,
                              const double *factor,
                              size_t n,
                              size_t targets,
                              double scale) {
    assay_status status = ASSAY_OK;
    size_t dim = (size_t)x->dim;
    double *right = NULL;
    float *psi = NULL, *part = NULL;
    ASSAY_TRY(mem_new(x->ctx, &right, targets * dim, sizeof *right));
    ASSAY_TRY(mem_new(x->ctx, &psi, targets * dim, sizeof *psi));
    ASSAY_TRY(mem_new(x->ctx, &part, n * targets, sizeof *part));
    for (size_t i = 0; i < targets * dim; i++)
        right[i] = (double)x->phi[n * dim + i];
    ASSAY_TRY(la_cholesky_solve(x->dim, factor, (int64_t)targets, right));
    for (size_t i = 0; i < targets * dim; i++)
        psi[i] = (float)(scale * right[i]);
    ASSAY_TRY(mat_mul_nt(x->ctx, part, x->phi, psi, n, targets, dim));
    for (size_t i = 0; i < n * targets; i++)
        scores[i] += part[i];
done:
    mem_free(x->ctx, right);
    mem_free(x->ctx, psi);
    mem_free(x->ctx, part);
    return status;
}

static assay_status factorise(double *gram, int64_t dim) {
    assay_status status = la_cholesky(dim, gram);
    if (status == ASSAY_E_NUMERIC)
        err_help("give a ridge above 0");
    return status;
}

/* The factor of Phi'Phi + lambda I. */
static assay_status
primal_factor(double **out, const att_features *x, size_t n, double ridge) {
    assay_status status = ASSAY_OK;
    size_t dim = (size_t)x->dim;
    double trace = 0;
    ASSAY_TRY(gram_make(out, x, n));
    for (size_t i = 0; i < dim; i++)
        trace += (*out)[i * dim + i];
    for (size_t i = 0; i < dim; i++) /* no gradient at all: scores are nought */
        (*out)[i * dim + i] += trace > 0 ? ridge * trace / (double)dim : 1;
    ASSAY_TRY(factorise(*out, x->dim));
done:
    return status;
}

static assay_status
primal(float *scores, const att_features *x, size_t n, size_t targets, double ridge) {
    assay_status status = ASSAY_OK;
    double *factor = NULL;
    ASSAY_TRY(primal_factor(&factor, x, n, ridge));
    ASSAY_TRY(solve_add(scores, x, factor, n, targets, 1));
done:
    mem_free(x->ctx, factor);
    return status;
}

assay_status att_ridge_add(
    float *scores, const att_features *x, size_t n, size_t targets, double ridge) {
    return (size_t)x->dim > n ? dual(scores, x, n, targets, ridge)
                              : primal(scores, x, n, targets, ridge);
}

/* The factor of Phi'Phi + ridge I, and what its inverse is multiplied by. */
static assay_status traker_factor(
    double **out, double *times, const att_features *x, size_t n, double ridge) {
    assay_status status = ASSAY_OK;
    size_t dim = (size_t)x->dim, cells = dim * dim;
    double *inverse = NULL, size = 0;
    /* ours are P'g / sqrt(dim): theirs, squared, are dim / parameters of it */
    double scale = (double)x->dim / (double)x->floats;
    ASSAY_TRY(gram_make(out, x, n));
    for (size_t i = 0; i < dim; i++)
        (*out)[i * dim + i] += ridge / scale;
    ASSAY_TRY(factorise(*out, x->dim));
    ASSAY_TRY(mem_new(x->ctx, &inverse, cells, sizeof *inverse));
    for (size_t i = 0; i < cells; i++)
        inverse[i] = (*out)[i];
    ASSAY_TRY(la_cholesky_inverse(x->dim, inverse));
    for (size_t i = 0; i < cells; i++)
        size += fabs(inverse[i]) / (double)cells;
    if (!isfinite(size) || size == 0)
        ASSAY_FAIL(ASSAY_E_NUMERIC, "the kernel of gradients has no inverse");
    *times = scale / size;
done:
    mem_free(x->ctx, inverse);
    return status;
}

assay_status att_ridge_add_traker(
    float *scores, const att_features *x, size_t n, size_t targets, double ridge) {
    assay_status status = ASSAY_OK;
    double *factor = NULL, times;
    ASSAY_TRY(traker_factor(&factor, &times, x, n, ridge));
    ASSAY_TRY(solve_add(scores, x, factor, n, targets, times));
done:
    mem_free(x->ctx, factor);
    return status;
}

/* ---- of rows for themselves ---- */

enum { SELF_ROWS = 256 };

/* out[i] += scale phi_i' inside^-1 phi_i, so many rows at a time. */
static assay_status self_add(
    float *out, const att_features *x, const double *factor, size_t n, double scale) {
    assay_status status = ASSAY_OK;
    size_t dim = (size_t)x->dim;
    double *right = NULL;
    ASSAY_TRY(mem_new(x->ctx, &right, SELF_ROWS * dim, sizeof *right));
    for (size_t i = 0, count; i < n; i += count) {
        const float *phi = x->phi + i * dim;
        count = n - i < SELF_ROWS ? n - i : SELF_ROWS;
        ASSAY_TRY(ctx_check(x->ctx));
        for (size_t k = 0; k < count * dim; k++)
            right[k] = (double)phi[k];
        ASSAY_TRY(la_cholesky_solve(x->dim, factor, (int64_t)count, right));
        for (size_t r = 0; r < count; r++) {
            double sum = 0;
            for (size_t k = 0; k < dim; k++)
                sum += (double)phi[r * dim + k] * right[r * dim + k];
            out[i + r] += (float)(scale * sum);
        }
    }
done:
    mem_free(x->ctx, right);
    return status;
}

static assay_status dual_self(float *out, const att_features *x, size_t n, double ridge) {
    assay_status status = ASSAY_OK;
    float *k = NULL;
    ASSAY_TRY(mem_new(x->ctx, &k, n * n, sizeof *k));
    ASSAY_TRY(mat_mul_nt(x->ctx, k, x->phi, x->phi, n, n, (size_t)x->dim));
    ASSAY_TRY(att_dual_self(out, x->ctx, k, n, ridge, (size_t)x->dim));
done:
    mem_free(x->ctx, k);
    return status;
}

assay_status att_ridge_self(float *out, const att_features *x, size_t n, double ridge) {
    assay_status status = ASSAY_OK;
    double *factor = NULL;
    if ((size_t)x->dim > n)
        return dual_self(out, x, n, ridge);
    ASSAY_TRY(primal_factor(&factor, x, n, ridge));
    ASSAY_TRY(self_add(out, x, factor, n, 1));
done:
    mem_free(x->ctx, factor);
    return status;
}

assay_status
att_ridge_self_traker(float *out, const att_features *x, size_t n, double ridge) {
    assay_status status = ASSAY_OK;
    double *factor = NULL, times;
    ASSAY_TRY(traker_factor(&factor, &times, x, n, ridge));
    ASSAY_TRY(self_add(out, x, factor, n, times));
done:
    mem_free(x->ctx, factor);
    return status;
}

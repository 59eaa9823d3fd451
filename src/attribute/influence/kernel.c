/* Products of factors into kernels, and the dual solution of a ridge regression. */
#include "attribute/influence/kernel.h"

#include "attribute/algebra/linalg.h"
#include "attribute/algebra/matmul.h"
#include "simd/simd.h"

#include <math.h>

assay_status
att_kernel(float *out, const att_layers *x, size_t rows, size_t first, size_t columns) {
    assay_status status = ASSAY_OK;
    size_t cells = rows * columns;
    float *a = NULL, *d = NULL;
    ASSAY_TRY(mem_new(x->ctx, &a, cells, sizeof *a));
    ASSAY_TRY(mem_new(x->ctx, &d, cells, sizeof *d));
    for (size_t i = 0; i < cells; i++)
        out[i] = 0;
    for (int l = 0; l < x->count; l++) {
        const att_layer *w = &x->layer[l];
        ASSAY_TRY(
            mat_mul_nt(x->ctx, a, w->a, w->a + first * w->in, rows, columns, w->in));
        ASSAY_TRY(
            mat_mul_nt(x->ctx, d, w->d, w->d + first * w->out, rows, columns, w->out));
        for (size_t i = 0; i < cells; i++)
            out[i] += a[i] * d[i];
    }
done:
    mem_free(x->ctx, a);
    mem_free(x->ctx, d);
    return status;
}

void att_kernel_diagonal(float *out, const att_layers *x) {
    for (size_t i = 0; i < x->rows; i++) {
        double sum = 0;
        for (int l = 0; l < x->count; l++) {
            const att_layer *w = &x->layer[l];
            const float *a = w->a + i * w->in, *d = w->d + i * w->out;
            sum += simd()->f32_dot64(a, a, w->in) * simd()->f32_dot64(d, d, w->out);
        }
        out[i] = (float)sum;
    }
}

assay_status att_dual_add(float *scores,
                          assay_ctx *ctx,
                          const float *k,
                          size_t n,
                          size_t targets,
                          double ridge,
                          size_t dim) {
    assay_status status = ASSAY_OK;
    size_t row = n + targets;
    double *inside = NULL, *right = NULL, trace = 0;
    ASSAY_TRY(la_self_check());
    ASSAY_TRY(mem_new(ctx, &inside, n * n, sizeof *inside));
    ASSAY_TRY(mem_new(ctx, &right, n * targets, sizeof *right));
    for (size_t i = 0; i < n; i++) {
        trace += (double)k[i * row + i];
        for (size_t j = 0; j < n; j++)
            inside[i * n + j] = (double)k[i * row + j];
        for (size_t t = 0; t < targets; t++)
            right[t * n + i] = (double)k[i * row + n + t];
    }
    if (!isfinite(trace))
        ASSAY_FAIL(ASSAY_E_NUMERIC, "the kernel of gradients is not finite");
    for (size_t i = 0; i < n; i++) /* no gradient at all: scores are nought */
        inside[i * n + i] += trace > 0 ? ridge * trace / (double)dim : 1;
    status = la_cholesky((int64_t)n, inside);
    if (status == ASSAY_E_NUMERIC)
        err_help("rows repeat each other: give a ridge above 0");
    ASSAY_TRY(status);
    ASSAY_TRY(la_cholesky_solve((int64_t)n, inside, (int64_t)targets, right));
    for (size_t i = 0; i < n; i++)
        for (size_t t = 0; t < targets; t++)
            scores[i * targets + t] += (float)right[t * n + i];
done:
    mem_free(ctx, inside);
    mem_free(ctx, right);
    return status;
}

/* Products of factors, and of whole gradients, into kernels, and the dual solution of a
 * ridge regression. */
#include "attribute/influence/kernel.h"

#include "attribute/algebra/linalg.h"
#include "attribute/algebra/matmul.h"
#include "simd/simd.h"

#include <math.h>

/* ---- of wide gradients, by blocks of them that are held at once ---- */

/* Many rows against few columns: each block of rows has the columns' gradients made anew.
 */
enum { ROW_BYTES = 3 << 28, COLUMN_BYTES = 1 << 26 };

static size_t block_end(size_t block, size_t from, size_t end) {
    return end - from < block ? end : from + block;
}

/* out [rows, columns] += products of rows [i, i_end) with rows first + [j, j_end). */
static assay_status block_add(float *out,
                              const att_layers *x,
                              const float *left,
                              const float *right,
                              const size_t i[2],
                              const size_t j[2],
                              size_t columns) {
    assay_status status = ASSAY_OK;
    size_t m = i[1] - i[0], n = j[1] - j[0];
    float *part = NULL;
    ASSAY_TRY(mem_new(x->ctx, &part, m * n, sizeof *part));
    ASSAY_TRY(mat_mul_nt(x->ctx, part, left, right, m, n, x->wide_floats));
    for (size_t r = 0; r < m; r++)
        for (size_t c = 0; c < n; c++)
            out[(i[0] + r) * columns + j[0] + c] += part[r * n + c];
done:
    mem_free(x->ctx, part);
    return status;
}

static assay_status
wide_kernel(float *out, const att_layers *x, size_t rows, size_t first, size_t columns) {
    assay_status status = ASSAY_OK;
    size_t floats = x->wide_floats;
    float *left = NULL, *right = NULL;
    if (!x->wides)
        return ASSAY_OK;
    size_t tall = att_wide_block(x, ROW_BYTES), narrow = att_wide_block(x, COLUMN_BYTES);
    ASSAY_TRY(mem_new(x->ctx, &left, tall * floats, sizeof *left));
    ASSAY_TRY(mem_new(x->ctx, &right, narrow * floats, sizeof *right));
    for (size_t i[2] = {0}; i[0] < rows; i[0] = i[1]) {
        i[1] = block_end(tall, i[0], rows);
        ASSAY_TRY(att_wide_fill(left, x, i[0], i[1] - i[0]));
        for (size_t j[2] = {0}; j[0] < columns; j[0] = j[1]) {
            j[1] = block_end(narrow, j[0], columns);
            bool held = first + j[0] >= i[0] && first + j[1] <= i[1];
            const float *of = held ? left + (first + j[0] - i[0]) * floats : right;
            ASSAY_TRY(ctx_check(x->ctx));
            if (!held)
                ASSAY_TRY(att_wide_fill(right, x, first + j[0], j[1] - j[0]));
            ASSAY_TRY(block_add(out, x, left, of, i, j, columns));
        }
    }
done:
    mem_free(x->ctx, left);
    mem_free(x->ctx, right);
    return status;
}

static assay_status wide_diagonal(double *sum, const att_layers *x) {
    assay_status status = ASSAY_OK;
    size_t floats = x->wide_floats;
    float *g = NULL;
    if (!x->wides)
        return ASSAY_OK;
    size_t block = att_wide_block(x, COLUMN_BYTES);
    ASSAY_TRY(mem_new(x->ctx, &g, block * floats, sizeof *g));
    for (size_t i = 0, end; i < x->rows; i = end) {
        end = block_end(block, i, x->rows);
        ASSAY_TRY(att_wide_fill(g, x, i, end - i));
        for (size_t r = i; r < end; r++) {
            const float *at = g + (r - i) * floats;
            sum[r] += simd()->f32_dot64(at, at, floats);
        }
    }
done:
    mem_free(x->ctx, g);
    return status;
}

/* ---- all of it ---- */

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
    ASSAY_TRY(wide_kernel(out, x, rows, first, columns));
done:
    mem_free(x->ctx, a);
    mem_free(x->ctx, d);
    return status;
}

assay_status att_kernel_diagonal(float *out, const att_layers *x) {
    assay_status status = ASSAY_OK;
    double *sum = NULL;
    ASSAY_TRY(mem_new(x->ctx, &sum, x->rows, sizeof *sum));
    for (size_t i = 0; i < x->rows; i++)
        for (int l = 0; l < x->count; l++) {
            const att_layer *w = &x->layer[l];
            const float *a = w->a + i * w->in, *d = w->d + i * w->out;
            sum[i] += simd()->f32_dot64(a, a, w->in) * simd()->f32_dot64(d, d, w->out);
        }
    ASSAY_TRY(wide_diagonal(sum, x));
    for (size_t i = 0; i < x->rows; i++)
        out[i] = (float)sum[i];
done:
    mem_free(x->ctx, sum);
    return status;
}

/* The factor of K + lambda I, for k [n, row]; lambda is told. */
static assay_status dual_factor(double **out,
                                double *lambda,
                                assay_ctx *ctx,
                                const float *k,
                                size_t n,
                                size_t row,
                                double over) {
    assay_status status = ASSAY_OK;
    double *inside, trace = 0;
    ASSAY_TRY(la_self_check());
    ASSAY_TRY(mem_new(ctx, out, n * n, sizeof **out));
    inside = *out;
    for (size_t i = 0; i < n; i++) {
        trace += (double)k[i * row + i];
        for (size_t j = 0; j < n; j++)
            inside[i * n + j] = (double)k[i * row + j];
    }
    if (!isfinite(trace))
        ASSAY_FAIL(ASSAY_E_NUMERIC, "the kernel of gradients is not finite");
    *lambda = trace > 0 ? over * trace : 1; /* no gradient at all: scores are nought */
    for (size_t i = 0; i < n; i++)
        inside[i * n + i] += *lambda;
    status = la_cholesky((int64_t)n, inside);
    if (status == ASSAY_E_NUMERIC)
        err_help("rows repeat each other: give a ridge above 0");
done:
    return status;
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
    double *factor = NULL, *right = NULL, lambda;
    ASSAY_TRY(mem_new(ctx, &right, n * targets, sizeof *right));
    ASSAY_TRY(dual_factor(&factor, &lambda, ctx, k, n, row, ridge / (double)dim));
    for (size_t i = 0; i < n; i++)
        for (size_t t = 0; t < targets; t++)
            right[t * n + i] = (double)k[i * row + n + t];
    ASSAY_TRY(la_cholesky_solve((int64_t)n, factor, (int64_t)targets, right));
    for (size_t i = 0; i < n; i++)
        for (size_t t = 0; t < targets; t++)
            scores[i * targets + t] += (float)right[t * n + i];
done:
    mem_free(ctx, factor);
    mem_free(ctx, right);
    return status;
}

assay_status att_dual_self(
    float *out, assay_ctx *ctx, const float *k, size_t n, double ridge, size_t dim) {
    assay_status status = ASSAY_OK;
    double *factor = NULL, lambda;
    ASSAY_TRY(dual_factor(&factor, &lambda, ctx, k, n, n, ridge / (double)dim));
    ASSAY_TRY(la_cholesky_inverse((int64_t)n, factor));
    for (size_t i = 0; i < n; i++)
        out[i] += (float)(1 - lambda * factor[i * n + i]);
done:
    mem_free(ctx, factor);
    return status;
}

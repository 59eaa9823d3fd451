/* Dense linear algebra in f32/f64 over CBLAS and LAPACKE (attribute/algebra/lapack.c),
 * single-threaded per call, with a start-up self-check: old OpenBLAS builds compute wrong
 * results on new processors. Matrices are row-major. */
#ifndef ATTRIBUTE_LINALG_H
#define ATTRIBUTE_LINALG_H

#include "base/ctx.h"

/** Products and a factorisation against plain C in f64, about two milliseconds: call it
 * where work begins. Holds no state.
 *  @errors NUMERIC with a remedy (OPENBLAS_CORETYPE) if they disagree   @threads safe */
ASSAY_MUST_CHECK assay_status la_self_check(void);

/** C[m,n] = alpha op(A) op(B) + beta C, op the transpose where ta, tb are set.
 *  @threads safe   @cost 2 m n k */
void la_gemm(bool ta,
             bool tb,
             int64_t m,
             int64_t n,
             int64_t k,
             float alpha,
             const float *a,
             int64_t lda,
             const float *b,
             int64_t ldb,
             float beta,
             float *c,
             int64_t ldc);

enum { LA_GRAM_ROWS = 1024 };
/** C[n,n] += A[m,n]' A[m,n]: f32 products of LA_GRAM_ROWS rows at a time, summed in f64
 * in order.
 *  @param c  symmetric, both triangles kept   @param scratch  [n,n] f32 */
void la_gram(
    int64_t m, int64_t n, const float *a, int64_t lda, float *scratch, double *c);

/** In-place Cholesky factor of a symmetric positive matrix [n,n] (the lower triangle is
 * the factor).
 *  @errors NUMERIC if it isn't positive   @cost n^3/3 */
ASSAY_MUST_CHECK assay_status la_cholesky(int64_t n, double *a);

/** Solves A x = b for `m` rows of b [m,n] in place, from the factor. @cost 2 m n^2 */
ASSAY_MUST_CHECK assay_status la_cholesky_solve(int64_t n,
                                                const double *factor,
                                                int64_t m,
                                                double *b);

/** Inverse from the factor, in place, both triangles. @cost 2/3 n^3 */
ASSAY_MUST_CHECK assay_status la_cholesky_inverse(int64_t n, double *factor);

/** The `want` largest eigenpairs of a symmetric matrix, largest first.
 *  @param a  [n,n], destroyed   @param value  [want]   @param vector  [want,n], one per
 * row
 *  @errors NUMERIC, NOMEM   @cost about 4/3 n^3 */
ASSAY_MUST_CHECK assay_status la_eigen(
    assay_ctx *ctx, int64_t n, double *a, int64_t want, double *value, double *vector);

#endif

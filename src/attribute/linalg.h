/* Dense linear algebra in f32/f64 over CBLAS and LAPACKE (attribute/lapack.c), single-threaded per
 * call, with a start-up self-check: old OpenBLAS builds compute wrong results on new processors. */
#ifndef ATTRIBUTE_LINALG_H
#define ATTRIBUTE_LINALG_H

#include "base/ctx.h"

/* Runs once per process: a product and a factorisation against plain C; NUMERIC with a remedy
 * (OPENBLAS_CORETYPE) if they disagree. @threads safe */
ASSAY_MUST_CHECK assay_status la_self_check(void);
/* C[m,n] = alpha op(A) op(B) + beta C, row-major. */
void la_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float *a, int64_t lda,
             const float *b, int64_t ldb, float beta, float *c, int64_t ldc);
/* C[n,n] (f64) += A[m,n]' A[m,n], f32 input in f32 blocks summed in f64. */
void la_gram(int64_t m, int64_t n, const float *a, int64_t lda, double *c);
/* In-place Cholesky of a symmetric positive matrix [n,n] f64; NUMERIC if it isn't. */
ASSAY_MUST_CHECK assay_status la_cholesky(int64_t n, double *a);
/* Solves A x = b for `m` rows of b [m,n] in place, from the factor. */
ASSAY_MUST_CHECK assay_status la_cholesky_solve(int64_t n, const double *factor, int64_t m, double *b);
/* Inverse from the factor, in place, both triangles. */
ASSAY_MUST_CHECK assay_status la_cholesky_inverse(int64_t n, double *factor);

#endif

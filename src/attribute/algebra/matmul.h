/* Products of matrices over the context's threads, by the engine's own kernels: every
 * element is added up as nn/gemm.h says, so the result does not depend on how the work is
 * cut. OpenBLAS (attribute/algebra/linalg.h) is for factorisations. */
#ifndef ATTRIBUTE_MATMUL_H
#define ATTRIBUTE_MATMUL_H

#include "base/ctx.h"
#include "nn/gemm.h"

/** Runs the product; no bias, activation or `pre`.
 *  @errors NOMEM, CANCELLED   @cost 2 m n k */
ASSAY_MUST_CHECK assay_status mat_run(assay_ctx *ctx, const gemm_job *job);

/** C[m,n] = A[m,k] B[k,n], rows one behind the other. */
ASSAY_MUST_CHECK assay_status mat_mul(assay_ctx *ctx,
                                      float *c,
                                      const float *a,
                                      const float *b,
                                      size_t m,
                                      size_t n,
                                      size_t k);
/** C[m,n] = A[m,k] B[n,k]'. */
ASSAY_MUST_CHECK assay_status mat_mul_nt(assay_ctx *ctx,
                                         float *c,
                                         const float *a,
                                         const float *b,
                                         size_t m,
                                         size_t n,
                                         size_t k);

#endif

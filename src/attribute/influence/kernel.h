/* Kernels of gradients: scalar products of examples' gradients, from the layers' factors.
 */
#ifndef ATTRIBUTE_KERNEL_H
#define ATTRIBUTE_KERNEL_H

#include "attribute/gradient/capture.h"

/** K[i,j] = <g_i, g_(first + j)>: out [rows, columns]. The gradient of a thin layer is an
 * outer product, so the sum over layers of (a_i . a_j)(d_i . d_j); wide layers' gradients
 * are made and multiplied, two blocks of them at a time.
 *  @errors as att_capture   @threads uses the context's
 *  @cost 2 rows columns (in + out) per thin layer, with 2 rows columns floats beside K;
 *  2 rows columns (parameters) for wide ones, with blocks of 768 and 64 MiB, or of a
 *  batch's gradients, whichever is more. Where rows are more than a block, the columns'
 *  gradients are made again for each block of rows. */
ASSAY_MUST_CHECK assay_status
att_kernel(float *out, const att_layers *x, size_t rows, size_t first, size_t columns);

/** <g_i, g_i> of all rows. @errors as att_kernel */
ASSAY_MUST_CHECK assay_status att_kernel_diagonal(float *out, const att_layers *x);

/** scores [n, targets] += (K + lambda I)^-1 K_t, for k [n, n + targets], K before K_t.
 *  lambda is `ridge` times the trace of K over `dim`: the mean diagonal of Phi'Phi for
 *  features of that dimension.
 *  @errors NUMERIC: not finite, or singular without a ridge; the error says so */
ASSAY_MUST_CHECK assay_status att_dual_add(float *scores,
                                           assay_ctx *ctx,
                                           const float *k,
                                           size_t n,
                                           size_t targets,
                                           double ridge,
                                           size_t dim);

/** out[i] += what att_dual_add has at [i, i] with the rows as targets, for k [n, n].
 *  With A = K + lambda I, A^-1 K = I - lambda A^-1.
 *  @errors as att_dual_add   @cost n^3 */
ASSAY_MUST_CHECK assay_status att_dual_self(
    float *out, assay_ctx *ctx, const float *k, size_t n, double ridge, size_t dim);

#endif

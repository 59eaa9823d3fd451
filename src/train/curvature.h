/* The largest curvature of a function of many numbers, from its gradient alone. */
#ifndef TRAIN_CURVATURE_H
#define TRAIN_CURVATURE_H

#include "base/ctx.h"

/* Writes the gradient at `at` into out [n]. */
typedef assay_status (*curvature_gradient)(void *arg, const float *at, float *out);

/* The eigenvalue of the Hessian at `at` [n] that is largest in size, by CURVATURE_ROUNDS
 * of power iteration from a direction drawn by `seed`; products with the Hessian are
 * central differences of the gradient over 2e-3 of |at|, or 2e-3 if that is 0. What is
 * not at the front of the spectrum fades by (second / first)^ROUNDS.
 * @cost two gradients a round   @errors NOMEM, those of the gradient */
enum { CURVATURE_ROUNDS = 10 };
ASSAY_MUST_CHECK assay_status curvature_largest(double *out,
                                                assay_ctx *ctx,
                                                const float *at,
                                                size_t n,
                                                curvature_gradient gradient,
                                                void *arg,
                                                uint64_t seed);

#endif

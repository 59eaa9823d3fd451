/* Linear regression of models' outputs on which rows they were trained on: a datamodel
 * (Ilyas et al. 2022) of each target is a weight for each row and an intercept. Ridge
 * regression for all targets at once, the LASSO for each by a path. Masks and outputs are
 * centred; the weights of rows do not depend on that, the intercept is the mean output.
 */
#ifndef ATTRIBUTE_REGRESS_H
#define ATTRIBUTE_REGRESS_H

#include "base/ctx.h"

/* Models, borrowed: which rows each was trained on, and what it says of the targets. */
typedef struct reg_data {
    const uint8_t *holds; /* [models, rows] of 0 and 1 */
    const float *y;       /* [models, targets] */
    size_t models, rows, targets;
} reg_data;

/* Models [first, first + n) of it. */
static inline reg_data reg_part(const reg_data *d, size_t first, size_t n) {
    return (reg_data){d->holds + first * d->rows, d->y + first * d->targets, n, d->rows,
                      d->targets};
}

/* Means, and second moments about them, over models. */
typedef struct reg_moments {
    assay_ctx *ctx;
    double *mean;   /* [rows] */
    double *y_mean; /* [targets] */
    float *cross;   /* [targets, rows] mean of (x - mean)(y - y_mean) */
    double *gram;   /* [rows, rows] mean of (x - mean)(x - mean)', or NULL */
} reg_moments;

/** @param gram  whether the [rows, rows] moments are wanted
 *  @errors NUMERIC (an output is not finite: names the model), NOMEM, CANCELLED
 *  @threads uses the context's; bytes do not depend on how many
 *  @cost 2 models rows (rows + targets) */
ASSAY_MUST_CHECK assay_status reg_moments_make(reg_moments *out,
                                               assay_ctx *ctx,
                                               const reg_data *d,
                                               bool gram);
void reg_moments_free(reg_moments *m); /* accepts a zeroed one */

/** What weights foretell: out [models, targets] = y_mean + (x - mean) w'.
 *  @param w  [targets, rows]   @cost 2 models rows targets */
ASSAY_MUST_CHECK assay_status reg_predict(
    float *out, assay_ctx *ctx, const reg_data *d, const reg_moments *m, const float *w);
/** The mean over models and targets of the squared error of that. */
ASSAY_MUST_CHECK assay_status reg_error(
    double *out, assay_ctx *ctx, const reg_data *d, const reg_moments *m, const float *w);

typedef struct reg_result {
    double penalty; /* ridge: of all targets; LASSO: the mean over targets */
    double nonzero; /* weights of a target, mean over targets */
} reg_result;

/** Ridge regression: w = (C + lambda I)^-1 c with the covariances C, c of masks and
 * outputs, by the eigenvectors of C, or of the models' kernel if there are fewer models
 * than rows (the dual). lambda is the best on `valid` of a grid, unless given; then all
 * of `fit` and `valid` is fitted again with it.
 *  @param d  all models: the first `fit` are fitted, the others judge
 *  @param w  [targets, rows]   @param m  moments of all of `d`, filled
 *  @param penalty  negative: chosen
 *  @cost min(models, rows)^3 and 2 models rows (rows + targets) */
ASSAY_MUST_CHECK assay_status reg_ridge(float *w,
                                        reg_moments *m,
                                        reg_result *result,
                                        assay_ctx *ctx,
                                        const reg_data *d,
                                        size_t fit,
                                        double penalty);

/** The LASSO: the minimum of |y - x w|^2 / (2 models) + lambda sum_j s_j |w_j|, s_j the
 * masks' deviations, by cyclic coordinate descent with active sets on the covariances
 * (Friedman, Hastie and Tibshirani 2010), along 100 values of lambda from the least that
 * gives nought down to a thousandth of it, each from the one before. A target's path ends
 * when its error on `valid` has not improved for five values; then all of `fit` and
 * `valid` is fitted with its best. A sweep ends the descent when no weight's
 * contribution, squared, changes by more than 1e-9 of the outputs' variance.
 *  Parameters as reg_ridge. @threads one target each; bytes do not depend on how many
 *  @cost rows for each change of a weight */
ASSAY_MUST_CHECK assay_status reg_lasso(float *w,
                                        reg_moments *m,
                                        reg_result *result,
                                        assay_ctx *ctx,
                                        const reg_data *d,
                                        size_t fit,
                                        double penalty);

#endif

/* What a comparison of predictions with the truth is measured by: ranks, Spearman's
 * correlation, bootstrap intervals. Tables are [subsets, targets], row by row. */
#ifndef ATTRIBUTE_STATS_H
#define ATTRIBUTE_STATS_H

#include "base/ctx.h"

/** Ranks of a column of `n` numbers, from 0, ties sharing their mean; then the mean is
 * taken away, so that the correlation of two columns is a scalar product.
 *  @param x  element i at x[i stride]   @param order  [n], scratch   @param out  [n] */
void stat_ranks(double *out, const float *x, size_t stride, size_t n, uint32_t *order);

/** Spearman's correlation of two columns of `n` numbers, each `stride` apart; 0 where one
 * is constant.
 *  @errors NOMEM   @threads safe */
ASSAY_MUST_CHECK assay_status stat_spearman(
    double *out, assay_ctx *ctx, const float *a, const float *b, size_t stride, size_t n);

/** Spearman's correlation of each column of two tables: out [columns].
 *  @errors NOMEM, CANCELLED   @threads uses the context's */
ASSAY_MUST_CHECK assay_status stat_spearman_columns(double *out,
                                                    assay_ctx *ctx,
                                                    const float *a,
                                                    const float *b,
                                                    size_t rows,
                                                    size_t columns);

/** The mean over columns of their correlation, with half-widths of 95 % intervals: by
 * drawing rows (subsets) again, by drawing columns (targets) again, and both at once. */
typedef struct stat_lds {
    double mean;
    double by_subsets, by_targets, by_both;
} stat_lds;
/** @param rounds  of each bootstrap; 0: none, the half-widths are 0
 *  @errors NOMEM, CANCELLED
 *  @threads uses the context's; the result does not depend on how many
 *  @cost 2 rounds of ranking both tables */
ASSAY_MUST_CHECK assay_status stat_lds_measure(stat_lds *out,
                                               assay_ctx *ctx,
                                               const float *predicted,
                                               const float *truth,
                                               size_t subsets,
                                               size_t targets,
                                               int rounds,
                                               uint64_t seed);

/** What one model's numbers are worth: the mean correlation between the means of disjoint
 * halves of the seeds, over all ways to halve them (for up to 6 seeds; else consecutive
 * halves), stretched to all of them by Spearman and Brown's rule. The square root is what
 * a perfect predictor would reach.
 *  @param values  [seeds, subsets, targets]
 *  @param out  reliability of the mean over seeds; 0 with one seed
 *  @errors NOMEM, CANCELLED */
ASSAY_MUST_CHECK assay_status stat_reliability(double *out,
                                               assay_ctx *ctx,
                                               const float *values,
                                               size_t seeds,
                                               size_t subsets,
                                               size_t targets);

#endif

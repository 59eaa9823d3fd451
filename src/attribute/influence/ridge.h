/* Ridge regression of targets' features on those of the rows: what TRAK is made of. */
#ifndef ATTRIBUTE_RIDGE_H
#define ATTRIBUTE_RIDGE_H

#include "attribute/gradient/project.h"

/** scores [n, targets] += Phi (Phi'Phi + lambda I)^-1 phi_t, lambda = ridge times the
 * mean diagonal of Phi'Phi; solved in the smaller of rows and dimensions.
 *  @errors NUMERIC, NOMEM, CANCELLED   @threads uses the context's */
ASSAY_MUST_CHECK assay_status att_ridge_add(
    float *scores, const att_features *x, size_t n, size_t targets, double ridge);

/** The same as TRAK's authors' code does it, to compare with (MadryLab/trak 0.3.2): with
 * features P'g / sqrt(parameters), P of unit variance, and an absolute ridge (there it
 * is 0 unless asked), tau += Phi C phi_t, C the inverse of Phi'Phi + ridge I over the
 * mean of its elements' sizes. That mean weighs the models of an ensemble against each
 * other, by no intention but to fit into f16.
 *  @errors NUMERIC: singular, as with fewer rows than dimensions and no ridge */
ASSAY_MUST_CHECK assay_status att_ridge_add_traker(
    float *scores, const att_features *x, size_t n, size_t targets, double ridge);

/** out[i] += what the two have at [i, i] with the rows as targets. @errors as theirs */
ASSAY_MUST_CHECK assay_status att_ridge_self(float *out,
                                             const att_features *x,
                                             size_t n,
                                             double ridge);
ASSAY_MUST_CHECK assay_status att_ridge_self_traker(float *out,
                                                    const att_features *x,
                                                    size_t n,
                                                    double ridge);

#endif

/* What the two files of EK-FAC share: thin layers (ekfac.c), wide ones (ekfac_wide.c). */
#ifndef ATTRIBUTE_EKFAC_INSIDE_H
#define ATTRIBUTE_EKFAC_INSIDE_H

#include "attribute/influence/ekfac.h"

/** Eigenvectors of gram / scale, one per row: out [n, n], made.
 *  @param gram  [n, n], destroyed   @errors NUMERIC (not finite), NOMEM */
ASSAY_MUST_CHECK assay_status
ekfac_basis(float **out, assay_ctx *ctx, double *gram, size_t n, double scale);

/** Bases and eigenvalues of wide layers, from a Gauss-Newton capture. */
ASSAY_MUST_CHECK assay_status ekfac_wide_make(ekfac *e, const att_layers *x);
/** Adds the wide layers' part of scores. */
ASSAY_MUST_CHECK assay_status ekfac_wide_scores(float *scores,
                                                const ekfac *e,
                                                const att_layers *x,
                                                size_t rows,
                                                size_t targets,
                                                float delta);
/** Adds the wide layers' part of rows' scores for themselves. */
ASSAY_MUST_CHECK assay_status ekfac_wide_self(
    float *out, const ekfac *e, const att_layers *x, size_t rows, float delta);

#endif

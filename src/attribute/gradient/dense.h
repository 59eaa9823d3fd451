/* Dense random matrices, a row of them at a time: for projectors that are slow and plain,
 * which others are tested against. */
#ifndef ATTRIBUTE_DENSE_H
#define ATTRIBUTE_DENSE_H

#include "attribute/gradient/projector.h"

/* Row `coordinate` of the matrix: dim numbers of mean 0 and variance 1. */
typedef void (*dense_row)(float *out, const att_projection *p, uint64_t coordinate);

/* An att_projector's `plan`: scratch of dense_run. */
assay_status dense_plan(att_projection *p, const nn_factor *f, int count);
/* out [n, dim] = gradients times the matrix over sqrt(dim). */
void dense_run(float *out,
               const att_projection *p,
               const nn_factor *f,
               int count,
               int n,
               float *scratch,
               dense_row row);

#endif

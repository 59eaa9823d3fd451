/* Principal components: the directions in which the rows of a matrix are largest. */
#ifndef ATTRIBUTE_PRINCIPAL_H
#define ATTRIBUTE_PRINCIPAL_H

#include "base/ctx.h"

typedef struct la_principal {
    assay_ctx *ctx;
    size_t m, n, count; /* count: fewer than asked for where the rest is nought */
    double total;       /* sum of squares of the matrix */
    double *value;      /* [count] squares of singular values, largest first */
    float *direction;   /* [count, n] of length one, the largest element positive */
    float *place;       /* [m, count]: rows along the directions */
} la_principal;

/** Of X [m, n] as it is: nothing is centred. By the eigenvectors of X'X or X X',
 * whichever is smaller.
 *  @errors UNSUPPORTED (both sides over 8,192), NUMERIC, NOMEM, CANCELLED
 *  @threads uses the context's; bytes do not depend on how many
 *  @cost m n min(m, n) and 4/3 of its cube */
ASSAY_MUST_CHECK assay_status la_principal_make(
    la_principal *out, assay_ctx *ctx, const float *x, size_t m, size_t n, size_t want);
void la_principal_free(la_principal *p); /* accepts a zeroed one */

#endif

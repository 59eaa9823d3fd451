/* Projected gradients of a study's rows, in memory. */
#ifndef ATTRIBUTE_PROJECT_H
#define ATTRIBUTE_PROJECT_H

#include "attribute/gradient/projector.h"
#include "attribute/method.h"

typedef struct att_features {
    assay_ctx *ctx;
    size_t rows; /* training rows, then targets */
    int dim;
    size_t floats; /* of a gradient, before it was projected */
    float *phi;    /* [rows, dim] */
    float *q;      /* [rows] 1 - p of the label */
} att_features;

/** Margin gradients of a member's model on the study's rows and targets, projected; the
 * map is drawn from the run's seed, so each member has its own.
 *  @errors NOTFOUND, UNSUPPORTED, NUMERIC (a gradient is not finite), NOMEM, CANCELLED
 *  @threads uses the context's; bytes do not depend on how many */
ASSAY_MUST_CHECK assay_status att_project_study(att_features *out,
                                                const att_member *m,
                                                const att_settings *o);
void att_features_free(att_features *x); /* accepts a zeroed one */

#endif

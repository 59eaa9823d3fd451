/* What the files of TRAK share: the factorised kernels and the transformed targets. */
#ifndef ATTRIBUTE_TRAK_H
#define ATTRIBUTE_TRAK_H

#include "attribute/algebra/linalg.h"
#include "attribute/trak/attribute.h"

enum {
    TRAK_ROWS = 2048,  /* training rows in one job */
    TRAK_TILE = 256,   /* of them in one product */
    TRAK_TARGETS = 512 /* targets transformed at a time */
};

struct att_trak {
    assay_ctx *ctx;
    row_store *const *stores;
    int members;
    int64_t dim;
    uint64_t train_rows, rows; /* of the stores */
    const uint8_t *active;     /* NULL: all */
    const float *q;            /* NULL: 1 */
    double **factor;           /* [members] Cholesky factors [dim,dim] */
};

/* What a row's score is multiplied with: q, or 0 for an inactive row; the mean over
 * members is in it. */
static inline float trak_weight(const att_trak *t, uint64_t row) {
    if (t->active && !t->active[row])
        return 0.0f;
    return (t->q ? t->q[row] : 1.0f) / (float)t->members;
}

/* SHAPE if a target is no row of the stores. */
ASSAY_MUST_CHECK assay_status trak_check_targets(const att_trak *t,
                                                 const uint64_t *targets,
                                                 size_t n);

/* psi_t = (Phi'Phi + lambda I)^-1 phi_t of one member: solved in f64, rounded. out
 * [n,dim]. */
ASSAY_MUST_CHECK assay_status trak_transform(
    const att_trak *t, int member, const uint64_t *targets, size_t n, float *out);

/* out_i = weight_i sum_m phi_i,m . v_m for all training rows, v [members,dim]. */
ASSAY_MUST_CHECK assay_status trak_project(const att_trak *t, const float *v, float *out);

#endif

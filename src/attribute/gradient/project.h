/* Projected gradients of a study's rows: in memory, or in stores on disk. */
#ifndef ATTRIBUTE_PROJECT_H
#define ATTRIBUTE_PROJECT_H

#include "attribute/gradient/projector.h"
#include "attribute/gradient/source.h"

typedef struct att_project_worker {
    nn_factor *factor; /* [count] */
    float *scratch;
} att_project_worker;

/* A member's model with a map of its gradients, drawn from the member's seed. */
typedef struct att_project {
    att_source source;
    att_projection projection;
    int count;                  /* factors */
    att_project_worker *worker; /* [threads] */
} att_project;

/** @param m  its arrays live longer   @param o  precision, projector, dim
 *  @errors as att_source_open; NOTFOUND, UNSUPPORTED of the projector */
ASSAY_MUST_CHECK assay_status att_project_open(att_project *out,
                                               const att_member *m,
                                               const att_settings *o);
void att_project_close(att_project *p); /* accepts a zeroed one */

/** Margin gradients of `n` rows (1..ATT_LANES) of the data, projected: phi [n, dim], and
 * q [n], 1 - p of the label.
 *  @errors NUMERIC (a gradient is not finite), NOMEM   @threads one per worker */
ASSAY_MUST_CHECK assay_status att_project_rows(
    att_project *p, int worker, const uint32_t *rows, size_t n, float *phi, float *q);

typedef struct att_features {
    assay_ctx *ctx;
    size_t rows; /* training rows, then targets */
    int dim;
    size_t floats; /* of a gradient, before it was projected */
    float *phi;    /* [rows, dim] */
    float *q;      /* [rows] 1 - p of the label */
} att_features;

/** Of all rows and targets of a member's study.
 *  @errors as att_project_open and att_project_rows, CANCELLED
 *  @threads uses the context's; bytes do not depend on how many */
ASSAY_MUST_CHECK assay_status att_project_study(att_features *out,
                                                const att_member *m,
                                                const att_settings *o);
void att_features_free(att_features *x); /* accepts a zeroed one */

/* Where some of the rows lie that a call of att_project_keep is about: rows [first, first
 * + n) of it, in stores of their own; first is a whole number of blocks. */
typedef struct att_part {
    char *features, *weights; /* paths without extension */
    size_t first, n;
} att_part;
/* Part `shard` (from 1) of so many: whole blocks, none where there are fewer than shards.
 */
att_part att_project_part(size_t n, int shard, int shards);

/** The same numbers of rows of the data into resumable stores, <features>.npy [n, dim]
 * and <weights>.npy [n, 1], block by block: what is there and whole stays. Adds one to
 * the progress per row.
 *  @param features, weights  paths without extension
 *  @param parts  blocks that are whole there are copied; one that is not of these rows
 * and this model is left alone   @param what  tells the rows from others of the data
 * ("rows", "targets")
 *  @errors as above; IO, NOSPC   @threads as above; a block in memory at a time for each
 */
ASSAY_MUST_CHECK assay_status att_project_keep(att_project *p,
                                               const uint32_t *rows,
                                               size_t n,
                                               const char *what,
                                               const char *features,
                                               const char *weights,
                                               const att_part *parts,
                                               size_t n_parts);

#endif

/* What a fleet keeps of each model: one row of numbers per output and model, in stores
 * that survive a kill (file/store.h), one block per model. */
#ifndef TRAIN_FLEET_OUTPUTS_H
#define TRAIN_FLEET_OUTPUTS_H

#include "file/store.h"

enum { FLEET_OUTPUTS = 4 }; /* kinds there are */

/* What all stores of a fleet agree about. */
typedef struct fleet_shape {
    const char *names; /* "margins,loss" */
    const char *key;   /* of the fleet, or of a part of it */
    size_t models;     /* rows of a store */
    size_t rows;       /* of the dataset that are looked at */
    int classes;
} fleet_shape;

typedef struct fleet_outputs {
    assay_ctx *ctx;
    fleet_shape shape;
    int n, kind[FLEET_OUTPUTS];
    row_store *store[FLEET_OUTPUTS];
} fleet_outputs;

/* INVALID if a name is unknown or comes twice. */
ASSAY_MUST_CHECK assay_status fleet_outputs_check(const char *names);
/* Opens the stores <dir>/<name>, those of another key anew. */
ASSAY_MUST_CHECK assay_status fleet_outputs_open(fleet_outputs *out,
                                                 assay_ctx *ctx,
                                                 const char *dir,
                                                 const fleet_shape *shape);
/* Opens what there is of another's, to read: NOTFOUND, FORMAT if it is not of this shape
 * and key. */
ASSAY_MUST_CHECK assay_status fleet_outputs_look(fleet_outputs *out,
                                                 assay_ctx *ctx,
                                                 const char *dir,
                                                 const fleet_shape *shape);
ASSAY_MUST_CHECK assay_status fleet_outputs_close(fleet_outputs *o); /* syncs */
void fleet_outputs_free(fleet_outputs *o); /* accepts a zeroed one */

bool fleet_outputs_done(const fleet_outputs *o, size_t model);
bool fleet_outputs_failed(const fleet_outputs *o, size_t model); /* of one that is done */
/* Writes and notes a model's rows, out of logits [rows, classes]; NULL: it failed.
 * @threads distinct models from distinct threads */
void fleet_outputs_put(fleet_outputs *o,
                       size_t model,
                       const float *logits,
                       const int32_t *labels);
/* Model `j` of another's as model `i`. */
void fleet_outputs_copy(fleet_outputs *o, size_t i, const fleet_outputs *from, size_t j);
/* Removes the stores in a folder. */
void fleet_outputs_remove(assay_ctx *ctx, const char *dir);

#endif

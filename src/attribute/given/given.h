/* Features that were made elsewhere: gradients of rows and targets, projected, of one or
 * several models, as .npy files or as arrays in memory. */
#ifndef ATTRIBUTE_GIVEN_H
#define ATTRIBUTE_GIVEN_H

#include "file/npy.h"

typedef enum given_part {
    GIVEN_ROWS,
    GIVEN_TARGETS,
    GIVEN_WEIGHT,
    GIVEN_PARTS
} given_part;

typedef struct given_member {
    npy_array array[GIVEN_PARTS]; /* [rows, dim], [targets, dim], [rows]; no data in the
                                     last: all 1 */
    char *path[GIVEN_PARTS];      /* or what an array in memory is called */
} given_member;

typedef struct given {
    assay_ctx *ctx;
    size_t members, room, rows, targets, dim;
    given_member *member;
} given;

/* Adds a model's files; `weight` NULL: none. SHAPE, DTYPE, FORMAT, NOTFOUND name the
 * file.
 */
ASSAY_MUST_CHECK assay_status given_add(given *g,
                                        const char *rows,
                                        const char *targets,
                                        const char *weight);
/* The same of arrays in memory, which outlive `g`. INVALID: with gaps. */
ASSAY_MUST_CHECK assay_status given_add_arrays(given *g,
                                               const assay_tensor *rows,
                                               const assay_tensor *targets,
                                               const assay_tensor *weight);
/* What TRAK's authors' library (MadryLab/trak 0.3.2, MmapSaver) left in its save_dir: the
 * gradients of all models, those of an experiment's targets, and q. FORMAT when a model's
 * rows are not all there. */
ASSAY_MUST_CHECK assay_status given_add_traker(given *g,
                                               const char *dir,
                                               const char *experiment);
void given_free(given *g); /* accepts one with no more than a context */

/* Rows [first, first + n) of a part as f32, over the context's threads. NUMERIC names the
 * file and the row. */
ASSAY_MUST_CHECK assay_status given_read(
    float *out, const given *g, size_t member, given_part part, size_t first, size_t n);

#endif

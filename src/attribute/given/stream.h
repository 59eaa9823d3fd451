/* TRAK over features in files, which stream by: nothing of size rows x targets is held.
 */
#ifndef ATTRIBUTE_STREAM_H
#define ATTRIBUTE_STREAM_H

#include "attribute/given/given.h"
#include "attribute/trak/heap.h"

typedef struct stream_options {
    double ridge;       /* over the mean diagonal of Phi'Phi, or absolute */
    bool traker;        /* as att_ridge_add_traker has it */
    bool unweighed;     /* q is left out */
    int top;            /* rows named for each target, of either sign */
    const char *scores; /* where all scores go, .npy f32 [rows, targets]; NULL: nowhere */
    uint64_t memory;    /* bytes for transformed targets; 0: 512 MiB */
} stream_options;

/** tau = mean_m(Phi_m (Phi_m'Phi_m + lambda I)^-1 phi_t) mean_m(q): the strongest rows of
 * each target.
 *  @param out  [targets, 2, top]: positive first
 *  @errors NUMERIC (not finite; singular without a ridge), SHAPE, NOMEM, NOSPC, CANCELLED
 *  @threads uses the context's; bytes do not depend on how many
 *  @cost 2 rows dim (dim + targets) and dim^3 / 3 for each model and block of targets; memory 12 dim^2 bytes, the
 *  transformed targets and 1,024 rows */
ASSAY_MUST_CHECK assay_status stream_scores(att_top *out,
                                            const given *g,
                                            const stream_options *options);

#endif

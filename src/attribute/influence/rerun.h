/* A run gone through again, last stretch first: sqrt(steps) marks of weights and
 * velocity, between which it is trained anew, with the same bits. */
#ifndef ATTRIBUTE_RERUN_H
#define ATTRIBUTE_RERUN_H

#include "attribute/method.h"

typedef struct rerun {
    assay_ctx *ctx;
    const att_run *run;
    size_t floats;                        /* of parameters */
    int64_t first, steps, stretch, count; /* steps [first, steps), in `count` stretches */
    att_trainer *trainer;
    float *mark; /* [count][2, parameters]: where each stretch begins */
} rerun;

/** Trains from the beginning and sets the marks.
 *  @param from  share of the run, at its beginning, that is left out
 *  @errors INTERNAL (it did not end where the member's weights lie), NUMERIC, NOMEM,
 *  CANCELLED */
ASSAY_MUST_CHECK assay_status rerun_open(rerun *out, const att_member *m, double from);
void rerun_close(rerun *r); /* accepts a zeroed one */

/** Puts the trainer at the beginning of a stretch: its first step into *begin. Returns
 * how many steps it has. */
int64_t rerun_stretch(rerun *r, int64_t stretch, int64_t *begin);

#endif

/* What one kind of optimizer provides: the file optimizers/NAME.c defines
 * `const optimizer_kind assay_optimizer_NAME`, and that is all the wiring there is. */
#ifndef TRAIN_OPTIMIZER_KIND_H
#define TRAIN_OPTIMIZER_KIND_H

#include "train/optimizer.h"

/* A stretch of the flat vector whose parameters are treated alike. */
struct optimizer_part {
    size_t begin, count;
    double rate, decay; /* what the step's rate is multiplied by; the weight decay */
    int64_t until;      /* steps that it learns for; 0: all */
    size_t rows, cols;  /* of a matrix, which is a part of its own; else 0 */
};

struct optimizer_kind {
    const char *name, *summary;
    double rate, weight_decay; /* what a recipe starts from */
    /* Names of the vectors it keeps; NULL: no more. */
    const char *state[OPTIMIZER_STATES];
    /* Whether weights are stepped as matrices: [out, in * kernel]. */
    bool matrices;
    /* Floats of o->scratch that a part takes; NULL: none. */
    size_t (*scratch)(const optimizer_part *part);
    /* One part. pace has the part's own rate. w, g and each state[i] begin at the part.
     * o->steps counts this step. */
    void (*step)(const optimizer *o,
                 const optimizer_part *part,
                 float *w,
                 const float *g,
                 float *const *state,
                 train_pace pace);
};

#endif

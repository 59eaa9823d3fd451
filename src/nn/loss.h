/* What losses over rows of logits share: one row per example, [N,K] with labels [N], or
 * one per token, [N,T,K] with labels [N,T]. A token whose label is -1 does not count; an
 * example's loss is the mean over those that do, 0 if there are none. */
#ifndef NN_LOSS_H
#define NN_LOSS_H

#include "nn/kernels.h"

typedef struct loss_rows {
    int64_t tokens, classes;
    bool may_skip; /* -1 is a label */
} loss_rows;

/* What forward leaves to backward of each row. */
typedef struct loss_saved {
    float most, sum; /* the largest logit; sum of exp(z - most) */
} loss_saved;

/* Checks the inputs' shapes and sets the output's, [N]. */
assay_status loss_infer(nn_node *node);
loss_rows loss_rows_of(const nn_node *node);
assay_status loss_plan(nn_plan *p);
/* How many of an example's labels count. INVALID if one is no class. */
assay_status loss_count(int64_t *out, const loss_rows *r, const int32_t *label);

/* The cross-entropy of one row of k logits with a smoothing of s, and `gain` times its
 * gradient. The label is a class. */
double loss_row(loss_saved *saved, const float *z, int64_t k, int32_t label, double s);
void loss_row_back(float *d,
                   const loss_saved *saved,
                   const float *z,
                   int64_t k,
                   int32_t label,
                   double s,
                   float gain);

#endif

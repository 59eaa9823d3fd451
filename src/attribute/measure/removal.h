/* Models trained without some rows, and what their targets' margins are then. */
#ifndef ATTRIBUTE_REMOVAL_H
#define ATTRIBUTE_REMOVAL_H

#include "attribute/study/study.h"

/* Rows to leave out, and the target that is looked at. */
typedef struct removal {
    size_t target;          /* of the study's */
    const uint32_t *places; /* [count] of the study's rows, borrowed */
    size_t count;
} removal;

/* Places of a study's rows by falling score, ties by place: out [n].
 * @param scores  element i at scores[i stride] */
ASSAY_MUST_CHECK assay_status removal_order(
    uint32_t *out, assay_ctx *ctx, const float *scores, size_t stride, size_t n);

/** Trains `seeds` models without each set's rows and notes the target's margin: out [n,
 *  seeds]. All of them train for `steps`, whatever rows are left: what a row takes up in
 * a run is then shared out among the rest.
 *  @param keep  a folder where finished blocks are found again; NULL: none
 *  @errors INVALID when fewer rows than a batch are left; as att_train_margins
 *  @threads uses the context's; bytes do not depend on how many */
ASSAY_MUST_CHECK assay_status removal_measure(float *out,
                                              const att_study *s,
                                              const removal *set,
                                              size_t n,
                                              size_t seeds,
                                              uint64_t first_seed,
                                              int64_t steps,
                                              const char *keep);

#endif

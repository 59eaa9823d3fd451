/* An ensemble: models on all rows of a study, alike but for their seeds, and the scores
 * that a method has for them, member by member. */
#ifndef ATTRIBUTE_ENSEMBLE_H
#define ATTRIBUTE_ENSEMBLE_H

#include "attribute/method.h"

typedef struct att_ensemble {
    const att_study *study;
    int count;
    att_run *runs;               /* [count] */
    float **params;              /* [count] */
    float **buffers;             /* [count] running statistics */
    float *margins;              /* [count, targets] */
    double seconds, cpu_seconds; /* of training all of them */
} att_ensemble;

/** Trains `count` models for so many steps each, with seeds from `first_seed` on.
 *  @param s  borrowed   @errors as att_train_margins */
ASSAY_MUST_CHECK assay_status att_ensemble_train(
    att_ensemble *out, const att_study *s, int count, int64_t steps, uint64_t first_seed);
void att_ensemble_free(att_ensemble *e); /* accepts a zeroed one */
att_member att_ensemble_member(const att_ensemble *e, int m);

/* Scores of one method as members come to it. */
typedef struct att_tally {
    const att_ensemble *ensemble;
    const att_method *method;
    const att_settings *settings;
    int members; /* so far */
    att_sum one, all;
    float *scores; /* [n_rows, n_targets]: what was asked for last */
    double seconds, cpu_seconds;
} att_tally;

/* @param e, method, settings  borrowed */
ASSAY_MUST_CHECK assay_status att_tally_make(att_tally *out,
                                             const att_ensemble *e,
                                             const att_method *method,
                                             const att_settings *settings);
void att_tally_free(att_tally *t); /* accepts a zeroed one */
/** The next member's scores come to those of the members before: t->scores are its own.
 *  @errors as att_method's score, and as att_sum_finish */
ASSAY_MUST_CHECK assay_status att_tally_add(att_tally *t);
/** t->scores are those of all members so far. */
ASSAY_MUST_CHECK assay_status att_tally_mean(att_tally *t);

#endif

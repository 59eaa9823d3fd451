/* One training run as attribution needs it: which examples each step takes, at which
 * rate, so that it can be done again from any of its marks, bit for bit, and be
 * differentiated.
 *
 * A run takes `steps` batches from shuffled passes over its rows. The truth's models
 * train on half of the rows; a model on all rows for as many steps has seen each example
 * half as often and stands where theirs stand on average ("matched" centre). Trained for
 * as many epochs instead ("full") it has gone twice as far, and derivatives at it
 * describe another function than the truth's: measured, that costs more than any choice
 * of method gains (docs/attribution.md). */
#ifndef ATTRIBUTE_RUN_H
#define ATTRIBUTE_RUN_H

#include "nn/exec.h"
#include "train/trainer.h"

/* What all models of one study have in common. */
typedef struct att_recipe {
    int epochs, batch; /* of a model on a subset; steps follow from the subset's size */
    double rate, momentum, weight_decay; /* decay: of parameters subject to it */
    bool nesterov;
    bool adam; /* AdamW (beta .9 and .99) instead of SGD with momentum; replay and tracin
                  are about SGD and refuse it */
    double
        hold; /* share of the run that the rate stays at its peak; then straight to 0 */
} att_recipe;

/* The learning rate of step t of `steps`. */
double att_rate(const att_recipe *r, int64_t t, int64_t steps);
/* Steps of a model that trains on so many rows for the recipe's epochs. */
int64_t att_steps(const att_recipe *r, size_t n_rows);

typedef struct att_run {
    const att_recipe *recipe;
    const uint32_t *rows; /* of the data, borrowed */
    size_t n_rows;
    int64_t steps;
    uint64_t seed; /* of initial weights and order */
} att_run;

/* Places in run->rows of the examples that step t takes: out [recipe->batch]. */
void att_run_batch(const att_run *run, int64_t t, uint32_t *out);

/* What trains, for one thread at a time: fused steps where the model is a small chain of
 * layers (nn/chain.h), else an executor. One after the other it does any number of runs.
 */
typedef struct att_trainer att_trainer;
ASSAY_MUST_CHECK assay_status att_trainer_create(att_trainer **out,
                                                 assay_ctx *ctx,
                                                 const train_data *data,
                                                 const zoo_model *model,
                                                 const att_recipe *recipe);
void att_trainer_destroy(att_trainer *t);
/** Initial weights of the run's seed, uniform in +-1/sqrt(fan-in + 1) for weights and
 * biases of layers, 1 and 0 for norms; no velocity. NOMEM */
ASSAY_MUST_CHECK assay_status att_trainer_start(att_trainer *t, const att_run *run);
/** Steps [from, to) of the run; it stands at `from`. NUMERIC if the loss is not finite.
 */
ASSAY_MUST_CHECK assay_status att_trainer_steps(att_trainer *t,
                                                const att_run *run,
                                                int64_t from,
                                                int64_t to);
/* Where it stands, flat: read, and set. `velocity` NULL: not wanted; AdamW has none. */
void att_trainer_store(const att_trainer *t, float *params, float *velocity);
void att_trainer_load(att_trainer *t, const float *params, const float *velocity);
/* Running statistics where it stands; a run begins with fresh ones, and `load` leaves
 * them as they are. */
void att_trainer_buffers(const att_trainer *t, float *buffers);

#endif

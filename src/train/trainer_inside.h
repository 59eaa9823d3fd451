/* A run in progress, as the files that make up the trainer see it: trainer.c begins and
 * ends it, start.c makes what it needs, epoch.c takes the steps. */
#ifndef TRAIN_TRAINER_INSIDE_H
#define TRAIN_TRAINER_INSIDE_H

#include "train/average.h"
#include "train/batches.h"
#include "train/checkpoint.h"
#include "train/schedule.h"
#include "train/tiny.h"

#include "nn/exec.h"

/* What an epoch's step losses add up to: train/regime.h. */
typedef struct regime_log {
    int64_t steps;
    double before, sum, squares; /* squares: of changes from step to step */
} regime_log;

/* What an epoch adds up. */
typedef struct epoch_sums {
    double loss; /* of examples */
    int64_t examples, right, labels;
    regime_log regime;
} epoch_sums;

typedef struct trainer {
    assay_ctx *ctx;
    const train_data *data;
    const train_recipe *recipe;
    const train_job *job;
    const train_schedule *schedule;
    schedule_options schedule_options;
    trained_model model;
    optimizer optimizer;
    average average; /* of the weights, where the recipe asks for one */
    nn_weights best; /* of the epoch with the least loss on what is held out; only where
                        the recipe stops early */
    nn_value target, other, share; /* the loss that is learnt from; of mixed examples the
                                      second labels and the first's share, else -1 */
    nn_exec *exec;
    tiny *tiny; /* takes the steps of a small chain of layers; then there is no exec */
    batches batches;
    float *seed; /* [batch] of the backward pass: 1/n each */
    epoch_metrics *metrics;
    char *model_path, *checkpoint_path, *metrics_path; /* NULL without a folder */
    int done;                                          /* finished epochs */
    bool over;      /* after the last epoch, or when nothing better came for too long */
    int64_t images; /* that this process went through */
} trainer;

/* Whether data, recipe and job fit together: SHAPE, INVALID. */
ASSAY_MUST_CHECK assay_status trainer_check(const train_data *d,
                                            const train_recipe *r,
                                            const train_job *job);
/* Also of one that did not start; the files stay. */
void trainer_end(trainer *t);
/* What its checkpoint is made of. */
checkpoint trainer_checkpoint(trainer *t);
/* Everything a run needs, from its last checkpoint if there is one; after it, steps
 * allocate nothing. */
ASSAY_MUST_CHECK assay_status trainer_start(trainer *t);
/* A batch into the executor's inputs. */
void trainer_feed(trainer *t, const train_batch *b);
/* Step `at` of the run, on the epoch's next batch, which is handed out: NUMERIC if its
 * loss is not finite. */
ASSAY_MUST_CHECK assay_status trainer_step(
    trainer *t, int64_t at, train_pace pace, train_batch *batch, epoch_sums *sums);
/* All steps of an epoch; then its metrics, and a check that all numbers are finite:
 * NUMERIC names epoch and step. */
ASSAY_MUST_CHECK assay_status trainer_epoch(trainer *t);

#endif

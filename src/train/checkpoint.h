/* The state of an unfinished run after a whole number of epochs: a .safetensors with the
 * weights under their own names, each state vector of the optimizer as "<state>.<name>"
 * ("velocity.conv1.weight"), the steps it took in the metadata, further
 * weights likewise ("average.conv1.weight"), and the metrics so far as
 * "metrics" [epochs, 8] f64. Whoever continues from it arrives at the same bytes. */
#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H

#include "train/optimizer.h"

/* What one epoch is remembered by. */
typedef struct epoch_metrics {
    double loss, accuracy;         /* means over the training rows seen */
    double rate;                   /* of the last step */
    double val_loss, val_accuracy; /* on what is held out; NaN where nothing is */
    double swing;                  /* of the loss from step to step: train/regime.h */
    double curvature; /* the largest at the epoch's end; NaN where it was not asked for */
    double momentum;  /* of the last step */
} epoch_metrics;

/* Further weights of the same graph, as "<name>.<parameter or buffer>". */
typedef struct checkpoint_weights {
    const char *name;
    nn_weights *weights;
} checkpoint_weights;

enum { CHECKPOINT_MORE = 2 };

typedef struct checkpoint {
    const nn_graph *graph; /* borrowed, like all below */
    nn_weights *weights;
    optimizer *optimizer;
    checkpoint_weights more[CHECKPOINT_MORE]; /* up to the first without weights */
    const char *key;                          /* of the run: see train_job_key */
    epoch_metrics *metrics;                   /* [epochs] */
    int epochs, done;                         /* of the whole run; finished */
} checkpoint;

ASSAY_MUST_CHECK assay_status checkpoint_save(const checkpoint *c,
                                              assay_ctx *ctx,
                                              const char *path);
/* Fills weights, optimizer, metrics and `done` if the file is there, whole and of this
 * run; else `done` is 0 and nothing is changed that the caller need not set up anew.
 * NOMEM */
ASSAY_MUST_CHECK assay_status checkpoint_load(checkpoint *c,
                                              assay_ctx *ctx,
                                              const char *path,
                                              bool *found);
/* metrics.jsonl: one line an epoch, written whole each time, so that it never holds half
 * an epoch or one epoch twice. */
ASSAY_MUST_CHECK assay_status metrics_write(assay_ctx *ctx,
                                            const char *path,
                                            const epoch_metrics *m,
                                            int epochs);

#endif

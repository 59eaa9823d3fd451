/* Which regime an epoch's steps were in (Leclerc and Madry 2020, arXiv 2002.10376): large
 * steps, whose loss swings, or small ones, that follow the gradient down. */
#ifndef TRAIN_REGIME_H
#define TRAIN_REGIME_H

#include "train/trainer_inside.h"

/* Adds a step's mean loss to the epoch's swing. */
void regime_step(regime_log *r, double loss);
/* Root mean square of the loss's change from step to step, over the epoch's mean loss. */
double regime_swing(const regime_log *r);
/* The largest curvature of the loss of the batch that the epoch ended with, where the
 * weights now are; batch norm by the batch's statistics, running ones untouched.
 * @cost 2 CURVATURE_ROUNDS steps */
ASSAY_MUST_CHECK assay_status regime_curvature(double *out,
                                               trainer *t,
                                               const train_batch *last);
/* "large" where rate times curvature is at least 1 + momentum: half of 2 (1 + momentum),
 * beyond which a quadratic's steps grow. */
const char *regime_name(double rate, double momentum, double curvature);

/* The first epoch behind a plateau of the training loss: three epochs on end that did not
 * come a hundredth below the least before them; -1 while there is none. It looks at
 * finished epochs alone, so a run that goes on finds the same.
 * (Large steps plateau at a high loss: Leclerc and Madry 2020, section 3.) */
int regime_plateau(const epoch_metrics *m, int done);

#endif

/* Schedules: the learning rate and the momentum of each step of a run. */
#ifndef TRAIN_SCHEDULE_H
#define TRAIN_SCHEDULE_H

#include "train/optimizer.h"
#include "train/settings.h"

/* What a schedule is told: numbers of the recipe. */
typedef struct schedule_options {
    double rate, momentum; /* the highest rate; momentum of the velocity */
    double warmup;         /* share of the run in which the rate rises from 0 */
    double decay;          /* wsd: last share, in which it falls to 0 */
    double switch_at;      /* two-regime: where large steps end, a share of the run */
    double large_momentum; /* two-regime: of the large steps */
    double small;          /* two-regime: what the rate is multiplied by at the switch */
} schedule_options;

typedef struct train_schedule {
    const char *name, *summary;
    double warmup; /* unless the recipe says otherwise */
    /* The pace behind the warm-up; t in [0,1] is how much of the whole run is done, u in
       [0,1] how much of what follows the warm-up. */
    train_pace (*at)(const schedule_options *o, double t, double u);
} train_schedule;

size_t schedule_count(void);
const train_schedule *schedule_at(size_t i);
const train_schedule *schedule_find(const char *name); /* NULL if there is none */

/* What the recipe says, with the schedule's own warm-up where it says none. */
schedule_options schedule_options_of(const train_schedule *s, const train_recipe *r);
/* The pace of a step: the schedule in the middle of it, so that no step is wasted on a
 * rate of 0. */
train_pace schedule_pace(const train_schedule *s,
                         const schedule_options *o,
                         int64_t step,
                         int64_t steps);

#endif

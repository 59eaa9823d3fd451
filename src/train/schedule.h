/* Learning-rate schedules: how the peak is scaled along a run. */
#ifndef TRAIN_SCHEDULE_H
#define TRAIN_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

typedef struct train_schedule {
    const char *name, *summary;
    double (*at)(double t); /* factor in [0,1] of the peak; t in [0,1] is how much of the
                               run is done */
} train_schedule;

size_t schedule_count(void);
const train_schedule *schedule_at(size_t i);
const train_schedule *schedule_find(const char *name); /* NULL if there is none */
/* The rate of a step: straight up to the peak in the share `warmup` of the run (below 1),
 * then the schedule over the rest; in the middle of the step, so that none is wasted on a
 * rate of 0. */
double schedule_rate(
    const train_schedule *s, double peak, double warmup, int64_t step, int64_t steps);

#endif

/* The schedules, as functions of the share of the run that is done. A new one is a row
 * here. */
#include "train/schedule.h"

#include <math.h>
#include <string.h>

/* Where one-cycle peaks (Smith and Topin 2018; FFCV's recipe peaks at epoch 5 of 24). */
#define ONE_CYCLE_PEAK 0.2

static double one_cycle(double t) {
    return t < ONE_CYCLE_PEAK ? t / ONE_CYCLE_PEAK : (1 - t) / (1 - ONE_CYCLE_PEAK);
}

static double cosine(double t) {
    return 0.5 * (1 + cos(t * 3.14159265358979323846));
}

static double linear(double t) {
    return 1 - t;
}

static double step(double t) {
    return t < 0.5 ? 1 : t < 0.75 ? 0.1 : 0.01;
}

static double constant(double t) {
    (void)t;
    return 1;
}

static const train_schedule schedules[] = {
    {"one-cycle", "up to the peak in a fifth of the run, then straight down to 0",
     one_cycle},
    {"cosine", "half a cosine from the peak to 0", cosine},
    {"linear", "straight from the peak to 0", linear},
    {"step", "a tenth after half the run, a hundredth after three quarters", step},
    {"constant", "the peak throughout", constant},
};

size_t schedule_count(void) {
    return sizeof schedules / sizeof *schedules;
}

const train_schedule *schedule_at(size_t i) {
    return &schedules[i];
}

const train_schedule *schedule_find(const char *name) {
    for (size_t i = 0; i < schedule_count(); i++)
        if (strcmp(schedules[i].name, name) == 0)
            return &schedules[i];
    return NULL;
}

double schedule_rate(
    const train_schedule *s, double peak, double warmup, int64_t at, int64_t steps) {
    double t = ((double)at + 0.5) / (double)steps;
    return t < warmup ? peak * t / warmup : peak * s->at((t - warmup) / (1 - warmup));
}

/* The schedules, as functions of the share of the run that is done. A new one is a row
 * here, and a word of the setting "schedule". */
#include "train/schedule.h"

#include <math.h>
#include <string.h>

/* Where one-cycle peaks (Smith and Topin 2018, arXiv 1708.07120; FFCV's recipe for
 * CIFAR-10 peaks at epoch 5 of 24). */
#define ONE_CYCLE_PEAK 0.2

static train_pace scaled(const schedule_options *o, double factor) {
    return (train_pace){.rate = o->rate * factor, .momentum = o->momentum};
}

static train_pace linear(const schedule_options *o, double t, double u) {
    (void)t;
    return scaled(o, 1 - u);
}

static train_pace cosine(const schedule_options *o, double t, double u) {
    (void)t;
    return scaled(o, 0.5 * (1 + cos(u * 3.14159265358979323846)));
}

static train_pace step(const schedule_options *o, double t, double u) {
    (void)u;
    return scaled(o, t < 0.5 ? 1 : t < 0.75 ? 0.1 : 0.01);
}

static train_pace constant(const schedule_options *o, double t, double u) {
    (void)t;
    (void)u;
    return scaled(o, 1);
}

/* Hu et al. 2024 (arXiv 2404.06395), with the straight decay of the trapezoid (Zhai et
 * al. 2022, arXiv 2106.04560). */
static train_pace warmup_stable_decay(const schedule_options *o, double t, double u) {
    (void)u;
    return scaled(o, 1 - t < o->decay ? (1 - t) / o->decay : 1);
}

/* Leclerc and Madry 2020 (arXiv 2002.10376), section 4: large steps without momentum,
 * then small ones with it, each regime with what serves it. */
static train_pace two_regime(const schedule_options *o, double t, double u) {
    (void)u;
    if (t < o->switch_at)
        return (train_pace){.rate = o->rate, .momentum = o->large_momentum};
    return scaled(o, o->small);
}

static const train_schedule schedules[] = {
    {"one-cycle", "up to the peak in a fifth of the run, then straight down to 0",
     ONE_CYCLE_PEAK, linear},
    {"cosine", "half a cosine from the peak to 0", 0, cosine},
    {"linear", "straight from the peak to 0", 0, linear},
    {"step", "a tenth after half the run, a hundredth after three quarters", 0, step},
    {"wsd", "warm-up, the peak, and straight down to 0 in the last part", 0.05,
     warmup_stable_decay},
    {"two-regime", "large steps without momentum, then small ones with it", 0,
     two_regime},
    {"constant", "the peak throughout", 0, constant},
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

schedule_options schedule_options_of(const train_schedule *s, const train_recipe *r) {
    return (schedule_options){.rate = r->lr,
                              .momentum = r->momentum,
                              .warmup = r->warmup < 0 ? s->warmup : r->warmup,
                              .decay = r->decay_share,
                              .switch_at = r->switch_at,
                              .large_momentum = r->large_momentum,
                              .small = r->small_steps};
}

train_pace schedule_pace(const train_schedule *s,
                         const schedule_options *o,
                         int64_t at,
                         int64_t steps) {
    double t = ((double)at + 0.5) / (double)steps;
    if (t >= o->warmup)
        return s->at(o, t, (t - o->warmup) / (1 - o->warmup));
    train_pace p = s->at(o, t, 0);
    p.rate *= t / o->warmup;
    return p;
}

/* Averages of weights along a run, which are better than the last ones: what is tested
 * and saved where a recipe asks for one.
 *
 * `ema`: kept = d kept + (1 - d) w after every step, d = min(ema, (1 + t) / (10 + t))
 * after t steps, so that the beginning is soon forgotten. The weights go on undisturbed.
 *
 * `lookahead`: after every k steps kept moves towards w, and w is set to kept (Zhang et
 * al. 2019, arXiv 1907.08610), with Jordan's share (2024, arXiv 2404.00498, airbench):
 * kept keeps 0.95^k (t / steps)^3 of itself, next to nothing at first.
 *
 * Running statistics are averaged like weights. */
#ifndef TRAIN_AVERAGE_H
#define TRAIN_AVERAGE_H

#include "nn/graph.h"

typedef struct average {
    assay_ctx *ctx;
    nn_weights kept;
    size_t params, buffers;
    double ema;    /* 0: none */
    int lookahead; /* steps between two of it; 0: none */
    int64_t steps; /* of the whole run */
} average;

/* Starts at `now`. */
ASSAY_MUST_CHECK assay_status average_create(average *out,
                                             assay_ctx *ctx,
                                             const nn_graph *g,
                                             const nn_weights *now,
                                             double ema,
                                             int lookahead,
                                             int64_t steps);
void average_destroy(average *a); /* accepts a zeroed one */
bool average_on(const average *a);
/* Back to the start. */
void average_reset(average *a, const nn_weights *now);
/* After so many steps of the run; lookahead changes the weights. */
void average_step(average *a, nn_weights *now, int64_t taken);
/* The average takes the weights' place; the weights are lost. */
void average_take(const average *a, nn_weights *now);

#endif

/* AdamW: Adam with weight decay of its own (Loshchilov and Hutter 2019, arXiv 1711.05101,
 * algorithm 2; bias correction and the place of epsilon as PyTorch has them):
 *     w -= rate * decay * w                (only where the parameter is subject to decay)
 *     m  = beta1 * m + (1 - beta1) * g
 *     v  = beta2 * v + (1 - beta2) * g^2
 *     w -= rate / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + epsilon) */
#ifndef TRAIN_ADAMW_H
#define TRAIN_ADAMW_H

#include "nn/graph.h"

typedef struct adamw_options {
    double beta1, beta2, epsilon, weight_decay;
} adamw_options;
#define ADAMW_OPTIONS_INIT                                                               \
    { .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .weight_decay = 0.01 }

typedef struct adamw {
    assay_ctx *ctx;
    const nn_graph *graph; /* borrowed */
    float *first, *second; /* moments, beside the flat parameters */
    int64_t steps;         /* taken */
    adamw_options options;
} adamw;

ASSAY_MUST_CHECK assay_status adamw_create(adamw *out,
                                           assay_ctx *ctx,
                                           const nn_graph *g,
                                           const adamw_options *options);
void adamw_destroy(adamw *a); /* accepts a zeroed one */
/* One step on the flat parameters. Allocates nothing. */
void adamw_step(adamw *a, float *params, const float *grads, double rate);

#endif

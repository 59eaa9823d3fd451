/* Stochastic gradient descent with Nesterov momentum and weight decay (PyTorch's form):
 *     g' = g + decay * w       (only where the parameter is subject to decay)
 *     v  = momentum * v + g'
 *     w -= rate * (g' + momentum * v) */
#ifndef TRAIN_SGD_H
#define TRAIN_SGD_H

#include "nn/graph.h"

typedef struct sgd_span {
    size_t begin, count;
    bool decay;
} sgd_span;

typedef struct sgd {
    assay_ctx *ctx;
    float *velocity; /* [floats], beside the flat parameters */
    size_t floats;
    sgd_span *span; /* runs of parameters that agree about decay */
    size_t n_spans;
    double momentum, weight_decay;
} sgd;

ASSAY_MUST_CHECK assay_status sgd_create(
    sgd *out, assay_ctx *ctx, const nn_graph *g, double momentum, double weight_decay);
void sgd_destroy(sgd *s); /* accepts a zeroed one */
/* One step on the flat parameters. Allocates nothing. */
void sgd_step(sgd *s, float *params, const float *grads, double rate);

#endif

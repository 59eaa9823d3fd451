/* A graph in float64, node by node through the ops' own references: slow, plain, and what
 * the executor's results are compared with. Nothing is fused, nothing shares memory. */
#ifndef NN_REFERENCE_H
#define NN_REFERENCE_H

#include "nn/exec.h"

typedef struct nn_reference nn_reference;

/* For exactly `n` examples. Parameters and buffers are copied from `weights`, constants
 * from the graph; inputs are nought until they are filled. NN_TRAIN takes the batch's
 * statistics, NN_EVAL and NN_CAPTURE the running ones; buffers do not move, and ops that
 * draw do not (dropout is the identity).
 * @errors NOMEM, INVALID   @threads one at a time */
ASSAY_MUST_CHECK assay_status nn_reference_create(nn_reference **out,
                                                  assay_ctx *ctx,
                                                  const nn_graph *g,
                                                  const nn_weights *weights,
                                                  nn_mode mode,
                                                  int n);
void nn_reference_destroy(nn_reference *r);

/* A value's contents, in the order in which the executor keeps it; integers as the number
 * they are. Inputs and parameters may be written. NULL for a value of another graph. */
double *nn_reference_value(nn_reference *r, nn_value v);
/* Elements of it. */
size_t nn_reference_count(const nn_reference *r, nn_value v);

/* Computes `target` and what it depends on. */
void nn_reference_forward(nn_reference *r, nn_value target);
/* The gradients of sum(seed * target) with respect to every f32 value that the target
 * depends on, after a forward to the same target; `seed` has as many numbers as it.
 * @errors NOMEM */
ASSAY_MUST_CHECK assay_status nn_reference_backward(nn_reference *r,
                                                    nn_value target,
                                                    const double *seed);
/* The gradient of a value, after backward; NULL if none reaches it. */
const double *nn_reference_grad(const nn_reference *r, nn_value v);

#endif

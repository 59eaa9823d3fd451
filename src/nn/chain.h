/* Training steps of a chain: linear layers with ReLU between them, softmax cross-entropy
 * behind, SGD with momentum. What the executor and the optimizer do in many passes is
 * done here in few, for models whose weights and velocities fit into the second-level
 * cache: weights lie turned so that both big products read them row by row, a batch is
 * read where its rows lie, no gradient of a weight is ever written, since the update
 * follows in the registers that summed it.
 *
 * Every number comes by the same operations as on the general path: the same bits where
 * that one uses the products of gemm.h (on batches of at most GEMM_DEPTH rows), and
 * rounding's difference where it calls oneDNN.
 */
#ifndef NN_CHAIN_H
#define NN_CHAIN_H

#include "nn/graph.h"

typedef struct layer_chain layer_chain;

/* w -= rate (g' + momentum v) with v = momentum v + g', g' = g + decay w, as
 * train/optimizers/sgd.c has it; without Nesterov's look ahead rate * v. Decay is for
 * parameters that are subject to it. */
typedef struct chain_sgd {
    float rate, momentum, decay;
    bool nesterov;
} chain_sgd;

/* Whether the graph from its images [0,C,H,W] to a cross-entropy of its labels is such a
 * chain and nothing else is trained, and the chain is small enough. */
bool chain_fits(const nn_graph *g, nn_value images, nn_value logits, nn_value loss);

/* For batches of at most so many rows; the graph is not kept. INVALID if it does not fit.
 */
ASSAY_MUST_CHECK assay_status chain_create(layer_chain **out,
                                           assay_ctx *ctx,
                                           const nn_graph *g,
                                           nn_value images,
                                           nn_value logits,
                                           nn_value loss,
                                           int batch);
void chain_destroy(layer_chain *c); /* accepts NULL */

/* From and to the flat vectors of the graph; velocity NULL: nought, or not wanted. */
void chain_load(layer_chain *c, const float *params, const float *velocity);
void chain_store(const layer_chain *c, float *params, float *velocity);

/* One step on n rows: forward, backward from the mean loss, update. row[i] points at an
 * example's floats in logical order (channel by channel). Adds up the losses. Allocates
 * nothing. INVALID if a label is no class. */
ASSAY_MUST_CHECK assay_status chain_step(layer_chain *c,
                                         const float *const *row,
                                         const int32_t *labels,
                                         int n,
                                         const chain_sgd *sgd,
                                         double *loss);
/* Forward only, of 1..batch rows. */
void chain_forward(layer_chain *c, const float *const *row, int n);
/* Logits of the last step or forward: `ld` floats from row to row. */
const float *chain_logits(const layer_chain *c, size_t *ld);
size_t chain_width(const layer_chain *c); /* floats of an example */

#endif

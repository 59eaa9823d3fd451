/* The first block of a network, convolution + batch norm (+ ReLU (+ 2 x 2 pooling)), in
 * passes over single examples: the large image between them exists for one example at a
 * time, in the cache, and is computed again where it is needed again. With a thin input
 * that is cheaper than writing and reading it. Called by conv2d, whose node comes first.
 */
#ifndef NN_STEM_H
#define NN_STEM_H

#include "nn/norm.h"

/* How many of the nodes behind the convolution the stem takes. */
int stem_fuse(
    const nn_node *conv, const nn_node *const *next, int n, nn_mode mode, bool x_grad);
assay_status stem_plan(nn_plan *p);
void stem_unplan(nn_plan *p);
assay_status stem_forward(nn_io *io);
assay_status stem_backward(nn_io *io);

#endif

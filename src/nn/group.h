/* Group and instance norms: each example's groups of channels are brought to mean 0 and
 * variance 1 on their own (Wu & He 2018, arXiv 1803.08494, eq. 1 to 3), then scaled and
 * shifted per channel. The same in training and evaluation. */
#ifndef NN_GROUP_H
#define NN_GROUP_H

#include "nn/kernels.h"

/* Inputs: x, scale [C], shift [C]. `groups` part the channels. */
assay_status group_infer(nn_node *node, int64_t groups);
assay_status group_plan(nn_plan *p);
void group_forward(nn_io *io, int64_t groups);
void group_backward(nn_io *io, int64_t groups);
void group_factors(const nn_io *io, nn_factor *f);
void group_reference(const nn_node *node,
                     int64_t groups,
                     int n,
                     const double *const *in,
                     double *out,
                     const double *d_out,
                     double *const *d_in);

#endif

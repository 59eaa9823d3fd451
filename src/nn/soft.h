/* What softmax and log_softmax share: one axis, anywhere, in either layout. */
#ifndef NN_SOFT_H
#define NN_SOFT_H

#include "nn/op.h"

extern const char *const soft_attrs[];
assay_status soft_infer(nn_node *node);
assay_status soft_plan(nn_plan *p);
assay_status soft_forward(nn_io *io, bool logarithm);
assay_status soft_backward(nn_io *io, bool logarithm);
void soft_reference(const nn_node *node,
                    int n,
                    bool logarithm,
                    const double *x,
                    double *out,
                    const double *d_out,
                    double *d_in);

#endif

/* What layer_norm and rms_norm share: rows of the last dimensions, brought to mean 0 and
 * variance 1 or to root mean square 1. */
#ifndef NN_ROW_NORM_H
#define NN_ROW_NORM_H

#include "nn/op.h"

extern const char *const row_norm_attrs[];
assay_status row_norm_infer(nn_node *node);
assay_status row_norm_plan(nn_plan *p);
assay_status row_norm_forward(nn_io *io, bool centred);
assay_status row_norm_backward(nn_io *io, bool centred);
void row_norm_factors(const nn_io *io, nn_factor *f);
void row_norm_reference(const nn_node *node,
                        int n,
                        bool centred,
                        const double *const *in,
                        double *out,
                        const double *d_out,
                        double *const *d_in);
/* For the ops' rules of nn/tangent.h. */
assay_status row_norm_tangent(nn_value *out, const nn_tangent *t, bool centred);

#endif

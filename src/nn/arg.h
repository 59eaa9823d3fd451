/* Where along an axis the largest or the smallest element is: argmax, argmin. Attributes
 * "axis" (0), "keepdims" (1), "select_last" (0: of equal ones the first). NaN is larger
 * and smaller than all. No gradient. */
#ifndef NN_ARG_H
#define NN_ARG_H

#include "nn/op.h"

extern const char *const arg_attrs[];
extern const nn_op_case arg_cases[];

assay_status arg_infer(nn_node *node);
assay_status arg_forward(nn_io *io, bool largest);
void arg_reference(
    const nn_node *node, int n, const double *in, double *out, bool largest);

#endif

/* argmin: where along "axis" the smallest element is, as i64. */
#include "nn/arg.h"

static assay_status argmin_forward(nn_io *io) {
    return arg_forward(io, false);
}

static void argmin_reference(const nn_node *node,
                             int n,
                             bool training,
                             const double *const *in,
                             double *out,
                             const double *d_out,
                             double *const *d_in) {
    (void)training, (void)d_out, (void)d_in;
    arg_reference(node, n, in[0], out, false);
}

const nn_op_def assay_op_argmin = {
    .name = "argmin",
    .summary = "where along an axis the smallest element is",
    .min_inputs = 1,
    .max_inputs = 1,
    .layout = NN_ROWS,
    .dtypes = ~0u,
    .no_grad = true,
    .attrs = arg_attrs,
    .infer = arg_infer,
    .forward = argmin_forward,
    .reference = argmin_reference,
    .cases = arg_cases,
};

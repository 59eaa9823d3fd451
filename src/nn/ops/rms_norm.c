/* rms_norm: y = x / sqrt(mean of squares + eps) gain over the last `dims` dimensions
 * (Zhang and Sennrich 2019, arXiv 1910.07467). */
#include "nn/row_norm.h"

static assay_status rms_norm_forward(nn_io *io) {
    return row_norm_forward(io, false);
}

static assay_status rms_norm_backward(nn_io *io) {
    return row_norm_backward(io, false);
}

static void rms_norm_reference(const nn_node *node,
                               int n,
                               bool training,
                               const double *const *in,
                               double *out,
                               const double *d_out,
                               double *const *d_in) {
    (void)training;
    row_norm_reference(node, n, false, in, out, d_out, d_in);
}

static assay_status rms_norm_tangent(nn_value *out, const nn_tangent *t) {
    return row_norm_tangent(out, t, false);
}

static const nn_op_case rms_norm_cases[] = {
    {.name = "tokens",
     .batch = 3,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {3, {0, 5, 37}}}, {NN_CASE_PARAM, {1, {37}}}}},
    {.name = "no gain",
     .batch = 2,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {2, {0, 5}}}}},
    {0}};

const nn_op_def assay_op_rms_norm = {
    .name = "rms_norm",
    .summary = "brings each row to root mean square 1",
    .min_inputs = 1,
    .max_inputs = 2,
    .layout = NN_ROWS,
    .half_in = 1,
    .half_out = true,
    .attrs = row_norm_attrs,
    .infer = row_norm_infer,
    .plan = row_norm_plan,
    .forward = rms_norm_forward,
    .backward = rms_norm_backward,
    .factors = row_norm_factors,
    .tangent = rms_norm_tangent,
    .reference = rms_norm_reference,
    .cases = rms_norm_cases,
};

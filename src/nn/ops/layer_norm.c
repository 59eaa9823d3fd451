/* layer_norm: y = (x - mean) / sqrt(variance + eps) gain + bias over the last `dims`
 * dimensions (Ba et al. 2016, arXiv 1607.06450). */
#include "nn/row_norm.h"

static assay_status layer_norm_forward(nn_io *io) {
    return row_norm_forward(io, true);
}

static assay_status layer_norm_backward(nn_io *io) {
    return row_norm_backward(io, true);
}

static void layer_norm_reference(const nn_node *node,
                                 int n,
                                 bool training,
                                 const double *const *in,
                                 double *out,
                                 const double *d_out,
                                 double *const *d_in) {
    (void)training;
    row_norm_reference(node, n, true, in, out, d_out, d_in);
}

static assay_status layer_norm_tangent(nn_value *out, const nn_tangent *t) {
    return row_norm_tangent(out, t, true);
}

static const nn_op_case layer_norm_cases[] = {
    {.name = "tokens",
     .batch = 3,
     .n = 2,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {3, {0, 5, 37}}},
            {NN_CASE_PARAM, {1, {37}}},
            {NN_CASE_PARAM, {1, {37}}}}},
    {.name = "many rows",
     .batch = 3,
     .n = 3,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {3, {0, 50, 16}}},
            {NN_CASE_PARAM, {1, {16}}},
            {NN_CASE_PARAM, {1, {16}}}}},
    {.name = "an image's last two",
     .batch = 2,
     .n = 2,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {4, {0, 2, 3, 7}}},
            {NN_CASE_PARAM, {2, {3, 7}}},
            {NN_CASE_PARAM, {2, {3, 7}}}},
     .attr = {{.name = "dims", .i = {2}, .count = 1}},
     .n_attrs = 1},
    {.name = "no gain",
     .batch = 2,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {2, {0, 5}}}}},
    {0}};

const nn_op_def assay_op_layer_norm = {
    .name = "layer_norm",
    .summary = "brings each row to mean 0 and variance 1",
    .min_inputs = 1,
    .max_inputs = 3,
    .layout = NN_ROWS,
    .half_in = 1,
    .half_out = true,
    .attrs = row_norm_attrs,
    .infer = row_norm_infer,
    .plan = row_norm_plan,
    .forward = layer_norm_forward,
    .backward = layer_norm_backward,
    .factors = row_norm_factors,
    .tangent = layer_norm_tangent,
    .reference = layer_norm_reference,
    .cases = layer_norm_cases,
};

/* log_softmax: y_k = x_k - log sum_j exp(x_j) along `axis` (-1: the last). */
#include "nn/soft.h"

static assay_status log_softmax_forward(nn_io *io) {
    return soft_forward(io, true);
}

static assay_status log_softmax_backward(nn_io *io) {
    return soft_backward(io, true);
}

static void log_softmax_reference(const nn_node *node,
                                  int n,
                                  bool training,
                                  const double *const *in,
                                  double *out,
                                  const double *d_out,
                                  double *const *d_in) {
    (void)training;
    soft_reference(node, n, true, in[0], out, d_out, d_in[0]);
}

static const nn_op_case log_softmax_cases[] = {
    {.name = "rows of tokens",
     .batch = 3,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {3, {0, 4, 37}}}}},
    {.name = "channels of an image",
     .batch = 2,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 5, 3, 4}}}},
     .attr = {{.name = "axis", .i = {1}, .count = 1}},
     .n_attrs = 1},
    {.name = "a middle axis",
     .batch = 2,
     .n = 1,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {3, {0, 6, 19}}}},
     .attr = {{.name = "axis", .i = {-2}, .count = 1}},
     .n_attrs = 1},
    {.name = "columns of an image",
     .batch = 2,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 2, 3, 4}}}},
     .attr = {{.name = "axis", .i = {3}, .count = 1}},
     .n_attrs = 1},
    {0}};

const nn_op_def assay_op_log_softmax = {
    .name = "log_softmax",
    .summary = "the logarithm of a softmax",
    .min_inputs = 1,
    .max_inputs = 1,
    .layout = NN_ANY,
    .half_in = 1,
    .half_out = true,
    .attrs = soft_attrs,
    .infer = soft_infer,
    .plan = soft_plan,
    .forward = log_softmax_forward,
    .backward = log_softmax_backward,
    .reference = log_softmax_reference,
    .cases = log_softmax_cases,
};

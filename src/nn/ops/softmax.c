/* softmax: y_k = exp(x_k) / sum_j exp(x_j) along `axis` (-1: the last). */
#include "nn/soft.h"
#include "nn/tangent.h"

static assay_status softmax_forward(nn_io *io) {
    return soft_forward(io, false);
}

static assay_status softmax_backward(nn_io *io) {
    return soft_backward(io, false);
}

static void softmax_reference(const nn_node *node,
                              int n,
                              bool training,
                              const double *const *in,
                              double *out,
                              const double *d_out,
                              double *const *d_in) {
    (void)training;
    soft_reference(node, n, false, in[0], out, d_out, d_in[0]);
}

static assay_status softmax_tangent(nn_value *out, const nn_tangent *t) {
    return nn_tangent_shares(out, t, t->node->out, t->of[0],
                             nn_attr_i(t->node, "axis", -1));
}

static const nn_op_case softmax_cases[] = {
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

const nn_op_def assay_op_softmax = {
    .name = "softmax",
    .summary = "shares that add up to one along an axis",
    .min_inputs = 1,
    .max_inputs = 1,
    .layout = NN_ANY,
    .half_in = 1,
    .half_out = true,
    .attrs = soft_attrs,
    .infer = soft_infer,
    .plan = soft_plan,
    .forward = softmax_forward,
    .backward = softmax_backward,
    .tangent = softmax_tangent,
    .reference = softmax_reference,
    .cases = softmax_cases,
};

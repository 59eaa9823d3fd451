/* selu: an ELU whose constants keep mean 0 and variance 1. Klambauer et al. 2017, arXiv
 * 1706.02515, eq. 2. The constants are ONNX's and PyTorch's. */
#include "nn/pointwise.h"

#include <math.h>

static const char *const selu_attrs[] = {"alpha", "gamma", NULL};

static void numbers(const nn_node *node, double p[POINTWISE_NUMBERS]) {
    p[0] = nn_attr_f(node, "alpha", 1.6732632423543772);
    p[1] = nn_attr_f(node, "gamma", 1.0507009873554805);
    p[2] = 1;
}

static double at(double x, const double p[POINTWISE_NUMBERS], double *slope) {
    double e = exp(p[2] * x);
    *slope = x > 0 ? p[1] : p[1] * p[0] * p[2] * e;
    return x > 0 ? p[1] * x : p[1] * p[0] * (e - 1);
}

static const pointwise family = {POINTWISE_ELU, numbers, at};

static assay_status selu_forward(nn_io *io) {
    pointwise_forward(&family, io);
    return ASSAY_OK;
}

static assay_status selu_backward(nn_io *io) {
    pointwise_backward(&family, io);
    return ASSAY_OK;
}

static void selu_reference(const nn_node *node,
                           int n,
                           bool training,
                           const double *const *in,
                           double *out,
                           const double *d_out,
                           double *const *d_in) {
    (void)training;
    pointwise_reference(&family, node, n, in[0], out, d_out, d_in[0]);
}

static const nn_op_case selu_cases[] = {
    {.name = "odd image",
     .batch = 3,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 5, 7, 3}}}}},
    {.name = "other constants",
     .batch = 4,
     .n = 4,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {2, {0, 37}}}},
     .attr = {{.name = "alpha", .f = 1.2}, {.name = "gamma", .f = 0.8}},
     .n_attrs = 2},
    {.name = "static",
     .batch = 2,
     .n = 1,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {3, {3, 1, 11}}}}},
    {0}};

const nn_op_def assay_op_selu = {
    .name = "selu",
    .summary = "an ELU that keeps mean and variance",
    .min_inputs = 1,
    .max_inputs = 1,
    .layout = NN_ANY,
    .half_in = 1,
    .half_out = true,
    .attrs = selu_attrs,
    .infer = pointwise_infer,
    .plan = pointwise_plan,
    .forward = selu_forward,
    .backward = selu_backward,
    .reference = selu_reference,
    .cases = selu_cases,
};

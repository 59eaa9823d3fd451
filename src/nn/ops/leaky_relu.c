/* leaky_relu: x above zero, alpha x below (alpha 0.01). */
#include "nn/pointwise.h"

static const char *const leaky_relu_attrs[] = {"alpha", NULL};

static void numbers(const nn_node *node, double p[POINTWISE_NUMBERS]) {
    p[0] = nn_attr_f(node, "alpha", 0.01);
}

static double at(double x, const double p[POINTWISE_NUMBERS], double *slope) {
    *slope = x > 0 ? 1 : p[0];
    return x > 0 ? x : p[0] * x;
}

static const pointwise family = {POINTWISE_LEAKY, numbers, at};

static assay_status leaky_relu_forward(nn_io *io) {
    pointwise_forward(&family, io);
    return ASSAY_OK;
}

static assay_status leaky_relu_backward(nn_io *io) {
    pointwise_backward(&family, io);
    return ASSAY_OK;
}

static void leaky_relu_reference(const nn_node *node,
                                 int n,
                                 bool training,
                                 const double *const *in,
                                 double *out,
                                 const double *d_out,
                                 double *const *d_in) {
    (void)training;
    pointwise_reference(&family, node, n, in[0], out, d_out, d_in[0]);
}

static const nn_op_case leaky_relu_cases[] = {
    {.name = "odd image",
     .batch = 3,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 5, 7, 3}}}}},
    {.name = "a slope of 0.3",
     .batch = 4,
     .n = 4,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {2, {0, 37}}}},
     .attr = {{.name = "alpha", .f = 0.3}},
     .n_attrs = 1},
    {.name = "static",
     .batch = 2,
     .n = 1,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {3, {3, 1, 11}}}}},
    {0}};

const nn_op_def assay_op_leaky_relu = {
    .name = "leaky_relu",
    .summary = "the identity, flatter below zero",
    .min_inputs = 1,
    .max_inputs = 1,
    .layout = NN_ANY,
    .half_in = 1,
    .half_out = true,
    .attrs = leaky_relu_attrs,
    .infer = pointwise_infer,
    .plan = pointwise_plan,
    .forward = leaky_relu_forward,
    .backward = leaky_relu_backward,
    .reference = leaky_relu_reference,
    .cases = leaky_relu_cases,
};

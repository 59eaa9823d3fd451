/* thresholded_relu: x where it is above alpha (1), zero elsewhere. */
#include "nn/pointwise.h"

static const char *const thresholded_relu_attrs[] = {"alpha", NULL};

static void numbers(const nn_node *node, double p[POINTWISE_NUMBERS]) {
    p[0] = nn_attr_f(node, "alpha", 1);
}

static double at(double x, const double p[POINTWISE_NUMBERS], double *slope) {
    *slope = x > p[0] ? 1 : 0;
    return x > p[0] ? x : 0;
}

static const pointwise family = {POINTWISE_THRESHOLDED, numbers, at};

static assay_status thresholded_relu_forward(nn_io *io) {
    pointwise_forward(&family, io);
    return ASSAY_OK;
}

static assay_status thresholded_relu_backward(nn_io *io) {
    pointwise_backward(&family, io);
    return ASSAY_OK;
}

static void thresholded_relu_reference(const nn_node *node,
                                       int n,
                                       bool training,
                                       const double *const *in,
                                       double *out,
                                       const double *d_out,
                                       double *const *d_in) {
    (void)training;
    pointwise_reference(&family, node, n, in[0], out, d_out, d_in[0]);
}

static const nn_op_case thresholded_relu_cases[] = {
    {.name = "odd image",
     .batch = 3,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 5, 7, 3}}}}},
    {.name = "alpha -0.4",
     .batch = 4,
     .n = 4,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {2, {0, 37}}}},
     .attr = {{.name = "alpha", .f = -0.4}},
     .n_attrs = 1},
    {.name = "static",
     .batch = 2,
     .n = 1,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {3, {3, 1, 11}}}}},
    {0}};

const nn_op_def assay_op_thresholded_relu = {
    .name = "thresholded_relu",
    .summary = "x above a threshold, zero elsewhere",
    .min_inputs = 1,
    .max_inputs = 1,
    .layout = NN_ANY,
    .half_in = 1,
    .half_out = true,
    .attrs = thresholded_relu_attrs,
    .infer = pointwise_infer,
    .plan = pointwise_plan,
    .forward = thresholded_relu_forward,
    .backward = thresholded_relu_backward,
    .reference = thresholded_relu_reference,
    .cases = thresholded_relu_cases,
};

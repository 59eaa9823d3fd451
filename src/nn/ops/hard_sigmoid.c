/* hard_sigmoid: alpha x + beta, cut to [0, 1]. ONNX's alpha 0.2 and beta 0.5; PyTorch has
 * an alpha of 1/6. */
#include "nn/pointwise.h"

#include <math.h>

static const char *const hard_sigmoid_attrs[] = {"alpha", "beta", NULL};

static void numbers(const nn_node *node, double p[POINTWISE_NUMBERS]) {
    p[0] = nn_attr_f(node, "alpha", 0.2);
    p[1] = nn_attr_f(node, "beta", 0.5);
}

static double at(double x, const double p[POINTWISE_NUMBERS], double *slope) {
    double line = p[0] * x + p[1];
    bool inside = line > 0 && line < 1;
    *slope = inside ? p[0] : 0;
    return fmin(fmax(line, 0), 1);
}

static const pointwise family = {POINTWISE_HARD_SIGMOID, numbers, at};

static assay_status hard_sigmoid_forward(nn_io *io) {
    pointwise_forward(&family, io);
    return ASSAY_OK;
}

static assay_status hard_sigmoid_backward(nn_io *io) {
    pointwise_backward(&family, io);
    return ASSAY_OK;
}

static void hard_sigmoid_reference(const nn_node *node,
                                   int n,
                                   bool training,
                                   const double *const *in,
                                   double *out,
                                   const double *d_out,
                                   double *const *d_in) {
    (void)training;
    pointwise_reference(&family, node, n, in[0], out, d_out, d_in[0]);
}

static const nn_op_case hard_sigmoid_cases[] = {
    {.name = "odd image",
     .batch = 3,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 5, 7, 3}}}}},
    {.name = "alpha 1/2, beta 0.4",
     .batch = 4,
     .n = 4,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {2, {0, 37}}}},
     .attr = {{.name = "alpha", .f = 0.5}, {.name = "beta", .f = 0.4}},
     .n_attrs = 2},
    {.name = "static",
     .batch = 2,
     .n = 1,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {3, {3, 1, 11}}}}},
    {0}};

const nn_op_def assay_op_hard_sigmoid = {
    .name = "hard_sigmoid",
    .summary = "a line cut to [0, 1]",
    .min_inputs = 1,
    .max_inputs = 1,
    .layout = NN_ANY,
    .half_in = 1,
    .half_out = true,
    .attrs = hard_sigmoid_attrs,
    .infer = pointwise_infer,
    .plan = pointwise_plan,
    .forward = hard_sigmoid_forward,
    .backward = hard_sigmoid_backward,
    .reference = hard_sigmoid_reference,
    .cases = hard_sigmoid_cases,
};

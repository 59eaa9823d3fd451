/* mish: x tanh(log(1 + e^x)). Misra 2019, arXiv 1908.08681, eq. 1. */
#include "nn/pointwise.h"

#include <math.h>

static void numbers(const nn_node *node, double p[POINTWISE_NUMBERS]) {
    (void)node, (void)p;
}

static double at(double x, const double p[POINTWISE_NUMBERS], double *slope) {
    (void)p;
    double gate = tanh(log1p(exp(x)));
    *slope = gate + x * (1 - gate * gate) / (1 + exp(-x));
    return x * gate;
}

static const pointwise family = {POINTWISE_MISH, numbers, at};

static assay_status mish_forward(nn_io *io) {
    pointwise_forward(&family, io);
    return ASSAY_OK;
}

static assay_status mish_backward(nn_io *io) {
    pointwise_backward(&family, io);
    return ASSAY_OK;
}

static void mish_reference(const nn_node *node,
                           int n,
                           bool training,
                           const double *const *in,
                           double *out,
                           const double *d_out,
                           double *const *d_in) {
    (void)training;
    pointwise_reference(&family, node, n, in[0], out, d_out, d_in[0]);
}

static const nn_op_case mish_cases[] = {{.name = "odd image",
                                         .batch = 3,
                                         .n = 2,
                                         .n_inputs = 1,
                                         .in = {{NN_CASE_VALUE, {4, {0, 5, 7, 3}}}}},
                                        {.name = "another vector",
                                         .batch = 4,
                                         .n = 4,
                                         .n_inputs = 1,
                                         .in = {{NN_CASE_VALUE, {2, {0, 37}}}}},
                                        {.name = "static",
                                         .batch = 2,
                                         .n = 1,
                                         .n_inputs = 1,
                                         .in = {{NN_CASE_VALUE, {3, {3, 1, 11}}}}},
                                        {0}};

const nn_op_def assay_op_mish = {
    .name = "mish",
    .summary = "x tanh(softplus(x))",
    .min_inputs = 1,
    .max_inputs = 1,
    .layout = NN_ANY,
    .half_in = 1,
    .half_out = true,
    .infer = pointwise_infer,
    .plan = pointwise_plan,
    .forward = mish_forward,
    .backward = mish_backward,
    .reference = mish_reference,
    .cases = mish_cases,
};

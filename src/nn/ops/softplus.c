/* softplus: log(1 + e^x), a smooth positive part. */
#include "nn/pointwise.h"

#include <math.h>

static void numbers(const nn_node *node, double p[POINTWISE_NUMBERS]) {
    (void)node, (void)p;
}

static double at(double x, const double p[POINTWISE_NUMBERS], double *slope) {
    (void)p;
    *slope = 1 / (1 + exp(-x));
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

static const pointwise family = {POINTWISE_SOFTPLUS, numbers, at};

static assay_status softplus_forward(nn_io *io) {
    pointwise_forward(&family, io);
    return ASSAY_OK;
}

static assay_status softplus_backward(nn_io *io) {
    pointwise_backward(&family, io);
    return ASSAY_OK;
}

static void softplus_reference(const nn_node *node,
                               int n,
                               bool training,
                               const double *const *in,
                               double *out,
                               const double *d_out,
                               double *const *d_in) {
    (void)training;
    pointwise_reference(&family, node, n, in[0], out, d_out, d_in[0]);
}

static const nn_op_case softplus_cases[] = {{.name = "odd image",
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

const nn_op_def assay_op_softplus = {
    .name = "softplus",
    .summary = "a smooth positive part",
    .min_inputs = 1,
    .max_inputs = 1,
    .layout = NN_ANY,
    .half_in = 1,
    .half_out = true,
    .infer = pointwise_infer,
    .plan = pointwise_plan,
    .forward = softplus_forward,
    .backward = softplus_backward,
    .reference = softplus_reference,
    .cases = softplus_cases,
};

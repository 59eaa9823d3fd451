/* relu6: x cut to [0, 6]. Krizhevsky 2010; MobileNets have it. */
#include "nn/pointwise.h"

#include <math.h>

static void numbers(const nn_node *node, double p[POINTWISE_NUMBERS]) {
    (void)node;
    p[0] = 0;
    p[1] = 6;
}

static double at(double x, const double p[POINTWISE_NUMBERS], double *slope) {
    *slope = x > p[0] && x < p[1] ? 1 : 0;
    return fmin(fmax(x, p[0]), p[1]);
}

static const pointwise family = {POINTWISE_CUT, numbers, at};

static assay_status relu6_forward(nn_io *io) {
    pointwise_forward(&family, io);
    return ASSAY_OK;
}

static assay_status relu6_backward(nn_io *io) {
    pointwise_backward(&family, io);
    return ASSAY_OK;
}

static void relu6_reference(const nn_node *node,
                            int n,
                            bool training,
                            const double *const *in,
                            double *out,
                            const double *d_out,
                            double *const *d_in) {
    (void)training;
    pointwise_reference(&family, node, n, in[0], out, d_out, d_in[0]);
}

static const nn_op_case relu6_cases[] = {{.name = "odd image",
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

const nn_op_def assay_op_relu6 = {
    .name = "relu6",
    .summary = "x cut to [0, 6]",
    .min_inputs = 1,
    .max_inputs = 1,
    .layout = NN_ANY,
    .half_in = 1,
    .half_out = true,
    .infer = pointwise_infer,
    .plan = pointwise_plan,
    .forward = relu6_forward,
    .backward = relu6_backward,
    .reference = relu6_reference,
    .cases = relu6_cases,
};

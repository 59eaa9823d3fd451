/* celu: x above zero, alpha (e^(x / alpha) - 1) below (alpha 1): smooth for every alpha.
 * Barron 2017, arXiv 1704.07483, eq. 2. */
#include "nn/pointwise.h"

#include <math.h>

static const char *const celu_attrs[] = {"alpha", NULL};

static assay_status celu_infer(nn_node *node) {
    if (nn_attr_f(node, "alpha", 1) == 0)
        return err_set(ASSAY_E_INVALID, "celu: alpha is 0");
    return pointwise_infer(node);
}

static void numbers(const nn_node *node, double p[POINTWISE_NUMBERS]) {
    p[0] = nn_attr_f(node, "alpha", 1);
    p[1] = 1;
    p[2] = 1 / p[0];
}

static double at(double x, const double p[POINTWISE_NUMBERS], double *slope) {
    double e = exp(p[2] * x);
    *slope = x > 0 ? p[1] : p[1] * p[0] * p[2] * e;
    return x > 0 ? p[1] * x : p[1] * p[0] * (e - 1);
}

static const pointwise family = {POINTWISE_ELU, numbers, at};

static assay_status celu_forward(nn_io *io) {
    pointwise_forward(&family, io);
    return ASSAY_OK;
}

static assay_status celu_backward(nn_io *io) {
    pointwise_backward(&family, io);
    return ASSAY_OK;
}

static void celu_reference(const nn_node *node,
                           int n,
                           bool training,
                           const double *const *in,
                           double *out,
                           const double *d_out,
                           double *const *d_in) {
    (void)training;
    pointwise_reference(&family, node, n, in[0], out, d_out, d_in[0]);
}

static const nn_op_case celu_cases[] = {{.name = "odd image",
                                         .batch = 3,
                                         .n = 2,
                                         .n_inputs = 1,
                                         .in = {{NN_CASE_VALUE, {4, {0, 5, 7, 3}}}}},
                                        {.name = "alpha 2",
                                         .batch = 4,
                                         .n = 4,
                                         .n_inputs = 1,
                                         .in = {{NN_CASE_VALUE, {2, {0, 37}}}},
                                         .attr = {{.name = "alpha", .f = 2}},
                                         .n_attrs = 1},
                                        {.name = "static",
                                         .batch = 2,
                                         .n = 1,
                                         .n_inputs = 1,
                                         .in = {{NN_CASE_VALUE, {3, {3, 1, 11}}}}},
                                        {0}};

const nn_op_def assay_op_celu = {
    .name = "celu",
    .summary = "an ELU that is smooth for every alpha",
    .min_inputs = 1,
    .max_inputs = 1,
    .layout = NN_ANY,
    .half_in = 1,
    .half_out = true,
    .attrs = celu_attrs,
    .infer = celu_infer,
    .plan = pointwise_plan,
    .forward = celu_forward,
    .backward = celu_backward,
    .reference = celu_reference,
    .cases = celu_cases,
};

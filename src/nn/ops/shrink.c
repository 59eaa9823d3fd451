/* shrink: zero within lambd of zero (0.5), x moved towards zero by bias (0) elsewhere.
 * With bias = lambd PyTorch's softshrink, with bias 0 its hardshrink. */
#include "nn/pointwise.h"

#include <math.h>

static const char *const shrink_attrs[] = {"lambd", "bias", NULL};

static void numbers(const nn_node *node, double p[POINTWISE_NUMBERS]) {
    p[0] = nn_attr_f(node, "lambd", 0.5);
    p[1] = nn_attr_f(node, "bias", 0);
}

static double at(double x, const double p[POINTWISE_NUMBERS], double *slope) {
    *slope = fabs(x) > p[0] ? 1 : 0;
    return x < -p[0] ? x + p[1] : x > p[0] ? x - p[1] : 0;
}

static const pointwise family = {POINTWISE_SHRINK, numbers, at};

static assay_status shrink_forward(nn_io *io) {
    pointwise_forward(&family, io);
    return ASSAY_OK;
}

static assay_status shrink_backward(nn_io *io) {
    pointwise_backward(&family, io);
    return ASSAY_OK;
}

static void shrink_reference(const nn_node *node,
                             int n,
                             bool training,
                             const double *const *in,
                             double *out,
                             const double *d_out,
                             double *const *d_in) {
    (void)training;
    pointwise_reference(&family, node, n, in[0], out, d_out, d_in[0]);
}

static const nn_op_case shrink_cases[] = {
    {.name = "odd image",
     .batch = 3,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 5, 7, 3}}}}},
    {.name = "soft",
     .batch = 4,
     .n = 4,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {2, {0, 37}}}},
     .attr = {{.name = "lambd", .f = 0.3}, {.name = "bias", .f = 0.3}},
     .n_attrs = 2},
    {.name = "static",
     .batch = 2,
     .n = 1,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {3, {3, 1, 11}}}}},
    {0}};

const nn_op_def assay_op_shrink = {
    .name = "shrink",
    .summary = "zero near zero, x moved towards it elsewhere",
    .min_inputs = 1,
    .max_inputs = 1,
    .layout = NN_ANY,
    .half_in = 1,
    .half_out = true,
    .attrs = shrink_attrs,
    .infer = pointwise_infer,
    .plan = pointwise_plan,
    .forward = shrink_forward,
    .backward = shrink_backward,
    .reference = shrink_reference,
    .cases = shrink_cases,
};

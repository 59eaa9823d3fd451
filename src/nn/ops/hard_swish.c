/* hard_swish: x times (x / 6 + 1/2 cut to [0, 1]). Howard et al. 2019, arXiv 1905.02244,
 * section 5.2. */
#include "nn/pointwise.h"

#include <math.h>

static void numbers(const nn_node *node, double p[POINTWISE_NUMBERS]) {
    (void)node;
    p[0] = 1 / 6.0;
    p[1] = 0.5;
}

static double at(double x, const double p[POINTWISE_NUMBERS], double *slope) {
    double line = p[0] * x + p[1];
    bool inside = line > 0 && line < 1;
    double gate = fmin(fmax(line, 0), 1);
    *slope = gate + (inside ? p[0] * x : 0);
    return x * gate;
}

static const pointwise family = {POINTWISE_HARD_SWISH, numbers, at};

static assay_status hard_swish_forward(nn_io *io) {
    pointwise_forward(&family, io);
    return ASSAY_OK;
}

static assay_status hard_swish_backward(nn_io *io) {
    pointwise_backward(&family, io);
    return ASSAY_OK;
}

static void hard_swish_reference(const nn_node *node,
                                 int n,
                                 bool training,
                                 const double *const *in,
                                 double *out,
                                 const double *d_out,
                                 double *const *d_in) {
    (void)training;
    pointwise_reference(&family, node, n, in[0], out, d_out, d_in[0]);
}

static const nn_op_case hard_swish_cases[] = {
    {.name = "odd image",
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

const nn_op_def assay_op_hard_swish = {
    .name = "hard_swish",
    .summary = "x times a line cut to [0, 1]",
    .min_inputs = 1,
    .max_inputs = 1,
    .layout = NN_ANY,
    .half_in = 1,
    .half_out = true,
    .infer = pointwise_infer,
    .plan = pointwise_plan,
    .forward = hard_swish_forward,
    .backward = hard_swish_backward,
    .reference = hard_swish_reference,
    .cases = hard_swish_cases,
};

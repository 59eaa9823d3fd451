/* gelu: y = x Phi(x), Phi the normal distribution's cumulative function (Hendrycks and
 * Gimpel 2016, arXiv 1606.08415), or, with `tanh` 1, its approximation
 * x / (1 + exp(-2 sqrt(2 / pi) (x + 0.044715 x^3))). */
#include "nn/op.h"
#include "nn/rows.h"
#include "nn/tangent.h"

#include <math.h>

static const char *const gelu_attrs[] = {"tanh", NULL};

static row_act act_of(const nn_node *node) {
    return nn_attr_i(node, "tanh", 0) ? ACT_GELU_TANH : ACT_GELU;
}

static assay_status gelu_infer(nn_node *node) {
    node->out_shape = node->in_shape[0];
    return ASSAY_OK;
}

static assay_status gelu_plan(nn_plan *p) {
    p->backward_reads = 1;
    return ASSAY_OK;
}

static size_t count_of(const nn_io *io) {
    return (size_t)nn_shape_elements(&io->node->in_shape[0], io->n);
}

static assay_status gelu_forward(nn_io *io) {
    row_kernels_get()->act((row_values){io->out, io->out_half},
                           (row_values){(void *)io->in[0], io->in_half & 1}, count_of(io),
                           act_of(io->node));
    return ASSAY_OK;
}

static assay_status gelu_backward(nn_io *io) {
    bool x_half = io->in_half & 1;
    row_kernels_get()->act_back(
        (row_values){io->d_in[0], x_half}, (row_values){(void *)io->d_out, io->out_half},
        (row_values){(void *)io->in[0], x_half}, count_of(io), act_of(io->node));
    return ASSAY_OK;
}

static assay_status gelu_tangent(nn_value *out, const nn_tangent *t) {
    return nn_tangent_act(out, t, "gelu_tangent", false);
}

static void gelu_reference(const nn_node *node,
                           int n,
                           bool training,
                           const double *const *in,
                           double *out,
                           const double *d_out,
                           double *const *d_in) {
    (void)training;
    int64_t count = nn_shape_elements(&node->in_shape[0], n);
    const double root = 0.79788456080286535588; /* sqrt(2 / pi) */
    for (int64_t i = 0; i < count; i++) {
        double x = in[0][i], p, slope;
        if (act_of(node) == ACT_GELU) {
            p = 0.5 * erfc(-x / sqrt(2));
            slope = 0.5 * root * exp(-x * x / 2);
        } else {
            double u = tanh(root * (x + 0.044715 * x * x * x));
            p = 0.5 * (1 + u);
            slope = 0.5 * (1 - u * u) * root * (1 + 3 * 0.044715 * x * x);
        }
        out[i] = x * p;
        if (d_out && d_in[0])
            d_in[0][i] = d_out[i] * (p + x * slope);
    }
}

static const nn_op_case gelu_cases[] = {{.name = "tokens",
                                         .batch = 3,
                                         .n = 2,
                                         .n_inputs = 1,
                                         .in = {{NN_CASE_VALUE, {3, {0, 5, 33}}}}},
                                        {.name = "image",
                                         .batch = 2,
                                         .n = 2,
                                         .n_inputs = 1,
                                         .in = {{NN_CASE_VALUE, {4, {0, 3, 5, 1}}}}},
                                        {.name = "by tanh",
                                         .batch = 2,
                                         .n = 1,
                                         .n_inputs = 1,
                                         .in = {{NN_CASE_VALUE, {2, {0, 19}}}},
                                         .attr = {{.name = "tanh", .i = {1}, .count = 1}},
                                         .n_attrs = 1},
                                        {.name = "static",
                                         .batch = 2,
                                         .n = 2,
                                         .n_inputs = 1,
                                         .in = {{NN_CASE_VALUE, {2, {3, 7}}}}},
                                        {0}};

const nn_op_def assay_op_gelu = {
    .name = "gelu",
    .summary = "the Gaussian error linear unit",
    .min_inputs = 1,
    .max_inputs = 1,
    .layout = NN_ANY,
    .half_in = 1,
    .half_out = true,
    .attrs = gelu_attrs,
    .infer = gelu_infer,
    .plan = gelu_plan,
    .forward = gelu_forward,
    .backward = gelu_backward,
    .tangent = gelu_tangent,
    .reference = gelu_reference,
    .cases = gelu_cases,
};

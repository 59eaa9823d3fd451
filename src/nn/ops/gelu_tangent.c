/* gelu_tangent: how gelu's output moves when its input x moves by r: r gelu'(x). Inputs
 * r, x; `tanh` as gelu has it. */
#include "nn/op.h"
#include "nn/rows.h"

#include <math.h>

static const char *const tangent_attrs[] = {"tanh", NULL};

static row_act act_of(const nn_node *node) {
    return nn_attr_i(node, "tanh", 0) ? ACT_GELU_TANH : ACT_GELU;
}

static assay_status tangent_infer(nn_node *node) {
    if (!nn_shape_equal(&node->in_shape[0], &node->in_shape[1]))
        return nn_op_bad_shape(node, 1, "an input like the tangent is needed");
    node->out_shape = node->in_shape[0];
    return ASSAY_OK;
}

static assay_status tangent_plan(nn_plan *p) {
    p->backward_reads = p->want_d[1] ? 3 : 2;
    return ASSAY_OK;
}

static size_t count_of(const nn_io *io) {
    return (size_t)nn_shape_elements(&io->node->in_shape[0], io->n);
}

/* to = from times the slope at x */
static void sloped(void *to, const void *from, const nn_io *io) {
    row_kernels_get()->act_back(
        (row_values){to, false}, (row_values){(void *)from, false},
        (row_values){(void *)io->in[1], false}, count_of(io), act_of(io->node));
}

static assay_status tangent_forward(nn_io *io) {
    sloped(io->out, io->in[0], io);
    return ASSAY_OK;
}

static assay_status tangent_backward(nn_io *io) {
    if (io->d_in[0])
        sloped(io->d_in[0], io->d_out, io);
    if (io->d_in[1])
        row_kernels_get()->act_bend(io->d_in[1], io->d_out, io->in[0], io->in[1],
                                    count_of(io), act_of(io->node));
    return ASSAY_OK;
}

/* The slope at x, and its own slope. */
static double slope_at(double x, row_act act, double *bend) {
    const double root = 0.79788456080286535588; /* sqrt(2 / pi) */
    if (act == ACT_GELU) {
        double density = 0.5 * root * exp(-x * x / 2);
        *bend = density * (2 - x * x);
        return 0.5 * erfc(-x / sqrt(2)) + x * density;
    }
    double t = tanh(root * (x + 0.044715 * x * x * x)), t1 = 1 - t * t;
    double u1 = root * (1 + 3 * 0.044715 * x * x), u2 = root * 6 * 0.044715 * x;
    *bend = t1 * u1 + 0.5 * x * t1 * (u2 - 2 * t * u1 * u1);
    return 0.5 * (1 + t) + 0.5 * x * t1 * u1;
}

static void tangent_reference(const nn_node *node,
                              int n,
                              bool training,
                              const double *const *in,
                              double *out,
                              const double *d_out,
                              double *const *d_in) {
    (void)training;
    int64_t count = nn_shape_elements(&node->in_shape[0], n);
    for (int64_t i = 0; i < count; i++) {
        double bend, slope = slope_at(in[1][i], act_of(node), &bend);
        out[i] = in[0][i] * slope;
        if (d_out && d_in[0])
            d_in[0][i] = d_out[i] * slope;
        if (d_out && d_in[1])
            d_in[1][i] = d_out[i] * in[0][i] * bend;
    }
}

static const nn_op_case tangent_cases[] = {
    {.name = "tokens",
     .batch = 3,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {3, {0, 5, 33}}}, {NN_CASE_VALUE, {3, {0, 5, 33}}}}},
    {.name = "image",
     .batch = 2,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {4, {0, 3, 5, 1}}}, {NN_CASE_VALUE, {4, {0, 3, 5, 1}}}}},
    {.name = "by tanh",
     .batch = 2,
     .n = 1,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {2, {0, 19}}}, {NN_CASE_VALUE, {2, {0, 19}}}},
     .attr = {{.name = "tanh", .i = {1}, .count = 1}},
     .n_attrs = 1},
    {0}};

const nn_op_def assay_op_gelu_tangent = {
    .name = "gelu_tangent",
    .summary = "how gelu's output moves with its input",
    .min_inputs = 2,
    .max_inputs = 2,
    .attrs = tangent_attrs,
    .infer = tangent_infer,
    .plan = tangent_plan,
    .forward = tangent_forward,
    .backward = tangent_backward,
    .reference = tangent_reference,
    .cases = tangent_cases,
};

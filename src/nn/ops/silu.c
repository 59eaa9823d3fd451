/* silu: y = x / (1 + e^-x), also called swish. */
#include "nn/op.h"
#include "nn/rows.h"

#include <math.h>

static assay_status silu_infer(nn_node *node) {
    node->out_shape = node->in_shape[0];
    return ASSAY_OK;
}

static assay_status silu_plan(nn_plan *p) {
    p->backward_reads = 1;
    return ASSAY_OK;
}

static size_t count_of(const nn_io *io) {
    return (size_t)nn_shape_elements(&io->node->in_shape[0], io->n);
}

static assay_status silu_forward(nn_io *io) {
    row_kernels_get()->act((row_values){io->out, io->out_half},
                           (row_values){(void *)io->in[0], io->in_half & 1}, count_of(io),
                           ACT_SILU);
    return ASSAY_OK;
}

static assay_status silu_backward(nn_io *io) {
    bool x_half = io->in_half & 1;
    row_kernels_get()->act_back(
        (row_values){io->d_in[0], x_half}, (row_values){(void *)io->d_out, io->out_half},
        (row_values){(void *)io->in[0], x_half}, count_of(io), ACT_SILU);
    return ASSAY_OK;
}

static void silu_reference(const nn_node *node,
                           int n,
                           bool training,
                           const double *const *in,
                           double *out,
                           const double *d_out,
                           double *const *d_in) {
    (void)training;
    int64_t count = nn_shape_elements(&node->in_shape[0], n);
    for (int64_t i = 0; i < count; i++) {
        double x = in[0][i], s = 1 / (1 + exp(-x));
        out[i] = x * s;
        if (d_out && d_in[0])
            d_in[0][i] = d_out[i] * (s + x * s * (1 - s));
    }
}

static const nn_op_case silu_cases[] = {{.name = "tokens",
                                         .batch = 3,
                                         .n = 2,
                                         .n_inputs = 1,
                                         .in = {{NN_CASE_VALUE, {3, {0, 5, 33}}}}},
                                        {.name = "image",
                                         .batch = 2,
                                         .n = 2,
                                         .n_inputs = 1,
                                         .in = {{NN_CASE_VALUE, {4, {0, 3, 5, 1}}}}},
                                        {0}};

const nn_op_def assay_op_silu = {
    .name = "silu",
    .summary = "x times its sigmoid",
    .min_inputs = 1,
    .max_inputs = 1,
    .layout = NN_ANY,
    .half_in = 1,
    .half_out = true,
    .infer = silu_infer,
    .plan = silu_plan,
    .forward = silu_forward,
    .backward = silu_backward,
    .reference = silu_reference,
    .cases = silu_cases,
};

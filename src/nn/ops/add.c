/* add: the sum of two values of one shape. */
#include "nn/mixed.h"

static assay_status add_infer(nn_node *node) {
    if (!nn_shape_equal(&node->in_shape[0], &node->in_shape[1])) {
        return nn_op_bad_shape(node, 1, "both values must have the shape of input 0");
    }
    node->out_shape = node->in_shape[0];
    return ASSAY_OK;
}

static size_t count_of(const nn_io *io) {
    return (size_t)nn_shape_each(&io->node->in_shape[0]) * (size_t)io->n;
}

static assay_status add_forward(nn_io *io) {
    mixed_add(io->out, io->out_half, io->in[0], io->in_half & 1, io->in[1],
              io->in_half >> 1 & 1, count_of(io));
    return ASSAY_OK;
}

static assay_status add_backward(nn_io *io) {
    for (int i = 0; i < 2; i++)
        if (io->d_in[i])
            mixed_copy(io->d_in[i], io->in_half >> i & 1, io->d_out, io->out_half,
                       count_of(io));
    return ASSAY_OK;
}

static void add_reference(const nn_node *node,
                          int n,
                          bool training,
                          const double *const *in,
                          double *out,
                          const double *d_out,
                          double *const *d_in) {
    (void)training;
    int64_t count = nn_shape_each(&node->in_shape[0]) * n;
    for (int64_t i = 0; i < count; i++)
        out[i] = in[0][i] + in[1][i];
    for (int k = 0; d_out && k < 2; k++)
        for (int64_t i = 0; d_in[k] && i < count; i++)
            d_in[k][i] = d_out[i];
}

static const nn_op_case add_cases[] = {
    {.name = "images",
     .batch = 3,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {4, {0, 3, 5, 7}}}, {NN_CASE_VALUE, {4, {0, 3, 5, 7}}}}},
    {0}};

const nn_op_def assay_op_add = {
    .name = "add",
    .summary = "the sum of two values",
    .min_inputs = 2,
    .max_inputs = 2,
    .half_in = 3,
    .half_out = true,
    .infer = add_infer,
    .forward = add_forward,
    .backward = add_backward,
    .reference = add_reference,
    .cases = add_cases,
};

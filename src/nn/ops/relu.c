/* relu: y = max(x, 0). Its backward looks at y, so that x need not be kept. */
#include "nn/mixed.h"

static assay_status relu_infer(nn_node *node) {
    node->out_shape = node->in_shape[0];
    return ASSAY_OK;
}

static assay_status relu_plan(nn_plan *p) {
    p->backward_reads_out = true;
    return ASSAY_OK;
}

static size_t count_of(const nn_io *io) {
    return (size_t)nn_shape_each(&io->node->in_shape[0]) * (size_t)io->n;
}

static assay_status relu_forward(nn_io *io) {
    mixed_relu(io->out, io->out_half, io->in[0], io->in_half & 1, count_of(io));
    return ASSAY_OK;
}

static assay_status relu_backward(nn_io *io) {
    mixed_relu_back(io->d_in[0], io->in_half & 1, io->d_out, io->out, io->out_half,
                    count_of(io));
    return ASSAY_OK;
}

static void relu_reference(const nn_node *node,
                           int n,
                           bool training,
                           const double *const *in,
                           double *out,
                           const double *d_out,
                           double *const *d_in) {
    (void)training;
    int64_t count = nn_shape_each(&node->in_shape[0]) * n;
    for (int64_t i = 0; i < count; i++) {
        out[i] = in[0][i] > 0 ? in[0][i] : 0;
        if (d_out && d_in[0])
            d_in[0][i] = in[0][i] > 0 ? d_out[i] : 0;
    }
}

static const nn_op_case relu_cases[] = {{.name = "odd image",
                                         .batch = 3,
                                         .n = 2,
                                         .n_inputs = 1,
                                         .in = {{NN_CASE_VALUE, {4, {0, 5, 7, 3}}}}},
                                        {.name = "vector",
                                         .batch = 4,
                                         .n = 4,
                                         .n_inputs = 1,
                                         .in = {{NN_CASE_VALUE, {2, {0, 17}}}}},
                                        {0}};

const nn_op_def assay_op_relu = {
    .name = "relu",
    .summary = "the positive part",
    .min_inputs = 1,
    .max_inputs = 1,
    .half_in = 1,
    .half_out = true,
    .infer = relu_infer,
    .plan = relu_plan,
    .forward = relu_forward,
    .backward = relu_backward,
    .reference = relu_reference,
    .cases = relu_cases,
};

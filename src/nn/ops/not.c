/* not: whether a truth value is false. */
#include "nn/elementwise.h"

static assay_status not_infer(nn_node *node) {
    node->out_shape = node->in_shape[0];
    node->out_dtype = ASSAY_BOOL;
    return ASSAY_OK;
}

static assay_status not_forward(nn_io *io) {
    const uint8_t *x = io->in[0];
    uint8_t *y = io->out;
    int64_t count = nn_shape_elements(&io->node->in_shape[0], io->n);
    for (int64_t i = 0; i < count; i++)
        y[i] = !x[i];
    return ASSAY_OK;
}

static void not_reference(const nn_node *node,
                          int n,
                          bool training,
                          const double *const *in,
                          double *out,
                          const double *d_out,
                          double *const *d_in) {
    (void)training, (void)d_out, (void)d_in;
    int64_t count = nn_shape_elements(&node->in_shape[0], n);
    for (int64_t i = 0; i < count; i++)
        out[i] = in[0][i] == 0;
}

static const nn_op_case not_cases[] = {{.name = "image",
                                        .batch = 2,
                                        .n = 1,
                                        .n_inputs = 1,
                                        .in = {{NN_CASE_VALUE, {4, {0, 3, 5, 2}}}},
                                        .dtype = {ASSAY_BOOL}},
                                       {0}};

const nn_op_def assay_op_not = {
    .name = "not",
    .summary = "whether a truth value is false",
    .min_inputs = 1,
    .max_inputs = 1,
    .layout = NN_ANY,
    .dtypes = NUM_BOOL,
    .no_grad = true,
    .infer = not_infer,
    .forward = not_forward,
    .reference = not_reference,
    .cases = not_cases,
};

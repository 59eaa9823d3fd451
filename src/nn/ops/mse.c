/* mse: the mean over an example's elements of (a - b)^2, per example. */
#include "nn/op.h"

static assay_status mse_infer(nn_node *node) {
    if (!nn_shape_equal(&node->in_shape[0], &node->in_shape[1]))
        return nn_op_bad_shape(node, 1, "both values must have the shape of input 0");
    if (node->in_shape[0].ndim < 1)
        return nn_op_bad_shape(node, 0, "values with a batch dimension are needed");
    node->out_shape = (nn_shape){1, {node->in_shape[0].dim[0]}};
    return ASSAY_OK;
}

static assay_status mse_plan(nn_plan *p) {
    p->backward_reads = 3;
    return ASSAY_OK;
}

static assay_status mse_forward(nn_io *io) {
    int64_t each = nn_shape_each(&io->node->in_shape[0]);
    const float *a = io->in[0], *b = io->in[1];
    for (int i = 0; i < io->n; i++, a += each, b += each) {
        double sum = 0;
        for (int64_t k = 0; k < each; k++) {
            double d = (double)a[k] - (double)b[k];
            sum += d * d;
        }
        ((float *)io->out)[i] = (float)(sum / (double)each);
    }
    return ASSAY_OK;
}

static assay_status mse_backward(nn_io *io) {
    int64_t each = nn_shape_each(&io->node->in_shape[0]);
    const float *a = io->in[0], *b = io->in[1], *d_y = io->d_out;
    float *d_a = io->d_in[0], *d_b = io->d_in[1];
    for (int64_t i = 0; i < io->n; i++) {
        float share = 2 / (float)each * d_y[i];
        for (int64_t k = i * each; d_a && k < (i + 1) * each; k++)
            d_a[k] = share * (a[k] - b[k]);
        for (int64_t k = i * each; d_b && k < (i + 1) * each; k++)
            d_b[k] = share * (b[k] - a[k]);
    }
    return ASSAY_OK;
}

static void mse_reference(const nn_node *node,
                          int n,
                          bool training,
                          const double *const *in,
                          double *out,
                          const double *d_out,
                          double *const *d_in) {
    (void)training;
    int64_t each = nn_shape_each(&node->in_shape[0]);
    for (int64_t i = 0; i < n; i++) {
        out[i] = 0;
        for (int64_t k = i * each; k < (i + 1) * each; k++) {
            double d = in[0][k] - in[1][k];
            out[i] += d * d / (double)each;
            for (int side = 0; d_out && side < 2; side++)
                if (d_in[side])
                    d_in[side][k] = (side ? -2 : 2) * d / (double)each * d_out[i];
        }
    }
}

static const nn_op_case mse_cases[] = {
    {.name = "images",
     .batch = 3,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {4, {0, 3, 5, 7}}}, {NN_CASE_VALUE, {4, {0, 3, 5, 7}}}}},
    {.name = "one number each",
     .batch = 4,
     .n = 4,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {1, {0}}}, {NN_CASE_VALUE, {1, {0}}}}},
    {0}};

const nn_op_def assay_op_mse = {
    .name = "mse",
    .summary = "the mean squared difference, per example",
    .min_inputs = 2,
    .max_inputs = 2,
    .layout = NN_ROWS,
    .infer = mse_infer,
    .plan = mse_plan,
    .forward = mse_forward,
    .backward = mse_backward,
    .reference = mse_reference,
    .cases = mse_cases,
};

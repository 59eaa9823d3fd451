/* hardmax: 1 at the first of the largest elements along "axis" (-1), 0 elsewhere. No
 * gradient. */
#include "nn/strided.h"

static const char *const hardmax_attrs[] = {"axis", NULL};

static assay_status hardmax_infer(nn_node *node) {
    int axis;
    assay_status status = strided_axis_attr(&axis, node, "axis", -1, 0);
    node->out_shape = node->in_shape[0];
    return status;
}

static strided_axes around(const nn_node *node, int n) {
    int axis = (int)nn_attr_i(node, "axis", -1);
    return strided_around(&node->in_shape[0],
                          axis < 0 ? axis + node->in_shape[0].ndim : axis, n);
}

static assay_status hardmax_forward(nn_io *io) {
    strided_axes a = around(io->node, io->n);
    const float *x = io->in[0];
    float *y = io->out;
    for (int64_t i = 0; i < a.outer * a.inner; i++) {
        int64_t first = i / a.inner * a.size * a.inner + i % a.inner, best = first;
        for (int64_t k = 0; k < a.size; k++) {
            int64_t at = first + k * a.inner;
            y[at] = 0;
            best = x[at] > x[best] ? at : best;
        }
        y[best] = 1;
    }
    return ASSAY_OK;
}

static void hardmax_reference(const nn_node *node,
                              int n,
                              bool training,
                              const double *const *in,
                              double *out,
                              const double *d_out,
                              double *const *d_in) {
    (void)training, (void)d_out, (void)d_in;
    strided_axes a = around(node, n);
    for (int64_t o = 0; o < a.outer; o++)
        for (int64_t i = 0; i < a.inner; i++) {
            const double *x = in[0] + o * a.size * a.inner + i;
            double *y = out + o * a.size * a.inner + i;
            int64_t best = 0;
            for (int64_t k = 1; k < a.size; k++)
                best = x[k * a.inner] > x[best * a.inner] ? k : best;
            for (int64_t k = 0; k < a.size; k++)
                y[k * a.inner] = k == best;
        }
}

static const nn_op_case hardmax_cases[] = {
    {.name = "classes",
     .batch = 3,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {2, {0, 7}}}}},
    {.name = "channels of an image",
     .batch = 2,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 5, 2, 3}}}},
     .attr = {{.name = "axis", .i = {1}, .count = 1}},
     .n_attrs = 1},
    {0}};

const nn_op_def assay_op_hardmax = {
    .name = "hardmax",
    .summary = "1 at the largest element along an axis, 0 elsewhere",
    .min_inputs = 1,
    .max_inputs = 1,
    .layout = NN_ROWS,
    .no_grad = true,
    .attrs = hardmax_attrs,
    .infer = hardmax_infer,
    .forward = hardmax_forward,
    .reference = hardmax_reference,
    .cases = hardmax_cases,
};

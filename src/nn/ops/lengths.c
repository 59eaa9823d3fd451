/* lengths: how many tokens [0,T] of each example come before its padding: one more than
 * the place of the last that is not `pad`. Out: [0], i32. */
#include "nn/op.h"

static const char *const lengths_attrs[] = {"pad", NULL};

static assay_status lengths_infer(nn_node *node) {
    const nn_shape *s = &node->in_shape[0];
    if (s->ndim != 2 || s->dim[0] != 0)
        return nn_op_bad_shape(node, 0, "tokens [N,T] are needed");
    node->out_shape = (nn_shape){1, {0}};
    node->out_dtype = ASSAY_I32;
    return ASSAY_OK;
}

static assay_status lengths_forward(nn_io *io) {
    int64_t tokens = io->node->in_shape[0].dim[1];
    int32_t pad = (int32_t)nn_attr_i(io->node, "pad", 0), *out = io->out;
    const int32_t *in = io->in[0];
    for (int i = 0; i < io->n; i++, in += tokens) {
        out[i] = (int32_t)tokens;
        while (out[i] > 0 && in[out[i] - 1] == pad)
            out[i]--;
    }
    return ASSAY_OK;
}

static void lengths_reference(const nn_node *node,
                              int n,
                              bool training,
                              const double *const *in,
                              double *out,
                              const double *d_out,
                              double *const *d_in) {
    (void)training, (void)d_out, (void)d_in;
    int64_t tokens = node->in_shape[0].dim[1];
    double pad = (double)nn_attr_i(node, "pad", 0);
    for (int64_t i = 0; i < n; i++) {
        out[i] = 0;
        for (int64_t t = 0; t < tokens; t++)
            if (in[0][i * tokens + t] != pad)
                out[i] = (double)t + 1;
    }
}

static const nn_op_case lengths_cases[] = {
    {.name = "padding within and behind",
     .batch = 40,
     .n = 39,
     .n_inputs = 1,
     .labels = 2, /* half of all tokens are padding */
     .in = {{NN_CASE_LABEL, {2, {0, 5}}}},
     .attr = {{.name = "pad", .i = {1}, .count = 1}},
     .n_attrs = 1},
    {0}};

const nn_op_def assay_op_lengths = {
    .name = "lengths",
    .summary = "how many tokens stand before the padding",
    .min_inputs = 1,
    .max_inputs = 1,
    .layout = NN_ROWS,
    .dtypes = 1u << ASSAY_I32,
    .no_grad = true,
    .attrs = lengths_attrs,
    .infer = lengths_infer,
    .forward = lengths_forward,
    .reference = lengths_reference,
    .cases = lengths_cases,
};

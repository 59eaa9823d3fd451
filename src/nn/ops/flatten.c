/* flatten: [N,C,H,W] to [N, C*H*W] in logical order, channel by channel; so the weights
 * of a linear layer behind it mean what they mean in PyTorch. Images lie channels-last,
 * hence a transposition. */
#include "nn/op.h"
#include "nn/tangent.h"

#include <string.h>

static assay_status flatten_infer(nn_node *node) {
    node->out_shape = (nn_shape){2, {0, nn_shape_each(&node->in_shape[0])}};
    return ASSAY_OK;
}

/* Channels and pixels of one example. */
static void sizes(const nn_node *node, int64_t *c, int64_t *pixels) {
    const nn_shape *s = &node->in_shape[0];
    *c = s->ndim == 4 ? s->dim[1] : 1;
    *pixels = nn_shape_each(s) / *c;
}

static assay_status flatten_forward(nn_io *io) {
    int64_t c, pixels;
    sizes(io->node, &c, &pixels);
    const float *x = io->in[0];
    float *y = io->out;
    if (c == 1 || pixels == 1) {
        memcpy(io->out, x, (size_t)(c * pixels * io->n) * sizeof(float));
        return ASSAY_OK;
    }
    for (int64_t i = 0; i < io->n; i++)
        for (int64_t k = 0; k < c; k++)
            for (int64_t p = 0; p < pixels; p++)
                y[(i * c + k) * pixels + p] = x[(i * pixels + p) * c + k];
    return ASSAY_OK;
}

static assay_status flatten_backward(nn_io *io) {
    int64_t c, pixels;
    sizes(io->node, &c, &pixels);
    const float *d_y = io->d_out;
    float *d_x = io->d_in[0];
    if (c == 1 || pixels == 1) {
        memcpy(io->d_in[0], io->d_out, (size_t)(c * pixels * io->n) * sizeof(float));
        return ASSAY_OK;
    }
    for (int64_t i = 0; i < io->n; i++)
        for (int64_t p = 0; p < pixels; p++)
            for (int64_t k = 0; k < c; k++)
                d_x[(i * pixels + p) * c + k] = d_y[(i * c + k) * pixels + p];
    return ASSAY_OK;
}

static void flatten_reference(const nn_node *node,
                              int n,
                              bool training,
                              const double *const *in,
                              double *out,
                              const double *d_out,
                              double *const *d_in) {
    (void)training;
    int64_t c, pixels;
    sizes(node, &c, &pixels);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < c; k++)
            for (int64_t p = 0; p < pixels; p++) {
                int64_t logical = (i * c + k) * pixels + p,
                        stored = (i * pixels + p) * c + k;
                out[logical] = in[0][stored];
                if (d_out && d_in[0])
                    d_in[0][stored] = d_out[logical];
            }
}

static const nn_op_case flatten_cases[] = {{.name = "image",
                                            .batch = 3,
                                            .n = 2,
                                            .n_inputs = 1,
                                            .in = {{NN_CASE_VALUE, {4, {0, 5, 3, 7}}}}},
                                           {.name = "one pixel",
                                            .batch = 2,
                                            .n = 2,
                                            .n_inputs = 1,
                                            .in = {{NN_CASE_VALUE, {4, {0, 9, 1, 1}}}}},
                                           {.name = "one channel",
                                            .batch = 1,
                                            .n = 1,
                                            .n_inputs = 1,
                                            .in = {{NN_CASE_VALUE, {4, {0, 1, 4, 3}}}}},
                                           {0}};

const nn_op_def assay_op_flatten = {
    .name = "flatten",
    .summary = "an image as one vector",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = flatten_infer,
    .forward = flatten_forward,
    .backward = flatten_backward,
    .tangent = nn_tangent_linear,
    .reference = flatten_reference,
    .cases = flatten_cases,
};

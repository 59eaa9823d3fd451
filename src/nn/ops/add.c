/* add: a + b with broadcasting. Integers wrap. Values of one shape that lie alike are one
 * pass, in f32 or bf16. */
#include "nn/elementwise.h"
#include "nn/mixed.h"
#include "nn/tangent.h"

static double at(double a, double b, double *slope) {
    if (slope)
        slope[0] = slope[1] = 1;
    return a + b;
}

static bool whole(int64_t *y, int64_t a, int64_t b, bool is_unsigned) {
    (void)is_unsigned;
    *y = (int64_t)((uint64_t)a + (uint64_t)b);
    return true;
}

static const binary family = {.kind = BINARY_ADD, .at = at, .whole = whole};

static bool alike(const nn_node *node) {
    return node->out_dtype == ASSAY_F32 &&
           nn_shape_equal(&node->in_shape[0], &node->in_shape[1]) &&
           node->in_layout[0] == node->out_layout &&
           node->in_layout[1] == node->out_layout;
}

static size_t count_of(const nn_io *io) {
    return (size_t)nn_shape_elements(&io->node->out_shape, io->n);
}

static assay_status add_forward(nn_io *io) {
    if (!alike(io->node))
        return binary_forward(io);
    mixed_add(io->out, io->out_half, io->in[0], io->in_half & 1, io->in[1],
              io->in_half >> 1 & 1, count_of(io));
    return ASSAY_OK;
}

static assay_status add_backward(nn_io *io) {
    if (!alike(io->node))
        return binary_backward(io);
    for (int i = 0; i < 2; i++)
        if (io->d_in[i])
            mixed_copy(io->d_in[i], io->in_half >> i & 1, io->d_out, io->out_half,
                       count_of(io));
    return ASSAY_OK;
}

const nn_op_def assay_op_add = {
    .name = "add",
    .summary = "the sum of two values",
    .min_inputs = 2,
    .max_inputs = 2,
    .layout = NN_IMAGES, /* norms that add in their own pass count on it */
    .dtypes = NUM_ALL,
    .half_in = 3,
    .half_out = true,
    .family = &family,
    .infer = binary_infer,
    .plan = binary_plan,
    .forward = add_forward,
    .backward = add_backward,
    .tangent = nn_tangent_sum,
    .reference = binary_reference,
    .cases = binary_cases,
};

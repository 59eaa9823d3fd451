/* bit_shift: a shifted by b bits, left or ("right" 1) right, with broadcasting; integers
 * without a sign. By all bits or more: 0. */
#include "nn/elementwise.h"

static const char *const bit_shift_attrs[] = {"right", NULL};

static double at(double a, double b, double *slope) {
    (void)b, (void)slope;
    return a;
}

static bool left(int64_t *y, int64_t a, int64_t b, bool is_unsigned) {
    (void)is_unsigned;
    *y = (uint64_t)b > 63 ? 0 : (int64_t)((uint64_t)a << b);
    return true;
}

static bool right(int64_t *y, int64_t a, int64_t b, bool is_unsigned) {
    (void)is_unsigned;
    *y = (uint64_t)b > 63 ? 0 : (int64_t)((uint64_t)a >> b);
    return true;
}

static const binary to_left = {.kind = -1, .at = at, .whole = left};
static const binary to_right = {.kind = -1, .at = at, .whole = right};

static bool goes_right(const nn_node *node) {
    return nn_attr_i(node, "right", 0) != 0;
}

static assay_status bit_shift_infer(nn_node *node) {
    assay_status status = binary_infer(node);
    node->out_dtype = node->in_dtype[0];
    return status;
}

static assay_status bit_shift_forward(nn_io *io) {
    return binary_run(io, goes_right(io->node) ? &to_right : &to_left);
}

static void bit_shift_reference(const nn_node *node,
                                int n,
                                bool training,
                                const double *const *in,
                                double *out,
                                const double *d_out,
                                double *const *d_in) {
    (void)training;
    binary_reference_as(node, goes_right(node) ? &to_right : &to_left, n, in, out, d_out,
                        d_in);
}

#define SHIFT(NAME, TO, DTYPE)                                                           \
    {                                                                                    \
        .name = NAME, .batch = 2, .n = 2, .n_inputs = 2,                                 \
        .in = {{NN_CASE_VALUE, {2, {0, 9}}}, {NN_CASE_VALUE, {1, {9}}}},                 \
        .attr = {{.name = "right", .i = {TO}, .count = 1}}, .n_attrs = 1, .dtype = {     \
            DTYPE,                                                                       \
            DTYPE                                                                        \
        }                                                                                \
    }

static const nn_op_case bit_shift_cases[] = {SHIFT("left", 0, ASSAY_U8),
                                             SHIFT("right", 1, ASSAY_U32),
                                             SHIFT("right of 64 bits", 1, ASSAY_U64),
                                             {0}};

const nn_op_def assay_op_bit_shift = {
    .min_inputs = 2,
    .max_inputs = 2,
    .layout = NN_ANY,
    .no_grad = true,
    .name = "bit_shift",
    .summary = "bits shifted to the left or the right",
    .dtypes = NUM_UNSIGNED,
    .attrs = bit_shift_attrs,
    .family = &to_left,
    .infer = bit_shift_infer,
    .forward = bit_shift_forward,
    .reference = bit_shift_reference,
    .cases = bit_shift_cases,
};

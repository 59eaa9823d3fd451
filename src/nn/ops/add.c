/* add: a + b with broadcasting. Integers wrap. Values of one shape that lie alike are one
 * pass, in f32 or bf16. */
#include "nn/elementwise.h"
#include "nn/mixed.h"
#include "nn/tangent.h"
#include "nn/walk.h"

#include <string.h>

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

/* ---- of a parameter that is added to every example ---- */

/* The input that is the same for all; -1: there is none. */
static int shift_of(const nn_node *node) {
    for (int k = 0; k < 2; k++)
        if (node->in_shape[k].dim[0] != 0 && node->in_shape[!k].ndim > 0 &&
            node->in_shape[!k].dim[0] == 0)
            return k;
    return -1;
}

static size_t shift_count(const nn_node *node) {
    return (size_t)nn_shape_elements(&node->in_shape[shift_of(node)], 1);
}

static assay_status add_plan(nn_plan *p) {
    assay_status status = binary_plan(p);
    if (p->mode != NN_CAPTURE || shift_of(p->node) < 0 || p->node->out_dtype != ASSAY_F32)
        return status;
    size_t n = shift_count(p->node), example = sizeof(float);
    for (int d = 1; d < p->node->out_shape.ndim; d++)
        example *= (size_t)p->node->out_shape.dim[d];
    p->factor_bytes = n * (size_t)p->batch * sizeof(float);
    p->backward_scratch += n * sizeof(double) + example;
    return status;
}

/* Each example's gradient: the output's, added up where the parameter repeats. */
static void shift_gradients(nn_io *io, double *sum) {
    const nn_node *node = io->node;
    const int input[] = {shift_of(node)};
    size_t n = shift_count(node), each = count_of(io) / (size_t)io->n;
    float *d_y = (float *)(void *)(sum + n), *to = io->factor;
    nn_walk w;
    walk_make(&w, node, &node->out_shape, node->out_layout, 1, input, 1);
    for (int i = 0; i < io->n; i++, to += n) {
        const uint8_t *from = io->d_out;
        walk_row row = {0};
        from += (size_t)i * each * (io->out_half ? 2 : sizeof(float));
        mixed_copy(d_y, false, from, io->out_half, each);
        memset(sum, 0, n * sizeof *sum);
        while (walk_next(&w, &row))
            for (size_t k = 0; k < walk_length(&w); k++)
                sum[row.at[0] + (int64_t)k * walk_step(&w, 0)] +=
                    (double)d_y[row.first + (int64_t)k];
        for (size_t k = 0; k < n; k++)
            to[k] = (float)sum[k];
    }
}

static void add_factors(const nn_io *io, nn_factor *f) {
    f->kind = NN_FACTOR_DIAG;
    f->d = io->factor;
}

static assay_status add_backward(nn_io *io) {
    if (io->mode == NN_CAPTURE && io->factor && shift_of(io->node) >= 0)
        shift_gradients(io, (double *)io->scratch);
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
    .plan = add_plan,
    .forward = add_forward,
    .backward = add_backward,
    .factors = add_factors,
    .tangent = nn_tangent_sum,
    .reference = binary_reference,
    .cases = add_cases,
};

/* one_hot: a new dimension of "depth" at "axis" (-1: the last) with the second of
 * `values` where an index says and the first elsewhere. Negative indices count from the
 * end; one outside -depth..depth-1 gives the first value throughout, as in ONNX. No
 * gradient. */
#include "nn/indexed.h"
#include "nn/strided.h"

#include <string.h>

static const char *const one_hot_attrs[] = {"depth", "axis", NULL};

static int axis_of(const nn_node *node) {
    int axis = (int)nn_attr_i(node, "axis", -1);
    return axis < 0 ? axis + node->in_shape[0].ndim + 1 : axis;
}

static assay_status one_hot_infer(nn_node *node) {
    const nn_shape *in = &node->in_shape[0];
    int64_t depth = nn_attr_i(node, "depth", 0);
    int axis;
    assay_status status =
        strided_axis(&axis, node, nn_attr_i(node, "axis", -1), in->ndim + 1);
    if (status != ASSAY_OK)
        return status;
    if (depth < 1 || in->ndim == NN_MAX_DIMS || (axis == 0 && nn_shape_open(in)))
        return nn_op_bad_shape(node, 0, "no dimension of that depth can be put there");
    if (nn_shape_open(&node->in_shape[1]) || nn_shape_count(&node->in_shape[1]) != 2)
        return nn_op_bad_shape(node, 1, "two values are needed");
    for (int d = 0; d <= in->ndim; d++)
        node->out_shape.dim[d] = d == axis ? depth : in->dim[d - (d > axis)];
    node->out_shape.ndim = in->ndim + 1;
    node->out_dtype = node->in_dtype[1];
    return ASSAY_OK;
}

static assay_status one_hot_forward(nn_io *io) {
    const nn_node *node = io->node;
    strided_axes a = strided_around(&node->out_shape, axis_of(node), io->n);
    const indices from = {io->in[0], node->in_dtype[0]};
    size_t size = assay_dtype_size(node->out_dtype);
    for (int64_t i = 0; i < a.outer * a.size * a.inner; i++) {
        int64_t k = i / a.inner % a.size,
                own = i / a.inner / a.size * a.inner + i % a.inner;
        int64_t value;
        bool hot = index_at(&value, &from, own, a.size) && value == k;
        memcpy((uint8_t *)io->out + (size_t)i * size,
               (const uint8_t *)io->in[1] + (hot ? size : 0), size);
    }
    return ASSAY_OK;
}

static void one_hot_reference(const nn_node *node,
                              int n,
                              bool training,
                              const double *const *in,
                              double *out,
                              const double *d_out,
                              double *const *d_in) {
    (void)training, (void)d_out, (void)d_in;
    strided_axes a = strided_around(&node->out_shape, axis_of(node), n);
    for (int64_t o = 0; o < a.outer; o++)
        for (int64_t i = 0; i < a.inner; i++) {
            double at = in[0][o * a.inner + i];
            at += at < 0 ? (double)a.size : 0;
            for (int64_t k = 0; k < a.size; k++)
                out[(o * a.size + k) * a.inner + i] = in[1][at == (double)k];
        }
}

static const nn_op_case one_hot_cases[] = {
    {.name = "classes",
     .batch = 3,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_LABEL, {1, {0}}}, {NN_CASE_CONSTANT, {1, {2}}}},
     .attr = {{.name = "depth", .i = {5}, .count = 1}},
     .n_attrs = 1,
     .labels = 7,
     .negative = true},
    {.name = "channels",
     .batch = 2,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_LABEL, {3, {0, 3, 4}}}, {NN_CASE_VALUE, {1, {2}}}},
     .attr = {{.name = "depth", .i = {3}, .count = 1},
              {.name = "axis", .i = {1}, .count = 1}},
     .n_attrs = 2,
     .labels = 3,
     .dtype = {ASSAY_I64, ASSAY_I32}},
    {0}};

const nn_op_def assay_op_one_hot = {
    .name = "one_hot",
    .summary = "indices as vectors with one value that differs",
    .min_inputs = 2,
    .max_inputs = 2,
    .layout = NN_ROWS,
    .dtypes = ~0u,
    .no_grad = true,
    .attrs = one_hot_attrs,
    .infer = one_hot_infer,
    .forward = one_hot_forward,
    .reference = one_hot_reference,
    .cases = one_hot_cases,
};

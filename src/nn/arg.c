/* One scan per output; values lie row by row. */
#include "nn/arg.h"

#include "nn/numbers.h"
#include "nn/strided.h"

const char *const arg_attrs[] = {"axis", "keepdims", "select_last", NULL};

assay_status arg_infer(nn_node *node) {
    int axis;
    assay_status status = strided_axis_attr(&axis, node, "axis", 0, 0);
    if (status != ASSAY_OK)
        return status;
    const nn_shape *in = &node->in_shape[0];
    bool keep = nn_attr_i(node, "keepdims", 1) != 0;
    for (int d = 0; d < in->ndim; d++)
        if (d != axis || keep)
            node->out_shape.dim[node->out_shape.ndim++] = d == axis ? 1 : in->dim[d];
    node->out_dtype = ASSAY_I64;
    return ASSAY_OK;
}

/* The scan over elements that lie `inner` apart. */
static int64_t scan(const nn_node *node,
                    const void *values,
                    assay_dtype dtype,
                    int64_t first,
                    const strided_axes *a,
                    bool largest) {
    bool last = nn_attr_i(node, "select_last", 0) != 0;
    size_t size = assay_dtype_size(dtype);
    double best = 0;
    int64_t at = 0;
    for (int64_t k = 0; k < a->size; k++) {
        double v;
        num_to_f64(&v, (const uint8_t *)values + (size_t)(first + k * a->inner) * size,
                   dtype, 1, 1);
        bool same = v == best || (v != v && best != best);
        bool better = best == best && (v != v || (largest ? v > best : v < best));
        if (k == 0 || better || (same && last)) {
            best = v;
            at = k;
        }
    }
    return at;
}

static strided_axes around(const nn_node *node, int n) {
    int axis = (int)nn_attr_i(node, "axis", 0);
    return strided_around(&node->in_shape[0],
                          axis < 0 ? axis + node->in_shape[0].ndim : axis, n);
}

assay_status arg_forward(nn_io *io, bool largest) {
    strided_axes a = around(io->node, io->n);
    int64_t *out = io->out;
    for (int64_t i = 0; i < a.outer * a.inner; i++)
        out[i] = scan(io->node, io->in[0], io->node->in_dtype[0],
                      i / a.inner * a.size * a.inner + i % a.inner, &a, largest);
    return ASSAY_OK;
}

void arg_reference(
    const nn_node *node, int n, const double *in, double *out, bool largest) {
    strided_axes a = around(node, n);
    for (int64_t i = 0; i < a.outer * a.inner; i++)
        out[i] = (double)scan(node, in, ASSAY_F64,
                              i / a.inner * a.size * a.inner + i % a.inner, &a, largest);
}

const nn_op_case arg_cases[] = {{.name = "channels of an image",
                                 .batch = 3,
                                 .n = 2,
                                 .n_inputs = 1,
                                 .in = {{NN_CASE_VALUE, {4, {0, 5, 3, 4}}}},
                                 .attr = {{.name = "axis", .i = {1}, .count = 1}},
                                 .n_attrs = 1},
                                {.name = "classes, dropped",
                                 .batch = 2,
                                 .n = 2,
                                 .n_inputs = 1,
                                 .in = {{NN_CASE_VALUE, {2, {0, 11}}}},
                                 .attr = {{.name = "axis", .i = {-1}, .count = 1},
                                          {.name = "keepdims", .i = {0}, .count = 1}},
                                 .n_attrs = 2},
                                {.name = "the last of equal integers",
                                 .batch = 2,
                                 .n = 2,
                                 .n_inputs = 1,
                                 .in = {{NN_CASE_VALUE, {2, {0, 40}}}},
                                 .attr = {{.name = "axis", .i = {1}, .count = 1},
                                          {.name = "select_last", .i = {1}, .count = 1}},
                                 .n_attrs = 2,
                                 .dtype = {ASSAY_I32}},
                                {.name = "static",
                                 .batch = 1,
                                 .n = 1,
                                 .n_inputs = 1,
                                 .in = {{NN_CASE_VALUE, {2, {4, 3}}}}},
                                {0}};

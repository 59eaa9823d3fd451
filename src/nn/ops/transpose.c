/* transpose: the dimensions in another order: dimension k of the output is dimension
 * perm[k] of the input (default: all reversed). The batch stays first. */
#include "nn/strided.h"
#include "nn/tangent.h"

#include <string.h>

static const char *const attrs[] = {"perm", NULL};

static int from_dim(const nn_node *node, int d) {
    const nn_attr *a = nn_attr_get(node, "perm");
    return a ? (int)a->i[d] : node->in_shape[0].ndim - 1 - d;
}

/* Where images lie row by row as N,H,W,C and channels come second, nothing moves. */
static assay_layout lies(const nn_node *node) {
    bool last = node->in_shape[0].ndim == 4 && node->in_layout[0] == ASSAY_ROW_MAJOR &&
                from_dim(node, 0) == 0 && from_dim(node, 1) == 3 &&
                from_dim(node, 2) == 1;
    return last ? ASSAY_CHANNELS_LAST : ASSAY_ROW_MAJOR;
}

static assay_status transpose_infer(nn_node *node) {
    const nn_attr *a = nn_attr_get(node, "perm");
    const nn_shape *in = &node->in_shape[0];
    unsigned seen = 0;
    if (a && a->count != in->ndim)
        return nn_op_bad_shape(node, 0, "'perm' must name every dimension");
    for (int d = 0; a && d < in->ndim; d++) {
        if (a->i[d] < 0 || a->i[d] >= in->ndim || seen >> a->i[d] & 1)
            return err_set(ASSAY_E_INVALID, "transpose: 'perm' is no order");
        seen |= 1u << a->i[d];
    }
    if (nn_shape_open(in) && from_dim(node, 0) != 0)
        return nn_op_bad_shape(node, 0, "the batch must stay the first dimension");
    node->out_shape.ndim = in->ndim;
    for (int d = 0; d < in->ndim; d++)
        node->out_shape.dim[d] = in->dim[from_dim(node, d)];
    node->out_dtype = node->in_dtype[0];
    node->out_layout = lies(node);
    return ASSAY_OK;
}

static bool view(const nn_node *node, int n, int k, strided_view *out) {
    int64_t from[NN_MAX_DIMS];
    strided_whole(out, node, n, 0);
    memcpy(from, out->from, sizeof from);
    for (int d = 0; d < out->ndim; d++)
        out->from[d] = from[from_dim(node, d)];
    return k == 0;
}

static int source(const nn_node *node, const int64_t *to, int64_t *from) {
    for (int d = 0; d < node->out_shape.ndim; d++)
        from[from_dim(node, d)] = to[d];
    return 0;
}

static const mover family = {.view = view, .source = source};

static const nn_op_case cases[] = {
    {.name = "image to channels last",
     .batch = 2,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 5, 3, 7}}}},
     .attr = {{.name = "perm", .i = {0, 2, 3, 1}, .count = 4}},
     .n_attrs = 1},
    {.name = "image to channels second",
     .batch = 2,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 5, 3, 7}}}},
     .attr = {{.name = "perm", .i = {0, 3, 1, 2}, .count = 4}},
     .n_attrs = 1},
    {.name = "heads",
     .batch = 2,
     .n = 1,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 4, 3, 8}}}},
     .attr = {{.name = "perm", .i = {0, 2, 1, 3}, .count = 4}},
     .n_attrs = 1},
    {.name = "five",
     .batch = 2,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {5, {0, 2, 3, 4, 5}}}},
     .attr = {{.name = "perm", .i = {0, 4, 2, 1, 3}, .count = 5}},
     .n_attrs = 1},
    {.name = "reversed",
     .batch = 1,
     .n = 1,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {3, {2, 3, 4}}}}},
    {.name = "u8",
     .batch = 2,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {3, {0, 3, 4}}}},
     .attr = {{.name = "perm", .i = {0, 2, 1}, .count = 3}},
     .n_attrs = 1,
     .dtype = {ASSAY_U8}},
    {0}};

const nn_op_def assay_op_transpose = {
    MOVER_OP,
    MOVER_RUNS,
    .name = "transpose",
    .summary = "the dimensions in another order",
    .min_inputs = 1,
    .max_inputs = 1,
    .attrs = attrs,
    .family = &family,
    .infer = transpose_infer,
    .tangent = nn_tangent_linear,
    .cases = cases,
};

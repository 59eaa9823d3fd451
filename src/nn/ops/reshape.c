/* reshape: the same numbers in the same logical order, in another shape. Attribute
 * "shape": one size per dimension, 0 for that of the input, -1 (once) for what is left.
 * The batch stays the first dimension. squeeze and unsqueeze are this op. */
#include "nn/strided.h"
#include "nn/tangent.h"

static const char *const attrs[] = {"shape", NULL};

static assay_status fail(const nn_node *node) {
    return nn_op_bad_shape(node, 0, "the numbers don't fill the new shape");
}

static assay_status reshape_infer(nn_node *node) {
    const nn_attr *a = nn_attr_get(node, "shape");
    const nn_shape *in = &node->in_shape[0];
    nn_shape out = {.ndim = a ? a->count : 0};
    int open = -1;
    for (int d = 0; d < out.ndim; d++) {
        out.dim[d] = a->i[d];
        if (a->i[d] == 0 && d >= in->ndim)
            return fail(node);
        if (a->i[d] == 0)
            out.dim[d] = in->dim[d];
        if (a->i[d] < -1 || (a->i[d] == -1 && open >= 0))
            return err_set(ASSAY_E_INVALID, "reshape: a size is %lld",
                           (long long)a->i[d]);
        open = a->i[d] == -1 ? d : open;
    }
    bool batch = nn_shape_open(in);
    if (batch && open == 0) {
        out.dim[0] = 0; /* what is left is the batch, if the rest fits */
        open = -1;
    }
    if (batch != nn_shape_open(&out))
        return nn_op_bad_shape(node, 0, "the batch must stay the first dimension");
    int64_t have = batch ? nn_shape_each(in) : nn_shape_count(in), rest = have;
    for (int d = batch; d < out.ndim; d++) {
        if (d == open)
            continue;
        if (rest % out.dim[d])
            return fail(node);
        rest /= out.dim[d];
    }
    if (open >= 0)
        out.dim[open] = rest;
    else if (rest != 1)
        return fail(node);
    node->out_shape = out;
    node->out_dtype = node->in_dtype[0];
    node->out_layout = ASSAY_ROW_MAJOR;
    return ASSAY_OK;
}

static bool view(const nn_node *node, int n, int k, strided_view *out) {
    const nn_shape *s = &node->in_shape[0];
    int64_t to[NN_MAX_DIMS], from[NN_MAX_DIMS];
    nn_strides(s, ASSAY_ROW_MAJOR, to);
    nn_strides(s, node->in_layout[0], from);
    *out = (strided_view){0};
    for (int d = 0; d < s->ndim; d++)
        strided_add(out, s->dim[d] ? s->dim[d] : n, to[d], from[d]);
    return k == 0;
}

static int source(const nn_node *node, const int64_t *to, int64_t *from) {
    const nn_shape *s = &node->in_shape[0], *out = &node->out_shape;
    int64_t at = 0;
    for (int d = 0; d < out->ndim; d++)
        at = at * out->dim[d] + to[d];
    if (nn_shape_open(out)) {
        at = 0;
        for (int d = 1; d < out->ndim; d++)
            at = at * out->dim[d] + to[d];
    }
    for (int d = s->ndim; d-- > 0;) {
        from[d] = s->dim[d] ? at % s->dim[d] : to[0];
        at /= s->dim[d] ? s->dim[d] : 1;
    }
    return 0;
}

static const mover family = {.view = view, .source = source};

static const nn_op_case cases[] = {
    {.name = "image to rows",
     .batch = 3,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 5, 3, 7}}}},
     .attr = {{.name = "shape", .i = {0, 5, -1}, .count = 3}},
     .n_attrs = 1},
    {.name = "rows to image",
     .batch = 2,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {2, {0, 30}}}},
     .attr = {{.name = "shape", .i = {0, 2, 5, 3}, .count = 4}},
     .n_attrs = 1},
    {.name = "what is left is the batch",
     .batch = 2,
     .n = 1,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {3, {0, 4, 6}}}},
     .attr = {{.name = "shape", .i = {-1, 3, 8}, .count = 3}},
     .n_attrs = 1},
    {.name = "static to a scalar",
     .batch = 1,
     .n = 1,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {2, {1, 1}}}},
     .attr = {{.name = "shape", .i = {0}, .count = 0}},
     .n_attrs = 1},
    {.name = "i64",
     .batch = 2,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {3, {0, 3, 4}}}},
     .attr = {{.name = "shape", .i = {0, 2, 6}, .count = 3}},
     .n_attrs = 1,
     .dtype = {ASSAY_I64}},
    {0}};

const nn_op_def assay_op_reshape = {
    MOVER_OP,
    MOVER_RUNS,
    .name = "reshape",
    .summary = "the same numbers in another shape",
    .min_inputs = 1,
    .max_inputs = 1,
    .attrs = attrs,
    .family = &family,
    .infer = reshape_infer,
    .tangent = nn_tangent_linear,
    .cases = cases,
};

/* concat: values one behind the other along "axis", all of one element type and alike in
 * all other dimensions. */
#include "nn/strided.h"

static const char *const attrs[] = {"axis", NULL};

static int axis_of(const nn_node *node) {
    int axis = (int)nn_attr_i(node, "axis", 0);
    return axis < 0 ? axis + node->in_shape[0].ndim : axis;
}

static assay_status concat_infer(nn_node *node) {
    int axis;
    assay_status status = strided_axis_attr(&axis, node, "axis", 0, 0);
    if (status != ASSAY_OK)
        return status;
    nn_shape *out = &node->out_shape;
    *out = node->in_shape[0];
    for (int i = 1; i < node->n_in; i++) {
        const nn_shape *s = &node->in_shape[i];
        bool fits = s->ndim == out->ndim;
        for (int d = 0; fits && d < s->ndim; d++)
            fits = d == axis || s->dim[d] == out->dim[d];
        if (!fits)
            return nn_op_bad_shape(node, i, "all must be alike but along the axis");
        if (node->in_dtype[i] != node->in_dtype[0])
            return nn_op_bad_dtype(node, i, "all must have one element type");
        out->dim[axis] += s->dim[axis];
    }
    node->out_dtype = node->in_dtype[0];
    return ASSAY_OK;
}

static bool view(const nn_node *node, int n, int k, strided_view *out) {
    int axis = axis_of(node);
    if (k == node->n_in)
        return false;
    strided_whole(out, node, n, k);
    out->dim[axis] = node->in_shape[k].dim[axis];
    for (int i = 0; i < k; i++)
        out->to_at += node->in_shape[i].dim[axis] * out->to[axis];
    return true;
}

static int source(const nn_node *node, const int64_t *to, int64_t *from) {
    int axis = axis_of(node), i = 0;
    for (int d = 0; d < node->out_shape.ndim; d++)
        from[d] = to[d];
    for (; from[axis] >= node->in_shape[i].dim[axis]; i++)
        from[axis] -= node->in_shape[i].dim[axis];
    return i;
}

static const mover family = {.view = view, .source = source};

static const nn_op_case cases[] = {
    {.name = "channels",
     .batch = 3,
     .n = 2,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {4, {0, 5, 2, 3}}},
            {NN_CASE_VALUE, {4, {0, 1, 2, 3}}},
            {NN_CASE_VALUE, {4, {0, 4, 2, 3}}}},
     .attr = {{.name = "axis", .i = {1}, .count = 1}},
     .n_attrs = 1},
    {.name = "last",
     .batch = 2,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {3, {0, 3, 4}}}, {NN_CASE_VALUE, {3, {0, 3, 2}}}},
     .attr = {{.name = "axis", .i = {-1}, .count = 1}},
     .n_attrs = 1},
    {.name = "static",
     .batch = 1,
     .n = 1,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {2, {2, 3}}}, {NN_CASE_VALUE, {2, {1, 3}}}},
     .attr = {{.name = "axis", .i = {0}, .count = 1}},
     .n_attrs = 1},
    {.name = "bool",
     .batch = 2,
     .n = 1,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {2, {0, 3}}}, {NN_CASE_VALUE, {2, {0, 5}}}},
     .attr = {{.name = "axis", .i = {1}, .count = 1}},
     .n_attrs = 1,
     .dtype = {ASSAY_BOOL, ASSAY_BOOL}},
    {0}};

const nn_op_def assay_op_concat = {
    MOVER_OP,
    MOVER_RUNS,
    .name = "concat",
    .summary = "values one behind the other",
    .min_inputs = 1,
    .max_inputs = NN_MAX_INPUTS,
    .attrs = attrs,
    .family = &family,
    .infer = concat_infer,
    .cases = cases,
};

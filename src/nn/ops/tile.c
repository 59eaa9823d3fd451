/* tile: the value repeated repeats[d] times along each dimension d. */
#include "nn/strided.h"

static const char *const attrs[] = {"repeats", NULL};

static int64_t repeats_of(const nn_node *node, int d) {
    return nn_attr_get(node, "repeats")->i[d];
}

static assay_status tile_infer(nn_node *node) {
    const nn_attr *a = nn_attr_get(node, "repeats");
    const nn_shape *in = &node->in_shape[0];
    if (!a || a->count != in->ndim)
        return nn_op_bad_shape(node, 0, "'repeats' must name every dimension");
    node->out_shape = *in;
    for (int d = 0; d < in->ndim; d++) {
        if (a->i[d] < 1 || a->i[d] > 1 << 30)
            return err_set(ASSAY_E_INVALID, "tile: repeated %lld times",
                           (long long)a->i[d]);
        if (in->dim[d] > ((int64_t)1 << 40) / a->i[d])
            return nn_op_bad_shape(node, 0, "the result is too large");
        if (in->dim[d] == 0 && a->i[d] != 1)
            return nn_op_bad_shape(node, 0, "the batch can't be repeated");
        node->out_shape.dim[d] *= a->i[d];
    }
    node->out_dtype = node->in_dtype[0];
    return ASSAY_OK;
}

static bool view(const nn_node *node, int n, int k, strided_view *out) {
    const nn_shape *in = &node->in_shape[0];
    strided_view whole;
    strided_whole(&whole, node, n, 0);
    *out = (strided_view){0};
    for (int d = 0; d < in->ndim; d++) {
        int64_t size = in->dim[d] ? in->dim[d] : n;
        strided_add(out, repeats_of(node, d), whole.to[d] * size, 0);
        strided_add(out, size, whole.to[d], whole.from[d]);
    }
    return k == 0;
}

static int source(const nn_node *node, const int64_t *to, int64_t *from) {
    const nn_shape *in = &node->in_shape[0];
    for (int d = 0; d < in->ndim; d++)
        from[d] = in->dim[d] ? to[d] % in->dim[d] : to[d];
    return 0;
}

static const mover family = {.view = view, .source = source, .repeats = true};

static const nn_op_case cases[] = {
    {.name = "image",
     .batch = 2,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 2, 3, 4}}}},
     .attr = {{.name = "repeats", .i = {1, 3, 1, 2}, .count = 4}},
     .n_attrs = 1},
    {.name = "static",
     .batch = 1,
     .n = 1,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {2, {2, 3}}}},
     .attr = {{.name = "repeats", .i = {2, 2}, .count = 2}},
     .n_attrs = 1},
    {.name = "i64",
     .batch = 2,
     .n = 1,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {2, {0, 3}}}},
     .attr = {{.name = "repeats", .i = {1, 4}, .count = 2}},
     .n_attrs = 1,
     .dtype = {ASSAY_I64}},
    {0}};

const nn_op_def assay_op_tile = {
    MOVER_OP,
    MOVER_RUNS,
    .name = "tile",
    .summary = "the value several times side by side",
    .min_inputs = 1,
    .max_inputs = 1,
    .attrs = attrs,
    .family = &family,
    .infer = tile_infer,
    .cases = cases,
};

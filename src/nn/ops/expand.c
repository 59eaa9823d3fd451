/* expand: the value repeated until it has a shape that it broadcasts to. Attribute
 * "shape"; a size of 0 or 1 leaves the input's. */
#include "nn/strided.h"

static const char *const attrs[] = {"shape", NULL};

static assay_status expand_infer(nn_node *node) {
    const nn_attr *a = nn_attr_get(node, "shape");
    const nn_shape *in = &node->in_shape[0];
    int count = a ? a->count : 0, ndim = count > in->ndim ? count : in->ndim;
    nn_shape out = {.ndim = ndim};
    for (int d = 0; d < ndim; d++) {
        int own = d - (ndim - in->ndim), asked = d - (ndim - count);
        int64_t have = own < 0 ? 1 : in->dim[own], want = asked < 0 ? 1 : a->i[asked];
        if (have == 0 && d > 0)
            return nn_op_bad_shape(node, 0, "the batch must stay the first dimension");
        if (want < 0 || (want > 1 && have != 1 && have != want))
            return nn_op_bad_shape(node, 0, "it does not broadcast to that shape");
        out.dim[d] = want > 1 ? want : have;
    }
    node->out_shape = out;
    node->out_dtype = node->in_dtype[0];
    return ASSAY_OK;
}

static bool view(const nn_node *node, int n, int k, strided_view *out) {
    const nn_shape *in = &node->in_shape[0], *s = &node->out_shape;
    int64_t to[NN_MAX_DIMS], from[NN_MAX_DIMS];
    nn_strides(s, node->out_layout, to);
    nn_strides(in, node->in_layout[0], from);
    *out = (strided_view){0};
    for (int d = 0; d < s->ndim; d++) {
        int own = d - (s->ndim - in->ndim);
        strided_add(out, s->dim[d] ? s->dim[d] : n, to[d],
                    own < 0 || in->dim[own] == 1 ? 0 : from[own]);
    }
    return k == 0;
}

static int source(const nn_node *node, const int64_t *to, int64_t *from) {
    const nn_shape *in = &node->in_shape[0];
    for (int d = 0; d < in->ndim; d++)
        from[d] = in->dim[d] == 1 ? 0 : to[d + node->out_shape.ndim - in->ndim];
    return 0;
}

static const mover family = {.view = view, .source = source, .repeats = true};

static const nn_op_case cases[] = {
    {.name = "image",
     .batch = 2,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 5, 1, 3}}}},
     .attr = {{.name = "shape", .i = {0, 5, 4, 3}, .count = 4}},
     .n_attrs = 1},
    {.name = "more dimensions",
     .batch = 1,
     .n = 1,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {2, {3, 1}}}},
     .attr = {{.name = "shape", .i = {2, 1, 4}, .count = 3}},
     .n_attrs = 1},
    {.name = "i32",
     .batch = 2,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {3, {0, 1, 3}}}},
     .attr = {{.name = "shape", .i = {1, 2, 1}, .count = 3}},
     .n_attrs = 1,
     .dtype = {ASSAY_I32}},
    {0}};

const nn_op_def assay_op_expand = {
    MOVER_OP,
    MOVER_RUNS,
    .name = "expand",
    .summary = "the value repeated until it has a shape",
    .min_inputs = 1,
    .max_inputs = 1,
    .attrs = attrs,
    .family = &family,
    .infer = expand_infer,
    .cases = cases,
};

/* space_to_depth: blocks of "block" x "block" pixels become channels of one pixel; the
 * block's place comes before the channel, as in ONNX. */
#include "nn/strided.h"
#include "nn/tangent.h"

static const char *const attrs[] = {"block", NULL};

static assay_status space_to_depth_infer(nn_node *node) {
    const nn_shape *in = &node->in_shape[0];
    int64_t b = nn_attr_i(node, "block", 1);
    if (in->ndim != 4)
        return nn_op_bad_shape(node, 0, "images [N,C,H,W] are needed");
    if (b < 1 || b > 1 << 15)
        return err_set(ASSAY_E_INVALID, "space_to_depth: blocks of %lld", (long long)b);
    bool fits = in->dim[2] % b == 0 && in->dim[3] % b == 0;
    if (!fits)
        return nn_op_bad_shape(node, 0, "the blocks don't fit");
    node->out_shape =
        (nn_shape){4, {in->dim[0], in->dim[1] * b * b, in->dim[2] / b, in->dim[3] / b}};
    node->out_dtype = node->in_dtype[0];
    return ASSAY_OK;
}

static bool view(const nn_node *node, int n, int k, strided_view *out) {
    int64_t b = nn_attr_i(node, "block", 1), c = node->in_shape[0].dim[1];
    const nn_shape *s = &node->out_shape;
    strided_view w;
    strided_whole(&w, node, n, 0);
    *out = (strided_view){0};
    strided_add(out, w.dim[0], w.to[0], w.from[0]);
    strided_add(out, b, w.to[1] * c * b, w.from[2]);
    strided_add(out, b, w.to[1] * c, w.from[3]);
    strided_add(out, c, w.to[1], w.from[1]);
    strided_add(out, s->dim[2], w.to[2], w.from[2] * b);
    strided_add(out, s->dim[3], w.to[3], w.from[3] * b);
    return k == 0;
}

static int source(const nn_node *node, const int64_t *to, int64_t *from) {
    int64_t b = nn_attr_i(node, "block", 1), c = node->in_shape[0].dim[1];
    int64_t place = to[1] / c;
    from[0] = to[0];
    from[1] = to[1] % c;
    from[2] = to[2] * b + place / b;
    from[3] = to[3] * b + place % b;
    return 0;
}

static const mover family = {.view = view, .source = source};

static const nn_op_case cases[] = {{.name = "blocks of two",
                                    .batch = 2,
                                    .n = 2,
                                    .n_inputs = 1,
                                    .in = {{NN_CASE_VALUE, {4, {0, 3, 4, 6}}}},
                                    .attr = {{.name = "block", .i = {2}, .count = 1}},
                                    .n_attrs = 1},
                                   {.name = "static u8",
                                    .batch = 1,
                                    .n = 1,
                                    .n_inputs = 1,
                                    .in = {{NN_CASE_VALUE, {4, {1, 2, 3, 6}}}},
                                    .attr = {{.name = "block", .i = {3}, .count = 1}},
                                    .n_attrs = 1,
                                    .dtype = {ASSAY_U8}},
                                   {0}};

const nn_op_def assay_op_space_to_depth = {
    MOVER_OP,
    MOVER_RUNS,
    .name = "space_to_depth",
    .summary = "blocks of pixels as channels",
    .min_inputs = 1,
    .max_inputs = 1,
    .attrs = attrs,
    .family = &family,
    .infer = space_to_depth_infer,
    .tangent = nn_tangent_linear,
    .cases = cases,
};

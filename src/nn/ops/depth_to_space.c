/* depth_to_space: channels become pixels: each block of "block" x "block" pixels takes
 * its channels from one pixel; the block's place comes before the channel ("crd" 0: DCR)
 * or behind it ("crd" 1: CRD), as in ONNX. */
#include "nn/strided.h"
#include "nn/tangent.h"

static const char *const attrs[] = {"block", "crd", NULL};

static assay_status depth_to_space_infer(nn_node *node) {
    const nn_shape *in = &node->in_shape[0];
    int64_t b = nn_attr_i(node, "block", 1);
    if (in->ndim != 4)
        return nn_op_bad_shape(node, 0, "images [N,C,H,W] are needed");
    if (b < 1 || b > 1 << 15)
        return err_set(ASSAY_E_INVALID, "depth_to_space: blocks of %lld", (long long)b);
    bool fits = in->dim[1] % (b * b) == 0;
    if (!fits)
        return nn_op_bad_shape(node, 0, "the blocks don't fit");
    node->out_shape =
        (nn_shape){4, {in->dim[0], in->dim[1] / (b * b), in->dim[2] * b, in->dim[3] * b}};
    node->out_dtype = node->in_dtype[0];
    return ASSAY_OK;
}

static bool view(const nn_node *node, int n, int k, strided_view *out) {
    int64_t b = nn_attr_i(node, "block", 1), c = node->out_shape.dim[1];
    bool crd = nn_attr_i(node, "crd", 0) != 0;
    const nn_shape *in = &node->in_shape[0];
    strided_view w;
    strided_whole(&w, node, n, 0);
    int64_t each = w.from[1] * (crd ? b * b : 1), place = w.from[1] * (crd ? 1 : c);
    *out = (strided_view){0};
    strided_add(out, w.dim[0], w.to[0], w.from[0]);
    strided_add(out, c, w.to[1], each);
    strided_add(out, in->dim[2], w.to[2] * b, w.from[2]);
    strided_add(out, b, w.to[2], place * b);
    strided_add(out, in->dim[3], w.to[3] * b, w.from[3]);
    strided_add(out, b, w.to[3], place);
    return k == 0;
}

static int source(const nn_node *node, const int64_t *to, int64_t *from) {
    int64_t b = nn_attr_i(node, "block", 1), c = node->out_shape.dim[1];
    int64_t place = to[2] % b * b + to[3] % b;
    from[0] = to[0];
    from[1] = nn_attr_i(node, "crd", 0) ? to[1] * b * b + place : place * c + to[1];
    from[2] = to[2] / b;
    from[3] = to[3] / b;
    return 0;
}

static const mover family = {.view = view, .source = source};

static const nn_op_case cases[] = {{.name = "dcr",
                                    .batch = 2,
                                    .n = 2,
                                    .n_inputs = 1,
                                    .in = {{NN_CASE_VALUE, {4, {0, 12, 2, 3}}}},
                                    .attr = {{.name = "block", .i = {2}, .count = 1}},
                                    .n_attrs = 1},
                                   {.name = "crd",
                                    .batch = 2,
                                    .n = 1,
                                    .n_inputs = 1,
                                    .in = {{NN_CASE_VALUE, {4, {0, 12, 2, 3}}}},
                                    .attr = {{.name = "block", .i = {2}, .count = 1},
                                             {.name = "crd", .i = {1}, .count = 1}},
                                    .n_attrs = 2},
                                   {.name = "static u8",
                                    .batch = 1,
                                    .n = 1,
                                    .n_inputs = 1,
                                    .in = {{NN_CASE_VALUE, {4, {1, 9, 1, 2}}}},
                                    .attr = {{.name = "block", .i = {3}, .count = 1}},
                                    .n_attrs = 1,
                                    .dtype = {ASSAY_U8}},
                                   {0}};

const nn_op_def assay_op_depth_to_space = {
    MOVER_OP,
    MOVER_RUNS,
    .name = "depth_to_space",
    .summary = "channels as blocks of pixels",
    .min_inputs = 1,
    .max_inputs = 1,
    .attrs = attrs,
    .family = &family,
    .infer = depth_to_space_infer,
    .tangent = nn_tangent_linear,
    .cases = cases,
};

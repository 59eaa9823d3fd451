/* layout: the same image values, lying the other way in memory (channels-last or row by
 * row). Put in by the graph where an op needs it; the numbers do not change. */
#include "nn/op.h"
#include "nn/tangent.h"

#include "tensor/tensor.h"

static const char *const layout_attrs[] = {"to", NULL};

static assay_status layout_infer(nn_node *node) {
    int64_t to = nn_attr_i(node, "to", -1);
    if (to != ASSAY_ROW_MAJOR && to != ASSAY_CHANNELS_LAST)
        return err_set(ASSAY_E_INVALID, "layout: attribute 'to' must be 0 or 1");
    if (node->in_shape[0].ndim != 4)
        return nn_op_bad_shape(node, 0, "four dimensions are needed");
    node->out_shape = node->in_shape[0];
    node->out_dtype = node->in_dtype[0];
    node->out_layout = (assay_layout)to;
    return ASSAY_OK;
}

/* Copies `count` images between [outer][inner] and [inner][outer] elements of `size`. */
static void
turn(void *to, const void *from, size_t count, size_t outer, size_t inner, size_t size) {
    const uint8_t *src = from;
    uint8_t *dst = to;
    for (size_t k = 0; k < count; k++)
        for (size_t i = 0; i < inner; i++)
            for (size_t o = 0; o < outer; o++, dst += size)
                for (size_t b = 0; b < size; b++)
                    dst[b] = src[((k * outer + o) * inner + i) * size + b];
}

/* The same, from f32 to bf16 or back. */
static void turn_between(
    void *to, const void *from, size_t count, size_t outer, size_t inner, bool to_half) {
    for (size_t k = 0, put = 0; k < count; k++)
        for (size_t i = 0; i < inner; i++)
            for (size_t o = 0; o < outer; o++, put++) {
                size_t at = (k * outer + o) * inner + i;
                if (to_half)
                    ((uint16_t *)to)[put] = ten_bf16(((const float *)from)[at]);
                else
                    ((float *)to)[put] = ten_from_bf16(((const uint16_t *)from)[at]);
            }
}

/* From what lies like `from_layout` to the other. */
static void convert(const nn_io *io,
                    void *to,
                    const void *from,
                    assay_layout from_layout,
                    assay_layout to_layout,
                    bool from_half,
                    bool to_half) {
    const nn_shape *s = &io->node->in_shape[0];
    size_t channels = (size_t)s->dim[1], pixels = (size_t)(s->dim[2] * s->dim[3]);
    size_t count = (size_t)nn_shape_elements(s, io->n) / (channels * pixels);
    size_t outer = from_layout == ASSAY_ROW_MAJOR ? channels : pixels;
    size_t inner = from_layout == ASSAY_ROW_MAJOR ? pixels : channels;
    size_t size = to_half ? 2 : assay_dtype_size(io->node->in_dtype[0]);
    if (from_layout == to_layout) {
        outer = 1;
        inner = channels * pixels;
    }
    if (from_half != to_half)
        turn_between(to, from, count, outer, inner, to_half);
    else
        turn(to, from, count, outer, inner, size);
}

static assay_status layout_forward(nn_io *io) {
    convert(io, io->out, io->in[0], io->node->in_layout[0], io->node->out_layout,
            io->in_half & 1, io->out_half);
    return ASSAY_OK;
}

static assay_status layout_backward(nn_io *io) {
    convert(io, io->d_in[0], io->d_out, io->node->out_layout, io->node->in_layout[0],
            io->out_half, io->in_half & 1);
    return ASSAY_OK;
}

static void layout_reference(const nn_node *node,
                             int n,
                             bool training,
                             const double *const *in,
                             double *out,
                             const double *d_out,
                             double *const *d_in) {
    (void)training;
    const nn_shape *s = &node->in_shape[0];
    int64_t from[NN_MAX_DIMS], to[NN_MAX_DIMS];
    nn_strides(s, node->in_layout[0], from);
    nn_strides(s, node->out_layout, to);
    int64_t each = nn_shape_each(s), count = nn_shape_elements(s, n) / each;
    for (int64_t i = 0; i < count * each; i++) {
        int64_t w = i % s->dim[3], h = i / s->dim[3] % s->dim[2];
        int64_t c = i / (s->dim[3] * s->dim[2]) % s->dim[1], k = i / each * each;
        int64_t at = k + c * from[1] + h * from[2] + w * from[3];
        int64_t put = k + c * to[1] + h * to[2] + w * to[3];
        out[put] = in[0][at];
        if (d_out && d_in[0])
            d_in[0][at] = d_out[put];
    }
}

static const nn_op_case layout_cases[] = {
    {.name = "image to rows",
     .batch = 3,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 5, 3, 7}}}},
     .attr = {{.name = "to", .i = {ASSAY_ROW_MAJOR}, .count = 1}},
     .n_attrs = 1},
    {.name = "already so",
     .batch = 2,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 3, 2, 4}}}},
     .attr = {{.name = "to", .i = {ASSAY_CHANNELS_LAST}, .count = 1}},
     .n_attrs = 1},
    {0}};

const nn_op_def assay_op_layout = {
    .name = "layout",
    .summary = "the same image values, lying the other way in memory",
    .min_inputs = 1,
    .max_inputs = 1,
    .layout = NN_ANY,
    .dtypes = ~0u,
    .half_in = 1,
    .half_out = true,
    .attrs = layout_attrs,
    .infer = layout_infer,
    .forward = layout_forward,
    .backward = layout_backward,
    .tangent = nn_tangent_linear,
    .reference = layout_reference,
    .cases = layout_cases,
};

/* pad: more elements at the borders: "begins" and "ends" say how many per dimension
 * (negative: as many less), "mode" 0 fills with "value" (.f, 0), 1 mirrors without the
 * border itself, 2 repeats the border. */
#include "nn/strided.h"
#include "nn/tangent.h"

static const char *const attrs[] = {"begins", "ends", "mode", "value", NULL};

static int64_t before(const nn_node *node, int d) {
    return nn_attr_get(node, "begins")->i[d];
}

static assay_status pad_infer(nn_node *node) {
    const nn_attr *begins = nn_attr_get(node, "begins"),
                  *ends = nn_attr_get(node, "ends");
    const nn_shape *in = &node->in_shape[0];
    int64_t mode = nn_attr_i(node, "mode", 0), far = (int64_t)1 << 40;
    if (!begins || !ends || begins->count != in->ndim || ends->count != in->ndim)
        return nn_op_bad_shape(node, 0, "'begins' and 'ends' must name every dimension");
    if (mode < 0 || mode > 2)
        return err_set(ASSAY_E_INVALID, "pad: mode %lld", (long long)mode);
    node->out_shape = *in;
    node->out_dtype = node->in_dtype[0];
    for (int d = 0; d < in->ndim; d++) {
        int64_t b = begins->i[d], e = ends->i[d];
        if (b < -far || b > far || e < -far || e > far)
            return err_set(ASSAY_E_INVALID, "pad: too much padding");
        if (in->dim[d] == 0 && (b || e))
            return nn_op_bad_shape(node, 0, "the batch can't be padded");
        if (mode == 1 && in->dim[d] && (b >= in->dim[d] || e >= in->dim[d]))
            return nn_op_bad_shape(node, 0, "the mirror is too small for the padding");
        node->out_shape.dim[d] += b + e;
        if (in->dim[d] && node->out_shape.dim[d] < 1)
            return nn_op_bad_shape(node, 0, "nothing would be left");
    }
    return ASSAY_OK;
}

/* The box that is left of the input; none: false. */
static bool inner(const nn_node *node, int n, strided_view *out) {
    strided_whole(out, node, n, 0);
    for (int d = 0; d < out->ndim; d++) {
        int64_t b = before(node, d), first = b > 0 ? b : 0;
        int64_t size = node->in_shape[0].dim[d] ? node->in_shape[0].dim[d] : n;
        int64_t last = b + size < out->dim[d] ? b + size : out->dim[d];
        if (last <= first)
            return false;
        out->to_at += first * out->to[d];
        out->from_at += (first - b) * out->from[d];
        out->dim[d] = last - first;
    }
    return true;
}

static bool view(const nn_node *node, int n, int k, strided_view *out) {
    return k == 0 && inner(node, n, out);
}

static int source(const nn_node *node, const int64_t *to, int64_t *from) {
    int64_t mode = nn_attr_i(node, "mode", 0);
    for (int d = 0; d < node->out_shape.ndim; d++) {
        int64_t size = node->in_shape[0].dim[d], at = to[d] - before(node, d);
        if (size && (at < 0 || at >= size)) {
            if (mode == 0)
                return -1;
            if (mode == 1)
                at = at < 0 ? -at : 2 * (size - 1) - at;
            else
                at = at < 0 ? 0 : size - 1;
        }
        from[d] = at;
    }
    return 0;
}

static const mover by_source = {.source = source};

static bool filled(const nn_node *node) {
    return nn_attr_i(node, "mode", 0) == 0;
}

static assay_status pad_plan(nn_plan *p) {
    return filled(p->node) ? ASSAY_OK : mover_plan_as(p, &by_source);
}

static assay_status pad_forward(nn_io *io) {
    return filled(io->node) ? mover_forward(io) : mover_forward_as(io, &by_source);
}

static assay_status pad_backward(nn_io *io) {
    return filled(io->node) ? mover_backward(io) : mover_backward_as(io, &by_source);
}

static const mover family = {.view = view, .source = source, .fills = true};

static const nn_op_case cases[] = {
    {.name = "image",
     .batch = 3,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 3, 4, 5}}}},
     .attr = {{.name = "begins", .i = {0, 1, 0, 2}, .count = 4},
              {.name = "ends", .i = {0, 0, 1, 3}, .count = 4},
              {.name = "value", .f = 0.5}},
     .n_attrs = 3},
    {.name = "less",
     .batch = 2,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {3, {0, 6, 7}}}},
     .attr = {{.name = "begins", .i = {0, -1, 2}, .count = 3},
              {.name = "ends", .i = {0, 1, -3}, .count = 3}},
     .n_attrs = 2},
    {.name = "mirrored",
     .batch = 2,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 2, 4, 5}}}},
     .attr = {{.name = "begins", .i = {0, 0, 3, 1}, .count = 4},
              {.name = "ends", .i = {0, 1, 2, 4}, .count = 4},
              {.name = "mode", .i = {1}, .count = 1}},
     .n_attrs = 3},
    {.name = "edge",
     .batch = 2,
     .n = 1,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {3, {0, 3, 2}}}},
     .attr = {{.name = "begins", .i = {0, 2, 0}, .count = 3},
              {.name = "ends", .i = {0, 1, 4}, .count = 3},
              {.name = "mode", .i = {2}, .count = 1}},
     .n_attrs = 3},
    {.name = "static i64",
     .batch = 1,
     .n = 1,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {2, {2, 3}}}},
     .attr = {{.name = "begins", .i = {1, 0}, .count = 2},
              {.name = "ends", .i = {0, 2}, .count = 2},
              {.name = "value", .f = 7.0}},
     .n_attrs = 3,
     .dtype = {ASSAY_I64}},
    {0}};

/* What it fills with stays where it is. */
static assay_status pad_tangent(nn_value *out, const nn_tangent *t) {
    if (nn_attr_i(t->node, "mode", 0) == 0 && nn_attr_f(t->node, "value", 0) != 0)
        return nn_tangent_none(t, " with a value");
    return nn_tangent_linear(out, t);
}

const nn_op_def assay_op_pad = {
    MOVER_OP,
    .plan = pad_plan,
    .forward = pad_forward,
    .backward = pad_backward,
    .name = "pad",
    .summary = "more elements at the borders",
    .min_inputs = 1,
    .max_inputs = 1,
    .attrs = attrs,
    .family = &family,
    .infer = pad_infer,
    .tangent = pad_tangent,
    .cases = cases,
};

/* slice: every step-th element from start on and before end, along some axes: attributes
 * "starts", "ends", "axes" (default: the first ones), "steps" (default 1), as in ONNX:
 * negative places count from the end, those past an end are cut to it. */
#include "nn/strided.h"
#include "nn/tangent.h"

static const char *const attrs[] = {"starts", "ends", "axes", "steps", NULL};

typedef struct cut {
    int64_t start, step, size;
} cut;

static int64_t number(const nn_attr *a, int k, int64_t fallback) {
    return a && k < a->count ? a->i[k] : fallback;
}

static int64_t between(int64_t v, int64_t low, int64_t high) {
    return v < low ? low : v > high ? high : v;
}

static cut cut_of(int64_t start, int64_t end, int64_t step, int64_t dim) {
    const int64_t far = (int64_t)1 << 41;
    step = between(step, -far, far);
    start = start < 0 ? start + dim : start;
    end = end < 0 ? end + dim : end;
    if (step > 0) {
        start = between(start, 0, dim);
        end = between(end, 0, dim);
        return (cut){start, step, end > start ? (end - start - 1) / step + 1 : 0};
    }
    start = between(start, 0, dim - 1);
    end = between(end, -1, dim - 1);
    return (cut){start, step, start > end ? (start - end - 1) / -step + 1 : 0};
}

/* What is taken of dimension d. */
static cut cut_at(const nn_node *node, int d) {
    const nn_attr *starts = nn_attr_get(node, "starts"),
                  *ends = nn_attr_get(node, "ends"), *axes = nn_attr_get(node, "axes"),
                  *steps = nn_attr_get(node, "steps");
    const nn_shape *in = &node->in_shape[0];
    for (int k = 0; starts && k < starts->count; k++) {
        int64_t axis = number(axes, k, k);
        if ((axis < 0 ? axis + in->ndim : axis) == d)
            return cut_of(starts->i[k], number(ends, k, INT64_MAX), number(steps, k, 1),
                          in->dim[d]);
    }
    return (cut){0, 1, in->dim[d]};
}

/* Of the batch all must be taken, since its size is not known. */
static bool takes_all(const nn_node *node, int k) {
    const nn_attr *starts = nn_attr_get(node, "starts"),
                  *ends = nn_attr_get(node, "ends"), *steps = nn_attr_get(node, "steps");
    return starts->i[k] == 0 && number(steps, k, 1) == 1 &&
           number(ends, k, INT64_MAX) >= INT32_MAX;
}

static assay_status slice_infer(nn_node *node) {
    const nn_attr *starts = nn_attr_get(node, "starts"),
                  *ends = nn_attr_get(node, "ends"), *axes = nn_attr_get(node, "axes"),
                  *steps = nn_attr_get(node, "steps");
    const nn_shape *in = &node->in_shape[0];
    int count = starts ? starts->count : 0;
    unsigned seen = 0;
    if (!ends || ends->count != count || (axes && axes->count != count) ||
        (steps && steps->count != count))
        return err_set(ASSAY_E_INVALID,
                       "slice: starts, ends, axes and steps don't agree");
    for (int k = 0; k < count; k++) {
        int axis;
        assay_status status = strided_axis(&axis, node, number(axes, k, k), in->ndim);
        if (status != ASSAY_OK)
            return status;
        if (number(steps, k, 1) == 0 || seen >> axis & 1)
            return err_set(ASSAY_E_INVALID, "slice: a step of 0, or an axis twice");
        seen |= 1u << axis;
        if (axis == 0 && nn_shape_open(in) && !takes_all(node, k))
            return nn_op_bad_shape(node, 0, "the batch can't be cut");
    }
    node->out_shape = *in;
    node->out_dtype = node->in_dtype[0];
    for (int d = nn_shape_open(in); d < in->ndim; d++) {
        node->out_shape.dim[d] = cut_at(node, d).size;
        if (node->out_shape.dim[d] == 0)
            return nn_op_bad_shape(node, 0, "nothing would be left");
    }
    return ASSAY_OK;
}

static bool view(const nn_node *node, int n, int k, strided_view *out) {
    strided_whole(out, node, n, 0);
    for (int d = nn_shape_open(&node->in_shape[0]); d < out->ndim; d++) {
        cut c = cut_at(node, d);
        out->from_at += c.start * out->from[d];
        out->from[d] *= c.step;
    }
    return k == 0;
}

static int source(const nn_node *node, const int64_t *to, int64_t *from) {
    for (int d = 0; d < node->out_shape.ndim; d++) {
        bool batch = d == 0 && nn_shape_open(&node->in_shape[0]);
        cut c = batch ? (cut){0, 1, 0} : cut_at(node, d);
        from[d] = c.start + to[d] * c.step;
    }
    return 0;
}

static const mover family = {.view = view, .source = source};

static const nn_op_case cases[] = {
    {.name = "channels of an image",
     .batch = 3,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 5, 4, 7}}}},
     .attr = {{.name = "starts", .i = {1}, .count = 1},
              {.name = "ends", .i = {4}, .count = 1},
              {.name = "axes", .i = {1}, .count = 1}},
     .n_attrs = 3},
    {.name = "backwards",
     .batch = 2,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {3, {0, 6, 7}}}},
     .attr = {{.name = "starts", .i = {INT64_MAX, -2}, .count = 2},
              {.name = "ends", .i = {INT64_MIN, 0}, .count = 2},
              {.name = "axes", .i = {1, -1}, .count = 2},
              {.name = "steps", .i = {-2, -1}, .count = 2}},
     .n_attrs = 4},
    {.name = "all of the batch",
     .batch = 2,
     .n = 1,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {2, {0, 9}}}},
     .attr = {{.name = "starts", .i = {0, 2}, .count = 2},
              {.name = "ends", .i = {INT64_MAX, -1}, .count = 2}},
     .n_attrs = 2},
    {.name = "static i64",
     .batch = 1,
     .n = 1,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {2, {4, 5}}}},
     .attr = {{.name = "starts", .i = {1, 0}, .count = 2},
              {.name = "ends", .i = {3, 5}, .count = 2},
              {.name = "axes", .i = {0, 1}, .count = 2},
              {.name = "steps", .i = {1, 2}, .count = 2}},
     .n_attrs = 4,
     .dtype = {ASSAY_I64}},
    {0}};

const nn_op_def assay_op_slice = {
    MOVER_OP,
    MOVER_RUNS,
    .name = "slice",
    .summary = "every so many elements along some axes",
    .min_inputs = 1,
    .max_inputs = 1,
    .attrs = attrs,
    .family = &family,
    .infer = slice_infer,
    .tangent = nn_tangent_linear,
    .cases = cases,
};

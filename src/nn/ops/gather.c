/* gather: slices of the data along "axis" (default 0), in the order that the indices say;
 * the indices' shape takes the axis's place. Either the data or the indices may have the
 * batch: the indices then only with axis 0. */
#include "nn/indexed.h"
#include "nn/strided.h"

static const char *const gather_attrs[] = {"axis", NULL};

static int axis_of(const nn_node *node) {
    int axis = (int)nn_attr_i(node, "axis", 0);
    return axis < 0 ? axis + node->in_shape[0].ndim : axis;
}

static assay_status gather_infer(nn_node *node) {
    assay_status status = ASSAY_OK;
    const nn_shape *data = &node->in_shape[0], *index = &node->in_shape[1];
    nn_shape *out = &node->out_shape;
    int axis;
    ASSAY_TRY(indexed_check(node));
    ASSAY_TRY(strided_axis_attr(&axis, node, "axis", 0, 0));
    if (nn_shape_open(index) && (axis > 0 || nn_shape_open(data))) {
        status = nn_op_bad_shape(node, 1, "the batch must stay the first dimension");
        goto done;
    }
    if (data->ndim - 1 + index->ndim > NN_MAX_DIMS) {
        status = nn_op_bad_shape(node, 1, "the result has too many dimensions");
        goto done;
    }
    for (int d = 0; d < axis; d++)
        out->dim[out->ndim++] = data->dim[d];
    for (int d = 0; d < index->ndim; d++)
        out->dim[out->ndim++] = index->dim[d];
    for (int d = axis + 1; d < data->ndim; d++)
        out->dim[out->ndim++] = data->dim[d];
    node->out_dtype = node->in_dtype[0];
done:
    return status;
}

static void blocks(const nn_node *node, int n, int64_t *count, int64_t *length) {
    strided_axes a = strided_around(&node->in_shape[0], axis_of(node), n);
    *count = a.outer * nn_shape_elements(&node->in_shape[1], n);
    *length = a.inner;
}

static bool place(const nn_node *node,
                  int n,
                  int64_t k,
                  const indices *from,
                  int64_t *at,
                  int64_t *value,
                  int64_t *size) {
    strided_axes a = strided_around(&node->in_shape[0], axis_of(node), n);
    int64_t each = nn_shape_elements(&node->in_shape[1], n);
    *size = a.size;
    if (!index_at(value, from, k % each, a.size))
        return false;
    *at = (k / each * a.size + *value) * a.inner;
    return true;
}

static const indexed family = {blocks, place};

static const nn_op_case gather_cases[] = {
    {.name = "rows by tokens",
     .batch = 3,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {2, {7, 5}}}, {NN_CASE_LABEL, {2, {0, 4}}}},
     .labels = 7},
    {.name = "pixels, from the end too",
     .batch = 2,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {4, {0, 3, 4, 5}}}, {NN_CASE_LABEL, {1, {6}}}},
     .attr = {{.name = "axis", .i = {-2}, .count = 1}},
     .n_attrs = 1,
     .labels = 4,
     .dtype = {[1] = ASSAY_I64},
     .negative = true},
    {.name = "one of a static u8",
     .batch = 1,
     .n = 1,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {2, {3, 4}}}, {NN_CASE_LABEL, {0, {0}}}},
     .attr = {{.name = "axis", .i = {1}, .count = 1}},
     .n_attrs = 1,
     .labels = 4,
     .dtype = {ASSAY_U8}},
    {0}};

const nn_op_def assay_op_gather = {
    GATHER_OP,
    .name = "gather",
    .summary = "slices along an axis, picked by indices",
    .attrs = gather_attrs,
    .family = &family,
    .infer = gather_infer,
    .cases = gather_cases,
};

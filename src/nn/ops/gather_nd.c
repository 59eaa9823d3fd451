/* gather_nd: slices of the data, each picked by a vector of indices: the last dimension
 * of the indices counts through the data's dimensions behind the first "batch_dims"
 * (default 0), which both have in common. */
#include "nn/indexed.h"
#include "nn/strided.h"

static const char *const gather_nd_attrs[] = {"batch_dims", NULL};

static int shared_dims(const nn_node *node) {
    return (int)nn_attr_i(node, "batch_dims", 0);
}

static assay_status gather_nd_infer(nn_node *node) {
    assay_status status = ASSAY_OK;
    const nn_shape *data = &node->in_shape[0], *index = &node->in_shape[1];
    int64_t b = nn_attr_i(node, "batch_dims", 0);
    ASSAY_TRY(indexed_check(node));
    if (b < 0 || b >= data->ndim || b >= index->ndim || index->ndim < 1)
        ASSAY_FAIL(ASSAY_E_INVALID, "gather_nd: %lld dimensions in common", (long long)b);
    bool fits = b > 0 || !nn_shape_open(data);
    for (int d = 0; d < b; d++)
        fits &= data->dim[d] == index->dim[d];
    int64_t q = index->dim[index->ndim - 1];
    if (!fits || q < 1 || q > data->ndim - b) {
        status = nn_op_bad_shape(node, 1, "the indices don't fit the data");
        goto done;
    }
    if (index->ndim - 1 + data->ndim - b - q > NN_MAX_DIMS) {
        status = nn_op_bad_shape(node, 1, "the result has too many dimensions");
        goto done;
    }
    for (int d = 0; d < index->ndim - 1; d++)
        node->out_shape.dim[node->out_shape.ndim++] = index->dim[d];
    for (int d = (int)(b + q); d < data->ndim; d++)
        node->out_shape.dim[node->out_shape.ndim++] = data->dim[d];
    node->out_dtype = node->in_dtype[0];
done:
    return status;
}

static void blocks(const nn_node *node, int n, int64_t *count, int64_t *length) {
    indexed_vectors(node, n, shared_dims(node), count, length);
}

static bool place(const nn_node *node,
                  int n,
                  int64_t k,
                  const indices *from,
                  int64_t *at,
                  int64_t *value,
                  int64_t *size) {
    return indexed_vector(node, n, shared_dims(node), k, from, at, value, size);
}

static const indexed family = {blocks, place};

static const nn_op_case gather_nd_cases[] = {
    {.name = "slices by pairs",
     .batch = 2,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {3, {4, 4, 3}}}, {NN_CASE_LABEL, {3, {0, 5, 2}}}},
     .labels = 4,
     .negative = true},
    {.name = "within each example",
     .batch = 3,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {3, {0, 4, 3}}}, {NN_CASE_LABEL, {3, {0, 2, 1}}}},
     .attr = {{.name = "batch_dims", .i = {1}, .count = 1}},
     .n_attrs = 1,
     .labels = 4,
     .dtype = {[1] = ASSAY_I64}},
    {.name = "static elements",
     .batch = 1,
     .n = 1,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {2, {3, 3}}}, {NN_CASE_LABEL, {2, {4, 2}}}},
     .labels = 3,
     .dtype = {ASSAY_I32}},
    {0}};

const nn_op_def assay_op_gather_nd = {
    GATHER_OP,
    .name = "gather_nd",
    .summary = "slices picked by vectors of indices",
    .attrs = gather_nd_attrs,
    .family = &family,
    .infer = gather_nd_infer,
    .cases = gather_nd_cases,
};

/* scatter_nd: the data, with slices replaced where vectors of indices say: the last
 * dimension of the indices counts through the data's first dimensions. "reduction" and
 * its gradients as in scatter_elements. The data must not have the batch. */
#include "nn/indexed.h"
#include "nn/strided.h"

static const char *const scatter_nd_attrs[] = {"reduction", NULL};

static bool updates_fit(const nn_node *node) {
    const nn_shape *data = &node->in_shape[0], *index = &node->in_shape[1],
                   *update = &node->in_shape[2];
    int64_t q = index->dim[index->ndim - 1], rest = data->ndim - q;
    if (q < 1 || rest < 0 || update->ndim != index->ndim - 1 + rest)
        return false;
    bool fits = true;
    for (int d = 0; d < update->ndim; d++) {
        int own = d - (index->ndim - 1);
        fits &= update->dim[d] == (own < 0 ? index->dim[d] : data->dim[q + own]);
    }
    return fits;
}

static assay_status scatter_nd_infer(nn_node *node) {
    assay_status status = indexed_check(node);
    if (status != ASSAY_OK)
        return status;
    for (int i = 0; i < 3; i++)
        if (nn_shape_open(&node->in_shape[i]))
            return nn_op_bad_shape(node, i, "the batch is not handled");
    if (node->in_shape[1].ndim < 1 || !updates_fit(node))
        return nn_op_bad_shape(node, 2, "data, indices and updates don't fit");
    if (node->in_dtype[2] != node->in_dtype[0])
        return nn_op_bad_dtype(node, 2, "updates must have the data's element type");
    node->out_shape = node->in_shape[0];
    node->out_dtype = node->in_dtype[0];
    return ASSAY_OK;
}

static void blocks(const nn_node *node, int n, int64_t *count, int64_t *length) {
    indexed_vectors(node, n, 0, count, length);
}

static bool place(const nn_node *node,
                  int n,
                  int64_t k,
                  const indices *from,
                  int64_t *at,
                  int64_t *value,
                  int64_t *size) {
    return indexed_vector(node, n, 0, k, from, at, value, size);
}

static const indexed family = {blocks, place};

static const nn_op_case scatter_nd_cases[] = {
    {.name = "one slice",
     .batch = 1,
     .n = 1,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {3, {4, 4, 3}}},
            {NN_CASE_LABEL, {2, {1, 2}}},
            {NN_CASE_VALUE, {2, {1, 3}}}},
     .labels = 4,
     .negative = true},
    {.name = "added",
     .batch = 1,
     .n = 1,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {2, {4, 5}}},
            {NN_CASE_LABEL, {3, {2, 3, 1}}},
            {NN_CASE_VALUE, {3, {2, 3, 5}}}},
     .attr = {{.name = "reduction", .i = {1}, .count = 1}},
     .n_attrs = 1,
     .labels = 4,
     .dtype = {[1] = ASSAY_I64}},
    {0}};

const nn_op_def assay_op_scatter_nd = {
    SCATTER_OP,
    .name = "scatter_nd",
    .summary = "the data with slices replaced by vectors of indices",
    .attrs = scatter_nd_attrs,
    .family = &family,
    .infer = scatter_nd_infer,
    .cases = scatter_nd_cases,
};

/* scatter_elements: the data, with one update per index put at the index's own place but
 * along "axis" (default 0), where the index says. Attribute "reduction": 0 the last
 * update stays, 1 adds, 2 multiplies, 3 keeps the larger, 4 the smaller. Under 0 every
 * update of one place has that place's gradient, as in PyTorch; 2 to 4 have none. */
#include "nn/indexed.h"
#include "nn/strided.h"

static const char *const scatter_elements_attrs[] = {"axis", "reduction", NULL};

static assay_status scatter_elements_infer(nn_node *node) {
    assay_status status = ASSAY_OK;
    int axis;
    ASSAY_TRY(indexed_check(node));
    ASSAY_TRY(strided_axis_attr(&axis, node, "axis", 0, 0));
    ASSAY_TRY(indexed_same_but(node, 1, axis));
    if (!nn_shape_equal(&node->in_shape[1], &node->in_shape[2])) {
        status = nn_op_bad_shape(node, 2, "updates must have the shape of the indices");
        goto done;
    }
    if (node->in_dtype[2] != node->in_dtype[0]) {
        status = nn_op_bad_dtype(node, 2, "updates must have the data's element type");
        goto done;
    }
    node->out_shape = node->in_shape[0];
    node->out_dtype = node->in_dtype[0];
done:
    return status;
}

static void blocks(const nn_node *node, int n, int64_t *count, int64_t *length) {
    *count = nn_shape_elements(&node->in_shape[1], n);
    *length = 1;
}

static const indexed family = {blocks, indexed_element};

static const nn_op_case scatter_elements_cases[] = {
    {.name = "one column",
     .batch = 3,
     .n = 2,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {2, {0, 5}}},
            {NN_CASE_LABEL, {2, {0, 1}}},
            {NN_CASE_VALUE, {2, {0, 1}}}},
     .attr = {{.name = "axis", .i = {1}, .count = 1}},
     .n_attrs = 1,
     .labels = 5,
     .negative = true},
    {.name = "added",
     .batch = 2,
     .n = 2,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {4, {0, 4, 2, 3}}},
            {NN_CASE_LABEL, {4, {0, 6, 2, 3}}},
            {NN_CASE_VALUE, {4, {0, 6, 2, 3}}}},
     .attr = {{.name = "axis", .i = {1}, .count = 1},
              {.name = "reduction", .i = {1}, .count = 1}},
     .n_attrs = 2,
     .labels = 4,
     .dtype = {[1] = ASSAY_I64}},
    {.name = "static i64, the larger",
     .batch = 1,
     .n = 1,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {2, {3, 4}}},
            {NN_CASE_LABEL, {2, {5, 4}}},
            {NN_CASE_VALUE, {2, {5, 4}}}},
     .attr = {{.name = "reduction", .i = {3}, .count = 1}},
     .n_attrs = 1,
     .labels = 3,
     .dtype = {ASSAY_I64, ASSAY_I32, ASSAY_I64}},
    {0}};

const nn_op_def assay_op_scatter_elements = {
    SCATTER_OP,
    .name = "scatter_elements",
    .summary = "the data with one element replaced per index",
    .attrs = scatter_elements_attrs,
    .family = &family,
    .infer = scatter_elements_infer,
    .cases = scatter_elements_cases,
};

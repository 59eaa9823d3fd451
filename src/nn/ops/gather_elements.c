/* gather_elements: one element of the data per index, at the index's own place but along
 * "axis" (default 0), where the index says. */
#include "nn/indexed.h"
#include "nn/strided.h"

static const char *const gather_elements_attrs[] = {"axis", NULL};

static assay_status gather_elements_infer(nn_node *node) {
    assay_status status = ASSAY_OK;
    int axis;
    ASSAY_TRY(indexed_check(node));
    ASSAY_TRY(strided_axis_attr(&axis, node, "axis", 0, 0));
    ASSAY_TRY(indexed_same_but(node, 1, axis));
    node->out_shape = node->in_shape[1];
    node->out_dtype = node->in_dtype[0];
done:
    return status;
}

static void blocks(const nn_node *node, int n, int64_t *count, int64_t *length) {
    *count = nn_shape_elements(&node->in_shape[1], n);
    *length = 1;
}

static const indexed family = {blocks, indexed_element};

static const nn_op_case gather_elements_cases[] = {
    {.name = "last",
     .batch = 3,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {3, {0, 4, 5}}}, {NN_CASE_LABEL, {3, {0, 4, 3}}}},
     .attr = {{.name = "axis", .i = {-1}, .count = 1}},
     .n_attrs = 1,
     .labels = 5,
     .negative = true},
    {.name = "channels of an image",
     .batch = 2,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {4, {0, 5, 2, 3}}}, {NN_CASE_LABEL, {4, {0, 1, 2, 3}}}},
     .attr = {{.name = "axis", .i = {1}, .count = 1}},
     .n_attrs = 1,
     .labels = 5,
     .dtype = {[1] = ASSAY_I64}},
    {.name = "static, fewer rows",
     .batch = 1,
     .n = 1,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {2, {3, 4}}}, {NN_CASE_LABEL, {2, {5, 2}}}},
     .labels = 3},
    {0}};

const nn_op_def assay_op_gather_elements = {
    GATHER_OP,
    .name = "gather_elements",
    .summary = "one element per index, along an axis",
    .attrs = gather_elements_attrs,
    .family = &family,
    .infer = gather_elements_infer,
    .cases = gather_elements_cases,
};

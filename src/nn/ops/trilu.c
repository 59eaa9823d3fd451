/* trilu: the upper triangle of the last two dimensions ("upper" 1, the default) or the
 * lower one; the diagonal is shifted by "k" to the right; 0 elsewhere. */
#include "nn/strided.h"

static const char *const attrs[] = {"upper", "k", NULL};

static assay_status trilu_infer(nn_node *node) {
    if (node->in_shape[0].ndim < 2 + nn_shape_open(&node->in_shape[0]))
        return nn_op_bad_shape(node, 0, "two dimensions are needed");
    node->out_shape = node->in_shape[0];
    node->out_dtype = node->in_dtype[0];
    return ASSAY_OK;
}

static int source(const nn_node *node, const int64_t *to, int64_t *from) {
    int ndim = node->out_shape.ndim;
    int64_t row = to[ndim - 2], column = to[ndim - 1], k = nn_attr_i(node, "k", 0);
    int64_t far = (int64_t)1 << 41;
    k = k < -far ? -far : k > far ? far : k;
    bool upper = nn_attr_i(node, "upper", 1) != 0;
    for (int d = 0; d < ndim; d++)
        from[d] = to[d];
    return (upper ? column >= row + k : column <= row + k) ? 0 : -1;
}

static const mover family = {.source = source, .fills = true};

static const nn_op_case cases[] = {{.name = "upper",
                                    .batch = 2,
                                    .n = 2,
                                    .n_inputs = 1,
                                    .in = {{NN_CASE_VALUE, {3, {0, 4, 5}}}}},
                                   {.name = "lower",
                                    .batch = 2,
                                    .n = 2,
                                    .n_inputs = 1,
                                    .in = {{NN_CASE_VALUE, {4, {0, 3, 5, 4}}}},
                                    .attr = {{.name = "upper", .i = {0}, .count = 1},
                                             {.name = "k", .i = {1}, .count = 1}},
                                    .n_attrs = 2},
                                   {.name = "static i64",
                                    .batch = 1,
                                    .n = 1,
                                    .n_inputs = 1,
                                    .in = {{NN_CASE_VALUE, {2, {4, 3}}}},
                                    .attr = {{.name = "upper", .i = {1}, .count = 1},
                                             {.name = "k", .i = {-1}, .count = 1}},
                                    .n_attrs = 2,
                                    .dtype = {ASSAY_I64}},
                                   {0}};

const nn_op_def assay_op_trilu = {
    MOVER_OP,
    MOVER_RUNS,
    .name = "trilu",
    .summary = "one triangle of each matrix, zeros elsewhere",
    .min_inputs = 1,
    .max_inputs = 1,
    .attrs = attrs,
    .family = &family,
    .infer = trilu_infer,
    .cases = cases,
};

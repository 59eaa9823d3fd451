/* Reductions over axes, and those that are made of them. */
#include "nn/onnx/import.h"

#include <string.h>

enum { PLAIN, ABS, SQUARE, ROOT, LOG, LOG_EXP };

/* Axes from an input (opset 13 for ReduceSum, 18 for the others) or an attribute; all
 * dimensions where there are none. *count -1: the node changes nothing. */
static assay_status
read_axes(imp *im, const onnx_node *node, int ndim, int64_t *axes, int *count) {
    assay_status status = ASSAY_OK;
    imp_value *given = imp_optional(im, node, 1);
    int64_t keep_all;
    bool marked[NN_MAX_DIMS] = {0};
    ASSAY_TRY(imp_attr_i(node, "noop_with_empty_axes", 0, &keep_all));
    *count = 0;
    if (given)
        ASSAY_TRY(imp_ints(im, given, NN_MAX_DIMS, axes, count, NULL));
    else
        ASSAY_TRY(imp_attr_ints(node, "axes", NN_MAX_DIMS, axes, count));
    if (*count <= 0 && keep_all) {
        *count = -1;
        goto done;
    }
    for (int i = 0; i < *count; i++) {
        int axis;
        ASSAY_TRY(imp_axis(axes[i], ndim, &axis));
        marked[axis] = true;
    }
    bool all = *count <= 0;
    *count = 0;
    for (int i = 0; i < ndim; i++)
        if (all || marked[i])
            axes[(*count)++] = i;
done:
    return status;
}

static assay_status reduce_with(imp *im,
                                const char *op,
                                nn_value v,
                                const int64_t *axes,
                                int count,
                                int64_t keep,
                                nn_value *out) {
    nn_attr attr[2] = {{.name = "axes", .count = count},
                       {.name = "keepdims", .i = {keep}, .count = 1}};
    memcpy(attr[0].i, axes, (size_t)count * sizeof *axes);
    *out = v;
    return count ? imp_op_cast(im, op, &v, 1, attr, 2, out) : ASSAY_OK;
}

/* log sum exp(x) = m + log sum exp(x - m) with the largest m. */
static assay_status log_sum_exp(
    imp *im, nn_value v, const int64_t *axes, int count, int64_t keep, nn_value *out) {
    assay_status status = ASSAY_OK;
    nn_value most, sum;
    ASSAY_TRY(reduce_with(im, "reduce_max", v, axes, count, 1, &most));
    ASSAY_TRY(imp_binary(im, "sub", v, most, &sum));
    ASSAY_TRY(imp_unary(im, "exp", sum, &sum));
    ASSAY_TRY(reduce_with(im, "reduce_sum", sum, axes, count, keep, &sum));
    ASSAY_TRY(imp_unary(im, "log", sum, &sum));
    nn_shape shape = nn_graph_shape(imp_graph(im), sum);
    ASSAY_TRY(imp_reshape(im, most, &shape, &most));
    ASSAY_TRY(imp_binary(im, "add", sum, most, out));
done:
    return status;
}

static assay_status reduce(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x;
    nn_value v;
    int64_t axes[NN_MAX_DIMS], keep;
    int count;
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(read_axes(im, node, x->shape.ndim, axes, &count));
    ASSAY_TRY(imp_attr_i(node, "keepdims", 1, &keep));
    if (count < 0)
        return imp_alias(im, node, 0, x);
    ASSAY_TRY(imp_get(im, x, &v));
    keep = keep != 0;
    if (rule->arg == LOG_EXP) {
        ASSAY_TRY(log_sum_exp(im, v, axes, count, keep, &v));
    } else {
        if (rule->arg == ABS)
            ASSAY_TRY(imp_unary(im, "abs", v, &v));
        if (rule->arg == SQUARE || rule->arg == ROOT)
            ASSAY_TRY(imp_binary(im, "mul", v, v, &v));
        ASSAY_TRY(reduce_with(im, rule->op, v, axes, count, keep, &v));
        if (rule->arg == ROOT)
            ASSAY_TRY(imp_unary(im, "sqrt", v, &v));
        if (rule->arg == LOG)
            ASSAY_TRY(imp_unary(im, "log", v, &v));
    }
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static const imp_rule list[] = {{"ReduceSum", reduce, "reduce_sum", PLAIN, 1},
                                {"ReduceMean", reduce, "reduce_mean", PLAIN, 1},
                                {"ReduceMax", reduce, "reduce_max", PLAIN, 1},
                                {"ReduceMin", reduce, "reduce_min", PLAIN, 1},
                                {"ReduceProd", reduce, "reduce_prod", PLAIN, 1},
                                {"ReduceL1", reduce, "reduce_sum", ABS, 1},
                                {"ReduceL2", reduce, "reduce_sum", ROOT, 1},
                                {"ReduceSumSquare", reduce, "reduce_sum", SQUARE, 1},
                                {"ReduceLogSum", reduce, "reduce_sum", LOG, 1},
                                {"ReduceLogSumExp", reduce, "reduce_sum", LOG_EXP, 1},
                                {0}};
const imp_rules assay_onnx_rule_reduce = {list};

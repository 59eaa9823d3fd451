/* Reductions over axes. */
#include "nn/onnx/import.h"

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
    ASSAY_TRY(imp_reduce(im, rule->op, v, axes, count, keep != 0, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static const imp_rule list[] = {{"ReduceSum", reduce, "reduce_sum", 0, 1},
                                {"ReduceMean", reduce, "reduce_mean", 0, 1},
                                {"ReduceMax", reduce, "reduce_max", 0, 1},
                                {"ReduceMin", reduce, "reduce_min", 0, 1},
                                {"ReduceProd", reduce, "reduce_prod", 0, 1},
                                {"ReduceL1", reduce, "reduce_l1", 0, 1},
                                {"ReduceL2", reduce, "reduce_l2", 0, 1},
                                {"ReduceSumSquare", reduce, "reduce_sum_square", 0, 1},
                                {"ReduceLogSum", reduce, "reduce_log_sum", 0, 1},
                                {"ReduceLogSumExp", reduce, "reduce_log_sum_exp", 0, 1},
                                {0}};
const imp_rules assay_onnx_rule_reduce = {list};

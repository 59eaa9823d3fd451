/* Softmax and its relatives. Before opset 13 they worked on matrices: what lies before
 * the axis times what follows. */
#include "nn/onnx/import.h"

static assay_status along(imp *im, const char *op, nn_value v, int axis, nn_value *out) {
    const nn_attr attr = {.name = "axis", .i = {axis}, .count = 1};
    return imp_op_cast(im, op, &v, 1, &attr, 1, out);
}

static assay_status soft(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x;
    nn_value v;
    int64_t given;
    int axis;
    bool matrix = imp_opset(im) < 13;
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(imp_attr_i(node, "axis", matrix ? 1 : -1, &given));
    ASSAY_TRY(imp_axis(given, x->shape.ndim, &axis));
    ASSAY_TRY(imp_get(im, x, &v));
    nn_shape flat = {2, {1, 1}};
    if (matrix && axis == x->shape.ndim - 1)
        matrix = false; /* the same */
    if (matrix && x->open && axis != 1)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "axis %d of an open batch before opset 13", axis);
    for (int i = 0; matrix && i < x->shape.ndim; i++)
        flat.dim[i >= axis] *= x->shape.dim[i];
    if (matrix)
        ASSAY_TRY(imp_reshape(im, v, &flat, &v));
    ASSAY_TRY(along(im, rule->op, v, matrix ? 1 : axis, &v));
    if (matrix)
        ASSAY_TRY(imp_reshape(im, v, &x->shape, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

/* The place of the largest or smallest, as a 64-bit number. */
static assay_status arg(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x;
    nn_value v;
    int64_t given, keep, last;
    int axis;
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(imp_attr_i(node, "axis", 0, &given));
    ASSAY_TRY(imp_axis(given, x->shape.ndim, &axis));
    ASSAY_TRY(imp_attr_i(node, "keepdims", 1, &keep));
    ASSAY_TRY(imp_attr_i(node, "select_last_index", 0, &last));
    const nn_attr attr[3] = {{.name = "axis", .i = {axis}, .count = 1},
                             {.name = "keepdims", .i = {keep != 0}, .count = 1},
                             {.name = "select_last", .i = {1}, .count = 1}};
    ASSAY_TRY(imp_get(im, x, &v));
    ASSAY_TRY(imp_op_cast(im, rule->op, &v, 1, attr, last ? 3 : 2, &v));
    ASSAY_TRY(imp_cast(im, v, ASSAY_I64, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static const imp_rule list[] = {
    {"Softmax", soft, "softmax", 0, 1}, {"LogSoftmax", soft, "log_softmax", 0, 1},
    {"Hardmax", soft, "hardmax", 0, 1}, {"ArgMax", arg, "argmax", 0, 1},
    {"ArgMin", arg, "argmin", 0, 1},    {0}};
const imp_rules assay_onnx_rule_softmax = {list};

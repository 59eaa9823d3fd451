/* Values that stay what they are, in another shape or none. */
#include "nn/onnx/import.h"

static assay_status identity(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *v;
    (void)rule;
    ASSAY_TRY(imp_input(im, node, 0, &v));
    ASSAY_TRY(imp_alias(im, node, 0, v));
done:
    return status;
}

static assay_status flatten(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x;
    nn_value v;
    int64_t given;
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(imp_attr_i(node, "axis", 1, &given));
    int n = x->shape.ndim;
    int64_t axis = given < 0 ? given + n : given;
    if (axis < 0 || axis > n)
        ASSAY_FAIL(ASSAY_E_FORMAT, "axis %lld of %d dimensions", (long long)given, n);
    ASSAY_TRY(imp_get(im, x, &v));
    if (x->open && axis != 1)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "the batch is flattened with other dimensions");
    if (x->open) {
        ASSAY_TRY(imp_op(im, rule->op, &v, 1, NULL, 0, &v));
    } else {
        nn_shape flat = {2, {1, 1}};
        for (int i = 0; i < n; i++)
            flat.dim[i >= axis] *= x->shape.dim[i];
        ASSAY_TRY(imp_reshape(im, v, &flat, &v));
    }
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static const imp_rule list[] = {
    {"Identity", identity, NULL, 0, 1}, {"Flatten", flatten, "flatten", 0, 0}, {0}};
const imp_rules assay_onnx_rule_shape = {list};

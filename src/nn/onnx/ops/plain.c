/* Ops of one or two inputs that mean here what they mean there. */
#include "nn/onnx/import.h"

static assay_status one(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    nn_value v;
    ASSAY_TRY(imp_get_in(im, node, 0, &v));
    ASSAY_TRY(imp_op_cast(im, rule->op, &v, 1, NULL, 0, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static assay_status two(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    nn_value in[2], v;
    ASSAY_TRY(imp_get_in(im, node, 0, &in[0]));
    ASSAY_TRY(imp_get_in(im, node, 1, &in[1]));
    ASSAY_TRY(imp_op_cast(im, rule->op, in, 2, NULL, 0, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static const imp_rule list[] = {
    {"Relu", one, "relu", 0, 0}, {"Add", two, "add", 0, 0}, {0}};
const imp_rules assay_onnx_rule_plain = {list};

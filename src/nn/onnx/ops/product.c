/* Products of matrices. */
#include "nn/onnx/import.h"

/* y = x W^T + b with W and b parameters, which is what exporters write. */
static assay_status gemm(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *a, *b, *c = imp_optional(im, node, 2);
    int64_t trans_a, trans_b;
    double alpha, beta;
    nn_value in[3], out;
    (void)rule;
    ASSAY_TRY(imp_input(im, node, 0, &a));
    ASSAY_TRY(imp_input(im, node, 1, &b));
    ASSAY_TRY(imp_attr_i(node, "transA", 0, &trans_a));
    ASSAY_TRY(imp_attr_i(node, "transB", 0, &trans_b));
    ASSAY_TRY(imp_attr_f(node, "alpha", 1, &alpha));
    ASSAY_TRY(imp_attr_f(node, "beta", 1, &beta));
    bool plain = !trans_a && trans_b && alpha == 1 && (!c || beta == 1) &&
                 imp_is_weight(b) && b->shape.ndim == 2 && a->shape.ndim == 2 &&
                 (!c || (imp_is_weight(c) && c->shape.ndim == 1 &&
                         c->shape.dim[0] == b->shape.dim[0]));
    if (!plain)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "this kind of Gemm");
    ASSAY_TRY(imp_get(im, a, &in[0]));
    ASSAY_TRY(imp_param(im, b, true, &in[1]));
    if (c)
        ASSAY_TRY(imp_param(im, c, false, &in[2]));
    ASSAY_TRY(imp_op(im, "linear", in, c ? 3 : 2, NULL, 0, &out));
    ASSAY_TRY(imp_set(im, node, 0, out));
done:
    return status;
}

static const imp_rule list[] = {{"Gemm", gemm, "linear", 0, 0}, {0}};
const imp_rules assay_onnx_rule_product = {list};

/* Products of matrices. */
#include "nn/onnx/import.h"

static assay_status transposed(imp *im, nn_value v, nn_value *out) {
    static const int perm[2] = {1, 0};
    return imp_transpose(im, v, perm, 2, out);
}

static assay_status scaled(imp *im, nn_value v, double factor, nn_value *out) {
    assay_status status = ASSAY_OK;
    nn_value number;
    *out = v;
    if (factor == 1)
        return ASSAY_OK;
    ASSAY_TRY(imp_scalar(im, nn_graph_dtype(imp_graph(im), v), factor, &number));
    ASSAY_TRY(imp_binary(im, "mul", v, number, out));
done:
    return status;
}

/* alpha A' B' + beta C. The form that exporters write for a layer, x W^T + b with W and b
 * parameters, becomes one. */
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
    if (a->shape.ndim != 2 || b->shape.ndim != 2)
        ASSAY_FAIL(ASSAY_E_FORMAT, "matrices are needed");
    bool plain =
        !trans_a && trans_b && alpha == 1 && (!c || beta == 1) && imp_is_weight(b) &&
        (!c ||
         (imp_is_weight(c) && c->shape.ndim == 1 && c->shape.dim[0] == b->shape.dim[0]));
    ASSAY_TRY(imp_get(im, a, &in[0]));
    if (plain) {
        ASSAY_TRY(imp_param(im, b, true, &in[1]));
        if (c)
            ASSAY_TRY(imp_param(im, c, false, &in[2]));
        ASSAY_TRY(imp_op(im, "linear", in, c ? 3 : 2, NULL, 0, &out));
    } else {
        if (a->open && trans_a)
            ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "the batch is multiplied away");
        ASSAY_TRY(imp_get(im, b, &in[1]));
        if (trans_a)
            ASSAY_TRY(transposed(im, in[0], &in[0]));
        if (trans_b)
            ASSAY_TRY(transposed(im, in[1], &in[1]));
        ASSAY_TRY(imp_op_cast(im, "matmul", in, 2, NULL, 0, &out));
        ASSAY_TRY(scaled(im, out, alpha, &out));
        if (c) {
            ASSAY_TRY(imp_get(im, c, &in[2]));
            ASSAY_TRY(scaled(im, in[2], beta, &in[2]));
            ASSAY_TRY(imp_binary(im, "add", out, in[2], &out));
        }
    }
    ASSAY_TRY(imp_set(im, node, 0, out));
done:
    return status;
}

static assay_status matmul(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    nn_value in[2], out;
    ASSAY_TRY(imp_get_in(im, node, 0, &in[0]));
    ASSAY_TRY(imp_get_in(im, node, 1, &in[1]));
    ASSAY_TRY(imp_op_cast(im, rule->op, in, 2, NULL, 0, &out));
    ASSAY_TRY(imp_set(im, node, 0, out));
done:
    return status;
}

static const imp_rule list[] = {
    {"Gemm", gemm, "linear", 0, 6}, {"MatMul", matmul, "matmul", 0, 1}, {0}};
const imp_rules assay_onnx_rule_product = {list};

/* Losses over classes. */
#include "nn/onnx/import.h"

#include <string.h>

static assay_status read_loss(imp *im, const onnx_node *node, nn_attr attr[2], int *n) {
    assay_status status = ASSAY_OK;
    const char *reduction;
    const onnx_attr *ignored = imp_attr(node, "ignore_index");
    int64_t index;
    (void)im;
    ASSAY_TRY(imp_attr_s(node, "reduction", "mean", &reduction));
    ASSAY_TRY(imp_attr_i(node, "ignore_index", 0, &index));
    int kind = strcmp(reduction, "none") == 0   ? 0
               : strcmp(reduction, "sum") == 0  ? 1
               : strcmp(reduction, "mean") == 0 ? 2
                                                : -1;
    if (kind < 0)
        ASSAY_FAIL(ASSAY_E_FORMAT, "attribute 'reduction' is '%s'", reduction);
    *n = 0;
    attr[(*n)++] = (nn_attr){.name = "reduction", .i = {kind}, .count = 1};
    if (ignored)
        attr[(*n)++] = (nn_attr){.name = "ignore_index", .i = {index}, .count = 1};
done:
    return status;
}

static assay_status nll_of(imp *im, const onnx_node *node, nn_value logs, nn_value *out) {
    assay_status status = ASSAY_OK;
    imp_value *weights = imp_optional(im, node, 2);
    nn_attr attr[2];
    nn_value in[3] = {logs};
    int n = 0;
    ASSAY_TRY(read_loss(im, node, attr, &n));
    ASSAY_TRY(imp_get_in(im, node, 1, &in[1]));
    if (weights)
        ASSAY_TRY(imp_get(im, weights, &in[2]));
    ASSAY_TRY(imp_op(im, "nll", in, weights ? 3 : 2, attr, n, out));
done:
    return status;
}

static assay_status nll(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    nn_value v;
    (void)rule;
    ASSAY_TRY(imp_get_in(im, node, 0, &v));
    ASSAY_TRY(nll_of(im, node, v, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static assay_status cross_entropy(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    const nn_attr axis = {.name = "axis", .i = {1}, .count = 1};
    nn_value logs, v;
    ASSAY_TRY(imp_get_in(im, node, 0, &v));
    ASSAY_TRY(imp_op(im, rule->op, &v, 1, &axis, 1, &logs));
    ASSAY_TRY(nll_of(im, node, logs, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
    ASSAY_TRY(imp_set(im, node, 1, logs));
done:
    return status;
}

static const imp_rule list[] = {
    {"NegativeLogLikelihoodLoss", nll, "nll", 0, 0},
    {"SoftmaxCrossEntropyLoss", cross_entropy, "log_softmax", 0, 0},
    {0}};
const imp_rules assay_onnx_rule_loss = {list};

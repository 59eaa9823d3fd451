/* Constants, and sizes that folding could not tell. */
#include "nn/onnx/import.h"

static assay_status known_list(
    imp *im, const onnx_node *node, assay_dtype dtype, const onnx_attr *a, bool scalar) {
    assay_status status = ASSAY_OK;
    onnx_tensor *t;
    int64_t *dim;
    imp_value *v;
    size_t n = scalar ? 1 : a->count;
    ASSAY_TRY(imp_take(im, &t, 1, sizeof *t));
    ASSAY_TRY(imp_take(im, &dim, 1, sizeof *dim));
    *dim = (int64_t)n;
    *t = (onnx_tensor){.name = node->out[0],
                       .type = onnx_type_of(dtype),
                       .ndim = scalar ? 0 : 1,
                       .dim = dim};
    t->n_floats = dtype == ASSAY_F32 ? n : 0;
    t->floats = scalar ? &a->f : a->floats;
    t->n_longs = dtype == ASSAY_I64 ? n : 0;
    t->longs = scalar ? &a->i : a->ints;
    ASSAY_TRY(imp_tensor(im, node, 0, t, &v));
done:
    return status;
}

static assay_status constant(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *v;
    const onnx_attr *a = imp_attr(node, "value");
    (void)rule;
    if (a && a->kind == ONNX_ATTR_TENSOR)
        return imp_tensor(im, node, 0, a->t, &v);
    if ((a = imp_attr(node, "value_float")) && a->kind == ONNX_ATTR_FLOAT)
        return known_list(im, node, ASSAY_F32, a, true);
    if ((a = imp_attr(node, "value_int")) && a->kind == ONNX_ATTR_INT)
        return known_list(im, node, ASSAY_I64, a, true);
    if ((a = imp_attr(node, "value_floats")) && a->kind == ONNX_ATTR_FLOATS)
        return known_list(im, node, ASSAY_F32, a, false);
    if ((a = imp_attr(node, "value_ints")) && a->kind == ONNX_ATTR_INTS)
        return known_list(im, node, ASSAY_I64, a, false);
    ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "a constant that is no tensor and no number");
done:
    return status;
}

static const imp_rule list[] = {{"Constant", constant, NULL, 0, 1}, {0}};
const imp_rules assay_onnx_rule_constant = {list};

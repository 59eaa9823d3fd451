/* Pooling over windows and over whole images. */
#include "nn/onnx/window.h"

#include <string.h>

static assay_status max_pool(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x;
    imp_window w;
    nn_value v;
    nn_attr attr[6];
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(imp_window_read(&w, node, &x->shape, NULL));
    if (imp_wants(node, 1))
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "the places of the largest are not handled");
    ASSAY_TRY(imp_get(im, x, &v));
    ASSAY_TRY(imp_window_open(im, v, &v));
    int n = imp_window_attrs(&w, attr);
    attr[n] = (nn_attr){.name = "kernel", .count = 2};
    memcpy(attr[n++].i, w.kernel, sizeof w.kernel);
    ASSAY_TRY(imp_op_cast(im, rule->op, &v, 1, attr, n, &v));
    ASSAY_TRY(imp_window_close(im, w.spatial, v, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static assay_status average_pool(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x;
    imp_window w;
    nn_value v;
    nn_attr attr[6];
    int64_t count_pad;
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(imp_window_read(&w, node, &x->shape, NULL));
    ASSAY_TRY(imp_attr_i(node, "count_include_pad", 0, &count_pad));
    ASSAY_TRY(imp_get(im, x, &v));
    ASSAY_TRY(imp_window_open(im, v, &v));
    int n = imp_window_attrs(&w, attr);
    attr[n] = (nn_attr){.name = "kernel", .count = 2};
    memcpy(attr[n++].i, w.kernel, sizeof w.kernel);
    attr[n++] = (nn_attr){.name = "count_include_pad", .i = {count_pad != 0}, .count = 1};
    ASSAY_TRY(imp_op_cast(im, rule->op, &v, 1, attr, n, &v));
    ASSAY_TRY(imp_window_close(im, w.spatial, v, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static assay_status global(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x;
    nn_value v;
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(imp_get(im, x, &v));
    ASSAY_TRY(imp_window_open(im, v, &v));
    ASSAY_TRY(imp_op(im, rule->op, &v, 1, NULL, 0, &v));
    ASSAY_TRY(imp_window_close(im, x->shape.ndim - 2, v, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static const imp_rule list[] = {{"MaxPool", max_pool, "max_pool", 0, 1},
                                {"AveragePool", average_pool, "avg_pool", 0, 1},
                                {"GlobalAveragePool", global, "global_avg_pool", 0, 1},
                                {"GlobalMaxPool", global, "global_max_pool", 0, 1},
                                {0}};
const imp_rules assay_onnx_rule_pool = {list};

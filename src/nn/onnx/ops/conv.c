/* Conv. Its weight is a parameter: of the file, or an input of the model. */
#include "nn/onnx/window.h"

static assay_status conv(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x, *weight, *bias = imp_optional(im, node, 2);
    imp_window w;
    nn_value in[3], out;
    nn_attr attr[5];
    int64_t groups;
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(imp_input(im, node, 1, &weight));
    if (weight->shape.ndim != x->shape.ndim || weight->open)
        ASSAY_FAIL(ASSAY_E_FORMAT, "the weight has %d dimensions, the images %d",
                   weight->shape.ndim, x->shape.ndim);
    ASSAY_TRY(imp_window_read(&w, node, &x->shape, weight->shape.dim + 2));
    ASSAY_TRY(imp_attr_i(node, "group", 1, &groups));
    if (groups < 1 || groups > 1 << 20)
        ASSAY_FAIL(ASSAY_E_FORMAT, "attribute 'group' is %lld", (long long)groups);
    ASSAY_TRY(imp_get(im, x, &in[0]));
    ASSAY_TRY(imp_window_open(im, in[0], &in[0]));
    const nn_shape shape = {
        4, {weight->shape.dim[0], weight->shape.dim[1], w.kernel[0], w.kernel[1]}};
    ASSAY_TRY(imp_param_shaped(im, weight, &shape, true, &in[1]));
    if (bias)
        ASSAY_TRY(imp_param(im, bias, false, &in[2]));
    int n = imp_window_attrs(&w, attr);
    if (groups != 1)
        attr[n++] = (nn_attr){.name = "groups", .i = {groups}, .count = 1};
    ASSAY_TRY(imp_op(im, rule->op, in, bias ? 3 : 2, attr, n, &out));
    ASSAY_TRY(imp_window_close(im, w.spatial, out, &out));
    ASSAY_TRY(imp_set(im, node, 0, out));
done:
    return status;
}

static const imp_rule list[] = {{"Conv", conv, "conv2d", 0, 1}, {0}};
const imp_rules assay_onnx_rule_conv = {list};

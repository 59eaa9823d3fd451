/* Conv. Its weight is a parameter: of the file, or an input of the model. */
#include "nn/onnx/window.h"

#include <string.h>

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

/* Padding that gives the output_shape asked for, as ONNX says: the total is what the
 * output without padding is larger by; SAME_LOWER puts the larger half before. */
static assay_status
transposed_pads(const onnx_node *node, const nn_shape *x, int64_t *extra, imp_window *w) {
    assay_status status = ASSAY_OK;
    int64_t wanted[2];
    int count;
    const char *autos;
    ASSAY_TRY(imp_attr_s(node, "auto_pad", "NOTSET", &autos));
    ASSAY_TRY(imp_attr_ints(node, "output_shape", 2, wanted, &count));
    bool same = strncmp(autos, "SAME_", 5) == 0;
    if (count < 0 && !same)
        goto done;
    if (count >= 0 && count != w->spatial)
        ASSAY_FAIL(ASSAY_E_FORMAT, "attribute 'output_shape' has %d numbers", count);
    for (int i = 0; i < w->spatial; i++) {
        int k = 2 - w->spatial + i;
        int64_t in = x->dim[2 + i], to = count >= 0 ? wanted[i] : in * w->stride[k];
        int64_t full =
            (in - 1) * w->stride[k] + extra[k] + (w->kernel[k] - 1) * w->dilation[k] + 1;
        int64_t total = full - to;
        if (to < 1 || to > 1 << 24)
            ASSAY_FAIL(ASSAY_E_FORMAT, "attribute 'output_shape' holds %lld",
                       (long long)to);
        extra[k] += total < 0 ? -total : 0; /* past what the windows reach: bias alone */
        total = total < 0 ? 0 : total;
        w->pad[k] = strcmp(autos, "SAME_UPPER") == 0 ? total / 2 : total - total / 2;
        w->pad[k + 2] = total - w->pad[k];
    }
done:
    return status;
}

static assay_status transposed(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x, *weight, *bias = imp_optional(im, node, 2);
    imp_window w;
    nn_value in[3], out;
    nn_attr attr[6];
    int64_t groups, given[2], extra[2] = {0, 0};
    int count;
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(imp_input(im, node, 1, &weight));
    if (weight->shape.ndim != x->shape.ndim || weight->open)
        ASSAY_FAIL(ASSAY_E_FORMAT, "the weight has %d dimensions, the images %d",
                   weight->shape.ndim, x->shape.ndim);
    ASSAY_TRY(imp_window_read(&w, node, &x->shape, weight->shape.dim + 2));
    ASSAY_TRY(imp_attr_i(node, "group", 1, &groups));
    ASSAY_TRY(imp_attr_ints(node, "output_padding", 2, given, &count));
    for (int i = 0; count == w.spatial && i < count; i++)
        extra[2 - count + i] = given[i];
    for (int i = 0; i < 2; i++)
        if (extra[i] < 0 || extra[i] > 1 << 20)
            ASSAY_FAIL(ASSAY_E_FORMAT, "attribute 'output_padding' holds %lld",
                       (long long)extra[i]);
    ASSAY_TRY(transposed_pads(node, &x->shape, extra, &w));
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
    if (extra[0] || extra[1])
        attr[n++] =
            (nn_attr){.name = "output_pad", .i = {extra[0], extra[1]}, .count = 2};
    ASSAY_TRY(imp_op(im, rule->op, in, bias ? 3 : 2, attr, n, &out));
    ASSAY_TRY(imp_window_close(im, w.spatial, out, &out));
    ASSAY_TRY(imp_set(im, node, 0, out));
done:
    return status;
}

static const imp_rule list[] = {{"Conv", conv, "conv2d", 0, 1},
                                {"ConvTranspose", transposed, "conv_transpose", 0, 1},
                                {0}};
const imp_rules assay_onnx_rule_conv = {list};

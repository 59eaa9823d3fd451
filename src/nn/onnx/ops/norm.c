/* Normalisation: of batches with the statistics of the file, of groups, of rows, of
 * neighbouring channels. */
#include "nn/onnx/window.h"

#include <string.h>

static assay_status batch_norm(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x, *v;
    nn_value in[5], out;
    double eps;
    int64_t training, test, spatial;
    bool old = imp_opset(im) < 7;
    ASSAY_TRY(imp_attr_f(node, "epsilon", 1e-5, &eps));
    ASSAY_TRY(imp_attr_i(node, "training_mode", 0, &training));
    ASSAY_TRY(imp_attr_i(node, "is_test", !old, &test));
    ASSAY_TRY(imp_attr_i(node, "spatial", 1, &spatial));
    if (!spatial)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "statistics of every pixel");
    if (training || (old && !test) || imp_wants(node, 1))
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "training_mode; statistics are the file's here");
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(imp_get(im, x, &in[0]));
    if (x->shape.ndim == 2) {
        const nn_shape image = {4, {x->shape.dim[0], x->shape.dim[1], 1, 1}};
        ASSAY_TRY(imp_reshape(im, in[0], &image, &in[0]));
    } else {
        ASSAY_TRY(imp_window_open(im, in[0], &in[0]));
    }
    for (size_t i = 1; i < 5; i++) {
        ASSAY_TRY(imp_input(im, node, i, &v));
        ASSAY_TRY(i < 3 ? imp_param(im, v, false, &in[i]) : imp_buffer(im, v, &in[i]));
    }
    const nn_attr attr = {.name = "eps", .f = eps};
    ASSAY_TRY(imp_op(im, rule->op, in, 5, &attr, 1, &out));
    if (x->shape.ndim != 4)
        ASSAY_TRY(imp_reshape(im, out, &x->shape, &out));
    ASSAY_TRY(imp_set(im, node, 0, out));
done:
    return status;
}

static assay_status group_norm(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x, *v;
    nn_value in[3], out;
    double eps;
    int64_t groups;
    ASSAY_TRY(imp_attr_f(node, "epsilon", 1e-5, &eps));
    ASSAY_TRY(imp_attr_i(node, "num_groups", 1, &groups));
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(imp_get(im, x, &in[0]));
    ASSAY_TRY(imp_window_open(im, in[0], &in[0]));
    for (size_t i = 1; i < 3; i++) {
        ASSAY_TRY(imp_input(im, node, i, &v));
        ASSAY_TRY(imp_param(im, v, false, &in[i]));
    }
    const nn_attr attr[2] = {{.name = "eps", .f = eps},
                             {.name = "groups", .i = {groups}, .count = 1}};
    ASSAY_TRY(imp_op(im, rule->op, in, 3, attr, rule->arg ? 2 : 1, &out));
    ASSAY_TRY(imp_window_close(im, x->shape.ndim - 2, out, &out));
    ASSAY_TRY(imp_set(im, node, 0, out));
done:
    return status;
}

/* The mean over axes, what is left of x, and the mean of its square. */
static assay_status moments(imp *im,
                            nn_value x,
                            const int64_t *axes,
                            int count,
                            nn_value *mean,
                            nn_value *centred,
                            nn_value *variance) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(imp_reduce(im, "reduce_mean", x, axes, count, true, mean));
    ASSAY_TRY(imp_binary(im, "sub", x, *mean, centred));
    ASSAY_TRY(imp_binary(im, "mul", *centred, *centred, variance));
    ASSAY_TRY(imp_reduce(im, "reduce_mean", *variance, axes, count, true, variance));
done:
    return status;
}

/* The op over the last dimensions; the mean and the inverse deviation, which only ONNX
 * hands out, are computed beside it. */
static assay_status layer_norm(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x, *gain, *bias = imp_optional(im, node, 2);
    nn_value in[3], out, mean, rest, variance, small;
    double eps;
    int64_t given, axes[NN_MAX_DIMS];
    int axis, n;
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(imp_input(im, node, 1, &gain));
    ASSAY_TRY(imp_attr_i(node, "axis", -1, &given));
    ASSAY_TRY(imp_attr_f(node, "epsilon", 1e-5, &eps));
    n = x->shape.ndim;
    ASSAY_TRY(imp_axis(given, n, &axis));
    if (x->open && axis == 0)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "over the batch");
    ASSAY_TRY(imp_get(im, x, &in[0]));
    ASSAY_TRY(imp_param(im, gain, false, &in[1]));
    if (bias)
        ASSAY_TRY(imp_param(im, bias, false, &in[2]));
    const nn_attr attr[2] = {{.name = "dims", .i = {n - axis}, .count = 1},
                             {.name = "eps", .f = eps}};
    ASSAY_TRY(imp_op(im, rule->op, in, bias ? 3 : 2, attr, 2, &out));
    ASSAY_TRY(imp_set(im, node, 0, out));
    if (!imp_wants(node, 1) && !imp_wants(node, 2))
        goto done;
    for (int i = axis; i < n; i++)
        axes[i - axis] = i;
    ASSAY_TRY(moments(im, in[0], axes, n - axis, &mean, &rest, &variance));
    ASSAY_TRY(imp_scalar(im, ASSAY_F32, eps, &small));
    ASSAY_TRY(imp_binary(im, "add", variance, small, &variance));
    ASSAY_TRY(imp_unary(im, "sqrt", variance, &variance));
    ASSAY_TRY(imp_unary(im, "reciprocal", variance, &variance));
    ASSAY_TRY(imp_set(im, node, 1, mean));
    ASSAY_TRY(imp_set(im, node, 2, variance));
done:
    return status;
}

static assay_status mean_variance(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x;
    nn_value v, mean, rest, variance, small;
    int64_t given[NN_MAX_DIMS] = {0, 2, 3}, axes[NN_MAX_DIMS];
    int count;
    (void)rule;
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(imp_attr_ints(node, "axes", NN_MAX_DIMS, given, &count));
    count = count < 0 ? 3 : count;
    for (int i = 0; i < count; i++) {
        int axis;
        ASSAY_TRY(imp_axis(given[i], x->shape.ndim, &axis));
        axes[i] = axis;
        if (x->open && axis == 0)
            ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "over the batch");
    }
    ASSAY_TRY(imp_get(im, x, &v));
    ASSAY_TRY(moments(im, v, axes, count, &mean, &rest, &variance));
    ASSAY_TRY(imp_unary(im, "sqrt", variance, &variance));
    ASSAY_TRY(imp_scalar(im, ASSAY_F32, 1e-9, &small));
    ASSAY_TRY(imp_binary(im, "add", variance, small, &variance));
    ASSAY_TRY(imp_binary(im, "div", rest, variance, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

/* x / (bias + alpha / size * sum of squares of `size` channels around)^beta. */
static assay_status local_response(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x;
    nn_value v, square, sum = -1, part, number;
    double alpha, beta, bias;
    int64_t size, amount[2 * NN_MAX_DIMS] = {0};
    (void)rule;
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(imp_attr_f(node, "alpha", 1e-4, &alpha));
    ASSAY_TRY(imp_attr_f(node, "beta", 0.75, &beta));
    ASSAY_TRY(imp_attr_f(node, "bias", 1, &bias));
    ASSAY_TRY(imp_attr_i(node, "size", 0, &size));
    int n = x->shape.ndim;
    if (n < 2 || size < 1 || size > 256)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "a size of %lld", (long long)size);
    ASSAY_TRY(imp_get(im, x, &v));
    ASSAY_TRY(imp_binary(im, "mul", v, v, &square));
    amount[1] = (size - 1) / 2;
    amount[n + 1] = size - 1 - amount[1];
    if (size > 1)
        ASSAY_TRY(imp_pad(im, square, amount, 0, 0, &square));
    for (int64_t i = 0; i < size; i++) {
        ASSAY_TRY(imp_slice(im, square, 1, i, i + x->shape.dim[1], 1, &part));
        if (sum >= 0)
            ASSAY_TRY(imp_binary(im, "add", sum, part, &sum));
        else
            sum = part;
    }
    ASSAY_TRY(imp_scalar(im, ASSAY_F32, alpha / (double)size, &number));
    ASSAY_TRY(imp_binary(im, "mul", sum, number, &sum));
    ASSAY_TRY(imp_scalar(im, ASSAY_F32, bias, &number));
    ASSAY_TRY(imp_binary(im, "add", sum, number, &sum));
    ASSAY_TRY(imp_scalar(im, ASSAY_F32, beta, &number));
    ASSAY_TRY(imp_binary(im, "pow", sum, number, &sum));
    ASSAY_TRY(imp_binary(im, "div", v, sum, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static const imp_rule list[] = {
    {"BatchNormalization", batch_norm, "batch_norm", 0, 6},
    {"InstanceNormalization", group_norm, "instance_norm", 0, 6},
    {"GroupNormalization", group_norm, "group_norm", 1, 21},
    {"LayerNormalization", layer_norm, "layer_norm", 0, 17},
    {"MeanVarianceNormalization", mean_variance, "reduce_mean", 0, 0},
    {"LRN", local_response, "slice", 0, 1},
    {0}};
const imp_rules assay_onnx_rule_norm = {list};

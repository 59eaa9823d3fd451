/* Normalisation: of batches, with the statistics of the file. */
#include "nn/onnx/window.h"

static assay_status batch_norm(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x, *v;
    nn_value in[5], out;
    double eps;
    int64_t training;
    ASSAY_TRY(imp_attr_f(node, "epsilon", 1e-5, &eps));
    ASSAY_TRY(imp_attr_i(node, "training_mode", 0, &training));
    if (training || imp_wants(node, 1))
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

static assay_status instance_norm(imp *im, const onnx_node *node, const imp_rule *rule) {
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

static const imp_rule list[] = {
    {"BatchNormalization", batch_norm, "batch_norm", 0, 0},
    {"InstanceNormalization", instance_norm, "instance_norm", 0, 6},
    {"GroupNormalization", instance_norm, "group_norm", 1, 21},
    {0}};
const imp_rules assay_onnx_rule_norm = {list};

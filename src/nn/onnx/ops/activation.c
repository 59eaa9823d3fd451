/* Functions of one number with numbers of their own: ONNX's attributes become ours. */
#include "nn/onnx/import.h"

/* What an op takes: ONNX's name and what it is when absent, our name. */
typedef struct number {
    const char *theirs, *ours;
    double fallback;
} number;

static const number leaky[] = {{"alpha", "alpha", 0.01}, {0}};
static const number one[] = {{"alpha", "alpha", 1}, {0}};
static const number selu[] = {{"alpha", "alpha", 1.67326319217681884765625},
                              {"gamma", "gamma", 1.05070102214813232421875},
                              {0}};
static const number sigmoid[] = {{"alpha", "alpha", 0.2}, {"beta", "beta", 0.5}, {0}};
static const number shrink[] = {{"lambd", "lambd", 0.5}, {"bias", "bias", 0}, {0}};
static const number *const sets[] = {leaky, one, selu, sigmoid, shrink};
enum { LEAKY, ONE, SELU, SIGMOID, SHRINK };

static assay_status numbered(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    nn_attr attr[2];
    nn_value v;
    int n = 0;
    for (const number *k = sets[rule->arg]; k->theirs; k++) {
        attr[n] = (nn_attr){.name = k->ours};
        ASSAY_TRY(imp_attr_f(node, k->theirs, k->fallback, &attr[n++].f));
    }
    ASSAY_TRY(imp_get_in(im, node, 0, &v));
    ASSAY_TRY(imp_op_cast(im, rule->op, &v, 1, attr, n, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static assay_status prelu(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    imp_value *x, *slope;
    nn_value in[2], v;
    ASSAY_TRY(imp_input(im, node, 0, &x));
    ASSAY_TRY(imp_input(im, node, 1, &slope));
    ASSAY_TRY(imp_get(im, x, &in[0]));
    /* ONNX stretches over the last dimensions; one dimension alone means channels here.
     */
    nn_shape shape = slope->shape;
    if (imp_opset(im) >= 7 && shape.ndim == 1 && x->shape.ndim > 1 && !slope->open)
        shape = (nn_shape){2, {1, slope->shape.dim[0]}};
    ASSAY_TRY(imp_param_shaped(im, slope, &shape, false, &in[1]));
    ASSAY_TRY(imp_op(im, rule->op, in, 2, NULL, 0, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static const imp_rule list[] = {{"LeakyRelu", numbered, "leaky_relu", LEAKY, 6},
                                {"Elu", numbered, "elu", ONE, 6},
                                {"Selu", numbered, "selu", SELU, 6},
                                {"Celu", numbered, "celu", ONE, 0},
                                {"ThresholdedRelu", numbered, "thresholded_relu", ONE, 0},
                                {"HardSigmoid", numbered, "hard_sigmoid", SIGMOID, 6},
                                {"Shrink", numbered, "shrink", SHRINK, 0},
                                {"PRelu", prelu, "prelu", 0, 6},
                                {0}};
const imp_rules assay_onnx_rule_activation = {list};

/* Ops that mean here what they mean there: maths of one number, arithmetic, comparisons
 * and logic of two with broadcasting, and of many by twos. */
#include "nn/onnx/import.h"

#include <string.h>

static assay_status one(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    nn_value v;
    ASSAY_TRY(imp_get_in(im, node, 0, &v));
    ASSAY_TRY(imp_unary(im, rule->op, v, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

/* Before opset 7 the second value's dimensions could be said to begin at an axis of the
 * first's; later ones are aligned at the end. */
static assay_status
from_axis(imp *im, const onnx_node *node, nn_value a, nn_value b, nn_value *out) {
    assay_status status = ASSAY_OK;
    nn_shape x = nn_graph_shape(imp_graph(im), a), y = nn_graph_shape(imp_graph(im), b);
    int64_t given;
    int axis;
    *out = b;
    if (imp_opset(im) >= 7 || !imp_attr(node, "axis") || y.ndim == 0)
        goto done;
    ASSAY_TRY(imp_attr_i(node, "axis", 0, &given));
    ASSAY_TRY(imp_axis(given, x.ndim, &axis));
    while (axis + y.ndim < x.ndim)
        y.dim[y.ndim++] = 1;
    ASSAY_TRY(imp_reshape(im, b, &y, out));
done:
    return status;
}

static assay_status
two_named(imp *im, const onnx_node *node, const char *op, nn_value *out) {
    assay_status status = ASSAY_OK;
    nn_value a, b;
    ASSAY_TRY(imp_get_in(im, node, 0, &a));
    ASSAY_TRY(imp_get_in(im, node, 1, &b));
    ASSAY_TRY(from_axis(im, node, a, b, &b));
    ASSAY_TRY(imp_binary(im, op, a, b, out));
done:
    return status;
}

static assay_status two(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    nn_value v;
    ASSAY_TRY(two_named(im, node, rule->op, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

/* The exponent may be of another type; the result is of the base's. */
static assay_status power(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    nn_value in[2], v;
    ASSAY_TRY(imp_get_in(im, node, 0, &in[0]));
    ASSAY_TRY(imp_get_in(im, node, 1, &in[1]));
    ASSAY_TRY(from_axis(im, node, in[0], in[1], &in[1]));
    ASSAY_TRY(imp_op(im, rule->op, in, 2, NULL, 0, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static assay_status modulo(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    int64_t like_c;
    nn_value v;
    (void)rule;
    ASSAY_TRY(imp_attr_i(node, "fmod", 0, &like_c));
    ASSAY_TRY(two_named(im, node, like_c ? "fmod" : "mod", &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

/* Sum, Mean, Min, Max over any number of values. */
static assay_status many(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    nn_value sum, next;
    ASSAY_TRY(imp_get_in(im, node, 0, &sum));
    for (size_t i = 1; i < node->n_in; i++) {
        ASSAY_TRY(imp_get_in(im, node, i, &next));
        ASSAY_TRY(imp_binary(im, rule->op, sum, next, &sum));
    }
    if (rule->arg && node->n_in > 1) {
        assay_dtype dtype = nn_graph_dtype(imp_graph(im), sum);
        ASSAY_TRY(imp_scalar(im, dtype, (double)node->n_in, &next));
        ASSAY_TRY(imp_binary(im, "div", sum, next, &sum));
    }
    ASSAY_TRY(imp_set(im, node, 0, sum));
done:
    return status;
}

/* Bounds are inputs; before opset 11 they were attributes. */
static assay_status clip(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    static const char *const names[2] = {"min", "max"}, *const ops[2] = {"maximum",
                                                                         "minimum"};
    nn_value v, bound;
    (void)rule;
    ASSAY_TRY(imp_get_in(im, node, 0, &v));
    assay_dtype dtype = nn_graph_dtype(imp_graph(im), v);
    for (size_t k = 0; k < 2; k++) {
        imp_value *given = imp_optional(im, node, k + 1);
        const onnx_attr *a = imp_attr(node, names[k]);
        double number;
        if (given) {
            ASSAY_TRY(imp_get(im, given, &bound));
        } else if (a && imp_opset(im) < 11) {
            ASSAY_TRY(imp_attr_f(node, names[k], 0, &number));
            ASSAY_TRY(imp_scalar(im, dtype, number, &bound));
        } else {
            continue;
        }
        ASSAY_TRY(imp_binary(im, ops[k], v, bound, &v));
    }
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static assay_status shift(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    const char *direction;
    nn_value in[2], v;
    ASSAY_TRY(imp_attr_s(node, "direction", "", &direction));
    bool right = strcmp(direction, "RIGHT") == 0;
    if (!right && strcmp(direction, "LEFT") != 0)
        ASSAY_FAIL(ASSAY_E_FORMAT, "attribute 'direction' is '%s'", direction);
    const nn_attr attr = {.name = "right", .i = {right}, .count = 1};
    ASSAY_TRY(imp_get_in(im, node, 0, &in[0]));
    ASSAY_TRY(imp_get_in(im, node, 1, &in[1]));
    ASSAY_TRY(imp_op(im, rule->op, in, 2, &attr, 1, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static assay_status is_inf(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    int64_t negative, positive;
    nn_value v;
    ASSAY_TRY(imp_attr_i(node, "detect_negative", 1, &negative));
    ASSAY_TRY(imp_attr_i(node, "detect_positive", 1, &positive));
    const nn_attr attr[2] = {{.name = "positive", .i = {positive != 0}, .count = 1},
                             {.name = "negative", .i = {negative != 0}, .count = 1}};
    ASSAY_TRY(imp_get_in(im, node, 0, &v));
    ASSAY_TRY(imp_op(im, rule->op, &v, 1, attr, 2, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static assay_status gelu(imp *im, const onnx_node *node, const imp_rule *rule) {
    assay_status status = ASSAY_OK;
    const char *how;
    nn_value v;
    ASSAY_TRY(imp_attr_s(node, "approximate", "none", &how));
    const nn_attr attr = {.name = "tanh", .i = {*how == 't'}, .count = 1};
    ASSAY_TRY(imp_get_in(im, node, 0, &v));
    ASSAY_TRY(imp_op_cast(im, rule->op, &v, 1, &attr, 1, &v));
    ASSAY_TRY(imp_set(im, node, 0, v));
done:
    return status;
}

static const imp_rule list[] = {{"Abs", one, "abs", 0, 6},
                                {"Acos", one, "acos", 0, 0},
                                {"Acosh", one, "acosh", 0, 0},
                                {"Add", two, "add", 0, 6},
                                {"And", two, "and", 0, 0},
                                {"Asin", one, "asin", 0, 0},
                                {"Asinh", one, "asinh", 0, 0},
                                {"Atan", one, "atan", 0, 0},
                                {"Atanh", one, "atanh", 0, 0},
                                {"BitShift", shift, "bit_shift", 0, 0},
                                {"Ceil", one, "ceil", 0, 6},
                                {"Clip", clip, "minimum", 0, 6},
                                {"Cos", one, "cos", 0, 0},
                                {"Cosh", one, "cosh", 0, 0},
                                {"Div", two, "div", 0, 6},
                                {"Equal", two, "equal", 0, 0},
                                {"Erf", one, "erf", 0, 0},
                                {"Exp", one, "exp", 0, 6},
                                {"Floor", one, "floor", 0, 6},
                                {"Gelu", gelu, "gelu", 0, 0},
                                {"Greater", two, "greater", 0, 0},
                                {"GreaterOrEqual", two, "greater_equal", 0, 0},
                                {"HardSwish", one, "hard_swish", 0, 0},
                                {"IsInf", is_inf, "isinf", 0, 0},
                                {"IsNaN", one, "isnan", 0, 0},
                                {"Less", two, "less", 0, 0},
                                {"LessOrEqual", two, "less_equal", 0, 0},
                                {"Log", one, "log", 0, 6},
                                {"Max", many, "maximum", 0, 6},
                                {"Mean", many, "add", 1, 6},
                                {"Min", many, "minimum", 0, 6},
                                {"Mish", one, "mish", 0, 0},
                                {"Mod", modulo, "mod", 0, 0},
                                {"Mul", two, "mul", 0, 6},
                                {"Neg", one, "neg", 0, 6},
                                {"Not", one, "not", 0, 1},
                                {"Or", two, "or", 0, 0},
                                {"Pow", power, "pow", 0, 6},
                                {"Reciprocal", one, "reciprocal", 0, 6},
                                {"Relu", one, "relu", 0, 6},
                                {"Round", one, "round", 0, 0},
                                {"Sigmoid", one, "sigmoid", 0, 6},
                                {"Sign", one, "sign", 0, 0},
                                {"Sin", one, "sin", 0, 0},
                                {"Sinh", one, "sinh", 0, 0},
                                {"Softplus", one, "softplus", 0, 1},
                                {"Softsign", one, "softsign", 0, 1},
                                {"Sqrt", one, "sqrt", 0, 6},
                                {"Sub", two, "sub", 0, 6},
                                {"Sum", many, "add", 0, 6},
                                {"Tan", one, "tan", 0, 0},
                                {"Tanh", one, "tanh", 0, 6},
                                {"Xor", two, "xor", 0, 0},
                                {0}};
const imp_rules assay_onnx_rule_plain = {list};

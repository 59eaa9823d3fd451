/* What each op of ours is in ONNX's opset 17. */
#include "nn/onnx/export_inside.h"

#include <math.h>
#include <string.h>

static assay_status input_names(exporter *x, const nn_node *node, const char **out) {
    assay_status status = ASSAY_OK;
    for (int i = 0; i < node->n_in; i++)
        ASSAY_TRY(exp_name(x, node->in[i], &out[i]));
done:
    return status;
}

/* The same inputs, these attributes. */
static assay_status same_inputs(exporter *x,
                                const nn_node *node,
                                const char *op_type,
                                const onnx_attr *attr,
                                int n_attr,
                                const char *out) {
    assay_status status = ASSAY_OK;
    const char *in[NN_MAX_INPUTS];
    ASSAY_TRY(input_names(x, node, in));
    ASSAY_TRY(exp_node(x, op_type, in, node->n_in, attr, n_attr, out, NULL));
done:
    return status;
}

/* ---- names alone differ ---- */

static const struct {
    const char *ours, *theirs;
} plain[] = {
    {"abs", "Abs"},
    {"acos", "Acos"},
    {"acosh", "Acosh"},
    {"add", "Add"},
    {"and", "And"},
    {"asin", "Asin"},
    {"asinh", "Asinh"},
    {"atan", "Atan"},
    {"atanh", "Atanh"},
    {"ceil", "Ceil"},
    {"cos", "Cos"},
    {"cosh", "Cosh"},
    {"div", "Div"},
    {"equal", "Equal"},
    {"erf", "Erf"},
    {"exp", "Exp"},
    {"floor", "Floor"},
    {"global_avg_pool", "GlobalAveragePool"},
    {"greater", "Greater"},
    {"greater_equal", "GreaterOrEqual"},
    {"hard_swish", "HardSwish"},
    {"less", "Less"},
    {"less_equal", "LessOrEqual"},
    {"log", "Log"},
    {"matmul", "MatMul"},
    {"maximum", "Max"},
    {"minimum", "Min"},
    {"mul", "Mul"},
    {"neg", "Neg"},
    {"not", "Not"},
    {"or", "Or"},
    {"pow", "Pow"},
    {"reciprocal", "Reciprocal"},
    {"relu", "Relu"},
    {"round", "Round"},
    {"sigmoid", "Sigmoid"},
    {"sign", "Sign"},
    {"sin", "Sin"},
    {"sinh", "Sinh"},
    {"softplus", "Softplus"},
    {"softsign", "Softsign"},
    {"sqrt", "Sqrt"},
    {"sub", "Sub"},
    {"tan", "Tan"},
    {"tanh", "Tanh"},
    {"where", "Where"},
    {"xor", "Xor"},
    {"global_max_pool", "GlobalMaxPool"},
};

static const char *plain_name(const char *op) {
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (strcmp(plain[i].ours, op) == 0)
            return plain[i].theirs;
    return NULL;
}

static assay_status write_plain(exporter *x, const nn_node *node, const char *out) {
    return same_inputs(x, node, plain_name(node->op->name), NULL, 0, out);
}

/* What changes nothing here: another layout in memory, dropout in evaluation. */
static assay_status write_identity(exporter *x, const nn_node *node, const char *out) {
    const char *in[NN_MAX_INPUTS];
    assay_status status = exp_name(x, node->in[0], &in[0]);
    return status == ASSAY_OK ? exp_node(x, "Identity", in, 1, NULL, 0, out, NULL)
                              : status;
}

/* ---- windows ---- */

static assay_status window_attrs(
    exporter *x, const nn_node *node, const int64_t kernel[2], onnx_attr *attr, int *n) {
    assay_status status = ASSAY_OK;
    int64_t *v; /* kernel, stride, dilation, pads */
    ASSAY_TRY(exp_take(x, &v, 10, sizeof *v));
    memcpy(v, kernel, 2 * sizeof *v);
    bool pool = nn_attr_get(node, "kernel") != NULL;
    memcpy(v + 2, pool ? kernel : (const int64_t[2]){1, 1}, 2 * sizeof *v);
    if (nn_attr_get(node, "stride"))
        ASSAY_TRY(nn_attr_pair(node, "stride", 1, v + 2));
    ASSAY_TRY(nn_attr_pair(node, "dilation", 1, v + 4));
    ASSAY_TRY(nn_attr_pad(node, v + 6));
    attr[(*n)++] = exp_attr_ints("kernel_shape", v, 2);
    attr[(*n)++] = exp_attr_ints("strides", v + 2, 2);
    attr[(*n)++] = exp_attr_ints("pads", v + 6, 4);
    if (v[4] != 1 || v[5] != 1)
        attr[(*n)++] = exp_attr_ints("dilations", v + 4, 2);
done:
    return status;
}

static assay_status write_conv(exporter *x, const nn_node *node, const char *out) {
    assay_status status = ASSAY_OK;
    onnx_attr attr[EXP_MAX_ATTR];
    int n = 0;
    ASSAY_TRY(window_attrs(x, node, node->in_shape[1].dim + 2, attr, &n));
    int64_t groups = nn_attr_i(node, "groups", 1);
    if (groups != 1)
        attr[n++] = exp_attr_i("group", groups);
    ASSAY_TRY(same_inputs(x, node, "Conv", attr, n, out));
done:
    return status;
}

static assay_status write_pool(exporter *x, const nn_node *node, const char *out) {
    assay_status status = ASSAY_OK;
    bool average = strcmp(node->op->name, "avg_pool") == 0;
    onnx_attr attr[EXP_MAX_ATTR];
    int64_t kernel[2];
    int n = 0;
    ASSAY_TRY(nn_attr_pair(node, "kernel", 1, kernel));
    ASSAY_TRY(window_attrs(x, node, kernel, attr, &n));
    if (nn_attr_i(node, "ceil_mode", 0))
        attr[n++] = exp_attr_i("ceil_mode", 1);
    if (average)
        attr[n++] =
            exp_attr_i("count_include_pad", nn_attr_i(node, "count_include_pad", 1) != 0);
    if (average && nn_attr_get(node, "dilation"))
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "average pooling with dilation is not in ONNX's "
                                        "opset 17");
    ASSAY_TRY(same_inputs(x, node, average ? "AveragePool" : "MaxPool", attr, n, out));
done:
    return status;
}

/* ---- norms ---- */

static assay_status write_batch_norm(exporter *x, const nn_node *node, const char *out) {
    const onnx_attr attr[2] = {
        exp_attr_f("epsilon", nn_attr_f(node, "eps", 1e-5)),
        exp_attr_f("momentum", 1 - nn_attr_f(node, "momentum", 0.1))};
    return same_inputs(x, node, "BatchNormalization", attr, 2, out);
}

static assay_status write_layer_norm(exporter *x, const nn_node *node, const char *out) {
    const onnx_attr attr[2] = {exp_attr_i("axis", -nn_attr_i(node, "dims", 1)),
                               exp_attr_f("epsilon", nn_attr_f(node, "eps", 1e-5))};
    return same_inputs(x, node, "LayerNormalization", attr, 2, out);
}

/* ---- products ---- */

/* Over rows of vectors Gemm, over anything longer MatMul with the weight turned. */
static assay_status write_linear(exporter *x, const nn_node *node, const char *out) {
    assay_status status = ASSAY_OK;
    static const int64_t turned[2] = {1, 0};
    const nn_shape *s = &node->in_shape[0];
    const char *in[NN_MAX_INPUTS], *pair[2];
    bool pooled = s->ndim == 4 && node->out_shape.ndim == 2;
    ASSAY_TRY(input_names(x, node, in));
    if (pooled) {
        const onnx_attr axis = exp_attr_i("axis", 1);
        ASSAY_TRY(exp_node(x, "Flatten", in, 1, &axis, 1, NULL, &in[0]));
    }
    if (pooled || s->ndim == 2) {
        const onnx_attr trans = exp_attr_i("transB", 1);
        return exp_node(x, "Gemm", in, node->n_in, &trans, 1, out, NULL);
    }
    const onnx_attr perm = exp_attr_ints("perm", turned, 2);
    pair[0] = in[0];
    ASSAY_TRY(exp_node(x, "Transpose", &in[1], 1, &perm, 1, NULL, &pair[1]));
    bool bias = node->n_in > 2;
    ASSAY_TRY(exp_node(x, "MatMul", pair, 2, NULL, 0, bias ? NULL : out, &pair[0]));
    pair[1] = in[2];
    if (bias)
        ASSAY_TRY(exp_node(x, "Add", pair, 2, NULL, 0, out, NULL));
done:
    return status;
}

static assay_status write_embedding(exporter *x, const nn_node *node, const char *out) {
    assay_status status = ASSAY_OK;
    const char *in[NN_MAX_INPUTS];
    ASSAY_TRY(input_names(x, node, in));
    const char *turned[2] = {in[1], in[0]};
    const onnx_attr axis = exp_attr_i("axis", 0);
    ASSAY_TRY(exp_node(x, "Gather", turned, 2, &axis, 1, out, NULL));
done:
    return status;
}

/* ---- attention, in ONNX's words ---- */

/* [N,T,H D] as [N,H,T,D]. */
static assay_status
split_heads(exporter *x, const char *v, int64_t heads, int64_t width, const char **out) {
    assay_status status = ASSAY_OK;
    static const int64_t order[4] = {0, 2, 1, 3};
    const int64_t shape[4] = {0, 0, heads, width};
    const onnx_attr perm = exp_attr_ints("perm", order, 4);
    const char *in[2] = {v};
    ASSAY_TRY(exp_ints(x, shape, 4, &in[1]));
    ASSAY_TRY(exp_node(x, "Reshape", in, 2, NULL, 0, NULL, &in[0]));
    ASSAY_TRY(exp_node(x, "Transpose", in, 1, &perm, 1, NULL, out));
done:
    return status;
}

/* q, k and v of the node, each [N,H,T,D]. */
static assay_status
attention_parts(exporter *x, const nn_node *node, int64_t heads, const char **part) {
    assay_status status = ASSAY_OK;
    static const int64_t order[5] = {0, 2, 3, 1, 4};
    const char *in[NN_MAX_INPUTS], *all;
    ASSAY_TRY(input_names(x, node, in));
    for (int i = 0; node->n_in == 3 && i < 3; i++)
        ASSAY_TRY(
            split_heads(x, in[i], heads, node->in_shape[i].dim[2] / heads, &part[i]));
    if (node->n_in == 3)
        goto done;
    const int64_t shape[5] = {0, 0, 3, heads, node->in_shape[0].dim[2] / (3 * heads)};
    const onnx_attr perm = exp_attr_ints("perm", order, 5), axis = exp_attr_i("axis", 1);
    ASSAY_TRY(exp_ints(x, shape, 5, &in[1]));
    ASSAY_TRY(exp_node(x, "Reshape", in, 2, NULL, 0, NULL, &all));
    ASSAY_TRY(exp_node(x, "Transpose", &all, 1, &perm, 1, NULL, &all));
    for (int64_t i = 0; i < 3; i++) {
        const char *pick[2] = {all};
        ASSAY_TRY(exp_scalar(x, i, &pick[1]));
        ASSAY_TRY(exp_node(x, "Gather", pick, 2, &axis, 1, NULL, &part[i]));
    }
done:
    return status;
}

/* Minus infinity where a token would see a later one. */
static assay_status causal_mask(exporter *x, int64_t t, int64_t s, const char **out) {
    assay_status status = ASSAY_OK;
    float *mask = NULL;
    const int64_t dim[2] = {t, s};
    ASSAY_TRY(mem_new(x->ctx, &mask, (size_t)(t * s), sizeof *mask));
    for (int64_t i = 0; i < t * s; i++)
        mask[i] = i % s > i / s ? -INFINITY : 0;
    ASSAY_TRY(exp_floats(x, mask, 2, dim, out));
done:
    mem_free(x->ctx, mask);
    return status;
}

static assay_status write_attention(exporter *x, const nn_node *node, const char *out) {
    assay_status status = ASSAY_OK;
    static const int64_t turned[4] = {0, 1, 3, 2}, back[4] = {0, 2, 1, 3};
    int64_t heads = nn_attr_i(node, "heads", 1), t = node->in_shape[0].dim[1];
    int64_t last = node->in_shape[0].dim[2], keys = t;
    int64_t width = last / heads / (node->n_in == 1 ? 3 : 1);
    const char *part[3], *in[2];
    if (nn_attr_f(node, "rotary", 0) != 0)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "rotary positions are not written as ONNX");
    if (node->n_in == 4)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "lengths of sequences are not written as ONNX");
    if (node->n_in == 3)
        keys = node->in_shape[1].dim[1];
    const onnx_attr turn = exp_attr_ints("perm", turned, 4);
    const onnx_attr unturn = exp_attr_ints("perm", back, 4);
    const onnx_attr axis = exp_attr_i("axis", -1);
    ASSAY_TRY(attention_parts(x, node, heads, part));
    in[0] = part[0];
    ASSAY_TRY(exp_node(x, "Transpose", &part[1], 1, &turn, 1, NULL, &in[1]));
    ASSAY_TRY(exp_node(x, "MatMul", in, 2, NULL, 0, NULL, &in[0]));
    double scale = nn_attr_f(node, "scale", 1 / sqrt((double)width));
    ASSAY_TRY(exp_float(x, (float)scale, &in[1]));
    ASSAY_TRY(exp_node(x, "Mul", in, 2, NULL, 0, NULL, &in[0]));
    if (nn_attr_i(node, "causal", 0)) {
        ASSAY_TRY(causal_mask(x, t, keys, &in[1]));
        ASSAY_TRY(exp_node(x, "Add", in, 2, NULL, 0, NULL, &in[0]));
    }
    ASSAY_TRY(exp_node(x, "Softmax", in, 1, &axis, 1, NULL, &in[0]));
    in[1] = part[2];
    ASSAY_TRY(exp_node(x, "MatMul", in, 2, NULL, 0, NULL, &in[0]));
    ASSAY_TRY(exp_node(x, "Transpose", in, 1, &unturn, 1, NULL, &in[0]));
    const int64_t shape[3] = {0, 0, node->out_shape.dim[2]};
    ASSAY_TRY(exp_ints(x, shape, 3, &in[1]));
    ASSAY_TRY(exp_node(x, "Reshape", in, 2, NULL, 0, out, NULL));
done:
    return status;
}

/* ---- activations ---- */

static assay_status write_axis(exporter *x, const nn_node *node, const char *out) {
    const onnx_attr axis = exp_attr_i("axis", nn_attr_i(node, "axis", -1));
    const char *op = strcmp(node->op->name, "softmax") == 0 ? "Softmax" : "LogSoftmax";
    return same_inputs(x, node, op, &axis, 1, out);
}

static assay_status write_silu(exporter *x, const nn_node *node, const char *out) {
    assay_status status = ASSAY_OK;
    const char *in[2];
    ASSAY_TRY(exp_name(x, node->in[0], &in[0]));
    ASSAY_TRY(exp_node(x, "Sigmoid", in, 1, NULL, 0, NULL, &in[1]));
    ASSAY_TRY(exp_node(x, "Mul", in, 2, NULL, 0, out, NULL));
done:
    return status;
}

/* x times half of (1 + erf(x / sqrt 2)), or with the tangent's approximation. */
static assay_status write_gelu(exporter *x, const nn_node *node, const char *out) {
    assay_status status = ASSAY_OK;
    const char *v, *in[2];
    bool approximate = nn_attr_i(node, "tanh", 0) != 0;
    ASSAY_TRY(exp_name(x, node->in[0], &v));
    in[0] = v;
    if (approximate) { /* sqrt(2 / pi) (x + 0.044715 x^3) */
        in[1] = v;
        ASSAY_TRY(exp_node(x, "Mul", in, 2, NULL, 0, NULL, &in[0]));
        ASSAY_TRY(exp_node(x, "Mul", in, 2, NULL, 0, NULL, &in[0]));
        ASSAY_TRY(exp_float(x, 0.044715f, &in[1]));
        ASSAY_TRY(exp_node(x, "Mul", in, 2, NULL, 0, NULL, &in[0]));
        in[1] = v;
        ASSAY_TRY(exp_node(x, "Add", in, 2, NULL, 0, NULL, &in[0]));
        ASSAY_TRY(exp_float(x, 0.7978845608028654f, &in[1]));
    } else {
        ASSAY_TRY(exp_float(x, 0.7071067811865476f, &in[1]));
    }
    ASSAY_TRY(exp_node(x, "Mul", in, 2, NULL, 0, NULL, &in[0]));
    ASSAY_TRY(exp_node(x, approximate ? "Tanh" : "Erf", in, 1, NULL, 0, NULL, &in[0]));
    ASSAY_TRY(exp_float(x, 1, &in[1]));
    ASSAY_TRY(exp_node(x, "Add", in, 2, NULL, 0, NULL, &in[0]));
    in[1] = v;
    ASSAY_TRY(exp_node(x, "Mul", in, 2, NULL, 0, NULL, &in[0]));
    ASSAY_TRY(exp_float(x, 0.5f, &in[1]));
    ASSAY_TRY(exp_node(x, "Mul", in, 2, NULL, 0, out, NULL));
done:
    return status;
}

static assay_status write_alpha(exporter *x, const nn_node *node, const char *out) {
    bool leaky = strcmp(node->op->name, "leaky_relu") == 0;
    const onnx_attr alpha =
        exp_attr_f("alpha", nn_attr_f(node, "alpha", leaky ? 0.01 : 1));
    return same_inputs(x, node, leaky ? "LeakyRelu" : "Elu", &alpha, 1, out);
}

/* ---- shapes ---- */

static assay_status write_flatten(exporter *x, const nn_node *node, const char *out) {
    const onnx_attr axis = exp_attr_i("axis", 1);
    return same_inputs(x, node, "Flatten", &axis, 1, out);
}

static assay_status write_reshape(exporter *x, const nn_node *node, const char *out) {
    assay_status status = ASSAY_OK;
    const char *in[2];
    nn_shape to = node->out_shape;
    if (nn_shape_open(&to))
        to.dim[0] = -1;
    ASSAY_TRY(exp_name(x, node->in[0], &in[0]));
    ASSAY_TRY(exp_ints(x, to.dim, (size_t)to.ndim, &in[1]));
    ASSAY_TRY(exp_node(x, "Reshape", in, 2, NULL, 0, out, NULL));
done:
    return status;
}

static assay_status write_transpose(exporter *x, const nn_node *node, const char *out) {
    const nn_attr *perm = nn_attr_get(node, "perm");
    onnx_attr attr =
        exp_attr_ints("perm", perm ? perm->i : NULL, perm ? (size_t)perm->count : 0);
    return same_inputs(x, node, "Transpose", &attr, perm != NULL, out);
}

static assay_status write_concat(exporter *x, const nn_node *node, const char *out) {
    const onnx_attr axis = exp_attr_i("axis", nn_attr_i(node, "axis", 1));
    return same_inputs(x, node, "Concat", &axis, 1, out);
}

static const struct {
    const char *op;
    exp_op_fn write;
} table[] = {
    {"conv2d", write_conv},
    {"max_pool", write_pool},
    {"avg_pool", write_pool},
    {"batch_norm", write_batch_norm},
    {"layer_norm", write_layer_norm},
    {"linear", write_linear},
    {"attention", write_attention},
    {"embedding", write_embedding},
    {"softmax", write_axis},
    {"log_softmax", write_axis},
    {"silu", write_silu},
    {"gelu", write_gelu},
    {"leaky_relu", write_alpha},
    {"elu", write_alpha},
    {"flatten", write_flatten},
    {"reshape", write_reshape},
    {"transpose", write_transpose},
    {"concat", write_concat},
    {"layout", write_identity},
    {"dropout", write_identity},
};

exp_op_fn exp_op_find(const char *op) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].op, op) == 0)
            return table[i].write;
    return plain_name(op) ? write_plain : NULL;
}

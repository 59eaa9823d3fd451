/* The layers: a parameter or two, one op, and what it costs. */
#include "zoo/layers.h"

#include <stdio.h>

const char *zoo_part(char out[NN_MAX_NAME], const char *block, const char *part) {
    (void)snprintf(out, NN_MAX_NAME, "%s.%s", block, part);
    return out;
}

static assay_status param(zoo_model *m,
                          nn_value *out,
                          const char *name,
                          const char *part,
                          nn_shape shape,
                          nn_init init,
                          bool decay) {
    char full[NN_MAX_NAME];
    (void)snprintf(full, sizeof full, "%s.%s", name, part);
    return nn_graph_param(m->graph, full, shape, init, decay, out);
}

static assay_status buffer(zoo_model *m,
                           nn_value *out,
                           const char *name,
                           const char *part,
                           nn_shape shape,
                           nn_init init) {
    char full[NN_MAX_NAME];
    (void)snprintf(full, sizeof full, "%s.%s", name, part);
    return nn_graph_buffer(m->graph, full, shape, init, out);
}

/* *x goes through the op, as its first input; *x keeps its value on failure. */
static assay_status op(zoo_model *m,
                       const char *name,
                       const nn_value *inputs,
                       int n_inputs,
                       const nn_attr *attrs,
                       int n_attrs,
                       nn_value *x) {
    nn_value out;
    assay_status status =
        nn_graph_op(m->graph, name, inputs, n_inputs, attrs, n_attrs, &out);
    if (status == ASSAY_OK)
        *x = out;
    return status;
}

static void count(zoo_model *m, nn_value input, double flop) {
    m->flop += flop;
    if (input == m->images || input == m->flat)
        m->flop_input += flop;
}

/* How a convolution's weights begin, whether they are trained, and their groups. */
typedef struct conv_kind {
    nn_init init;
    bool fixed;
    int64_t groups;
} conv_kind;

static assay_status conv(zoo_model *m,
                         nn_value *x,
                         const char *name,
                         const zoo_conv_shape *shape,
                         conv_kind kind) {
    assay_status status = ASSAY_OK;
    const nn_shape in = nn_graph_shape(m->graph, *x);
    const int64_t k = shape->kernel, depth = in.dim[1] / kind.groups;
    const nn_shape weight = {4, {shape->channels, depth, k, k}};
    nn_value v[3] = {*x};
    if (kind.fixed)
        ASSAY_TRY(buffer(m, &v[1], name, "weight", weight, kind.init));
    else
        ASSAY_TRY(param(m, &v[1], name, "weight", weight, kind.init, true));
    if (shape->bias)
        ASSAY_TRY(param(m, &v[2], name, "bias", (nn_shape){1, {shape->channels}},
                        NN_INIT_ZERO, false));
    const nn_attr attrs[] = {{.name = "stride", .i = {shape->stride}, .count = 1},
                             {.name = "pad", .i = {shape->pad}, .count = 1},
                             {.name = "groups", .i = {kind.groups}, .count = 1}};
    ASSAY_TRY(
        op(m, "conv2d", v, shape->bias ? 3 : 2, attrs, kind.groups == 1 ? 2 : 3, x));
    const nn_shape out = nn_graph_shape(m->graph, *x);
    count(m, v[0],
          2.0 * (double)(out.dim[1] * out.dim[2] * out.dim[3]) * (double)(depth * k * k));
done:
    return status;
}

assay_status
zoo_conv_of(zoo_model *m, nn_value *x, const char *name, const zoo_conv_shape *shape) {
    return conv(m, x, name, shape, (conv_kind){NN_INIT_KAIMING_NORMAL, false, 1});
}

assay_status zoo_depthwise(
    zoo_model *m, nn_value *x, const char *name, int64_t kernel, int64_t stride) {
    const int64_t channels = nn_graph_shape(m->graph, *x).dim[1];
    const zoo_conv_shape shape = {channels, kernel, stride, kernel / 2, false};
    return conv(m, x, name, &shape, (conv_kind){NN_INIT_KAIMING_NORMAL, false, channels});
}

assay_status zoo_conv_dirac(
    zoo_model *m, nn_value *x, const char *name, int64_t channels, int64_t kernel) {
    const zoo_conv_shape shape = {channels, kernel, 1, kernel / 2, false};
    return conv(m, x, name, &shape, (conv_kind){NN_INIT_DIRAC, false, 1});
}

assay_status zoo_conv_fixed(
    zoo_model *m, nn_value *x, const char *name, int64_t channels, int64_t kernel) {
    const zoo_conv_shape shape = {channels, kernel, 1, 0, true};
    return conv(m, x, name, &shape, (conv_kind){NN_INIT_KAIMING_UNIFORM, true, 1});
}

assay_status zoo_conv(zoo_model *m,
                      nn_value *x,
                      const char *name,
                      int64_t channels,
                      int64_t kernel,
                      int64_t stride) {
    return zoo_conv_of(m, x, name,
                       &(zoo_conv_shape){channels, kernel, stride, kernel / 2, false});
}

static assay_status norm(zoo_model *m,
                         nn_value *x,
                         const char *name,
                         bool fixed,
                         const nn_attr *attrs,
                         int n_attrs) {
    assay_status status = ASSAY_OK;
    const nn_shape per_channel = {1, {nn_graph_shape(m->graph, *x).dim[1]}};
    nn_value v[5] = {*x};
    if (fixed)
        ASSAY_TRY(buffer(m, &v[1], name, "weight", per_channel, NN_INIT_ONE));
    else
        ASSAY_TRY(param(m, &v[1], name, "weight", per_channel, NN_INIT_ONE, false));
    ASSAY_TRY(param(m, &v[2], name, "bias", per_channel, NN_INIT_ZERO, false));
    ASSAY_TRY(buffer(m, &v[3], name, "running_mean", per_channel, NN_INIT_ZERO));
    ASSAY_TRY(buffer(m, &v[4], name, "running_var", per_channel, NN_INIT_ONE));
    ASSAY_TRY(op(m, "batch_norm", v, 5, attrs, n_attrs, x));
done:
    return status;
}

assay_status zoo_norm(zoo_model *m, nn_value *x, const char *name) {
    return norm(m, x, name, false, NULL, 0);
}

assay_status
zoo_norm_shift(zoo_model *m, nn_value *x, const char *name, double eps, double momentum) {
    const nn_attr attrs[] = {{.name = "eps", .f = eps},
                             {.name = "momentum", .f = momentum}};
    return norm(m, x, name, true, attrs, 2);
}

assay_status zoo_norm_relu(zoo_model *m, nn_value *x, const char *name) {
    assay_status status = zoo_norm(m, x, name);
    return status == ASSAY_OK ? zoo_relu(m, x) : status;
}

assay_status zoo_relu(zoo_model *m, nn_value *x) {
    return zoo_op(m, x, m->config.smooth ? "gelu" : "relu", NULL, 0);
}

assay_status
zoo_op(zoo_model *m, nn_value *x, const char *name, const nn_attr *attrs, int n_attrs) {
    return op(m, name, x, 1, attrs, n_attrs, x);
}

assay_status zoo_add(zoo_model *m, nn_value *x, nn_value other) {
    return op(m, "add", (nn_value[]){*x, other}, 2, NULL, 0, x);
}

assay_status zoo_scale(zoo_model *m, nn_value *x, const char *name, float by) {
    assay_status status = ASSAY_OK;
    nn_value factor;
    ASSAY_TRY(
        nn_graph_constant(m->graph, name, ASSAY_F32, (nn_shape){0, {0}}, &by, &factor));
    ASSAY_TRY(op(m, "mul", (nn_value[]){*x, factor}, 2, NULL, 0, x));
done:
    return status;
}

assay_status
zoo_max_pool_of(zoo_model *m, nn_value *x, int64_t kernel, int64_t stride, int64_t pad) {
    const nn_attr attrs[] = {{.name = "kernel", .i = {kernel}, .count = 1},
                             {.name = "stride", .i = {stride}, .count = 1},
                             {.name = "pad", .i = {pad}, .count = 1}};
    return op(m, m->config.smooth ? "avg_pool" : "max_pool", x, 1, attrs, 3, x);
}

assay_status zoo_max_pool(zoo_model *m, nn_value *x) {
    return zoo_max_pool_of(m, x, 2, 2, 0);
}

assay_status zoo_global_pool(zoo_model *m, nn_value *x) {
    return op(m, "global_avg_pool", x, 1, NULL, 0, x);
}

assay_status zoo_global_max_pool(zoo_model *m, nn_value *x) {
    const char *pool = m->config.smooth ? "global_avg_pool" : "global_max_pool";
    return op(m, pool, x, 1, NULL, 0, x);
}

assay_status zoo_flatten(zoo_model *m, nn_value *x) {
    bool input = *x == m->images;
    assay_status status = op(m, "flatten", x, 1, NULL, 0, x);
    if (status == ASSAY_OK && input)
        m->flat = *x;
    return status;
}

static assay_status
linear(zoo_model *m, nn_value *x, const char *name, int64_t width, bool bias) {
    assay_status status = ASSAY_OK;
    const nn_shape in = nn_graph_shape(m->graph, *x);
    nn_value v[3] = {*x};
    int64_t depth = in.dim[in.ndim - 1], rows = 1;
    for (int i = 1; i + 1 < in.ndim; i++)
        rows *= in.dim[i];
    ASSAY_TRY(param(m, &v[1], name, "weight", (nn_shape){2, {width, depth}},
                    NN_INIT_KAIMING_UNIFORM, true));
    if (bias)
        ASSAY_TRY(
            param(m, &v[2], name, "bias", (nn_shape){1, {width}}, NN_INIT_ZERO, false));
    ASSAY_TRY(op(m, "linear", v, bias ? 3 : 2, NULL, 0, x));
    count(m, v[0], 2.0 * (double)(rows * depth) * (double)width);
done:
    return status;
}

assay_status zoo_linear(zoo_model *m, nn_value *x, const char *name, int64_t width) {
    return linear(m, x, name, width, true);
}

assay_status
zoo_linear_plain(zoo_model *m, nn_value *x, const char *name, int64_t width) {
    return linear(m, x, name, width, false);
}

assay_status
zoo_embedding(zoo_model *m, nn_value *x, const char *name, int64_t rows, int64_t width) {
    assay_status status = ASSAY_OK;
    nn_value v[2] = {*x};
    ASSAY_TRY(param(m, &v[1], name, "weight", (nn_shape){2, {rows, width}},
                    NN_INIT_NORMAL_SMALL, true));
    ASSAY_TRY(op(m, "embedding", v, 2, NULL, 0, x));
done:
    return status;
}

assay_status zoo_positions(zoo_model *m, nn_value *x, const char *name) {
    assay_status status = ASSAY_OK;
    const nn_shape in = nn_graph_shape(m->graph, *x);
    nn_value table;
    ASSAY_TRY(param(m, &table, name, "weight", (nn_shape){2, {in.dim[1], in.dim[2]}},
                    NN_INIT_NORMAL_SMALL, true));
    ASSAY_TRY(zoo_add(m, x, table));
done:
    return status;
}

assay_status zoo_layer_norm(zoo_model *m, nn_value *x, const char *name, double eps) {
    assay_status status = ASSAY_OK;
    const nn_shape in = nn_graph_shape(m->graph, *x);
    const nn_shape width = {1, {in.dim[in.ndim - 1]}};
    nn_value v[3] = {*x};
    ASSAY_TRY(param(m, &v[1], name, "weight", width, NN_INIT_ONE, false));
    ASSAY_TRY(param(m, &v[2], name, "bias", width, NN_INIT_ZERO, false));
    const nn_attr attr = {.name = "eps", .f = eps};
    ASSAY_TRY(op(m, "layer_norm", v, 3, &attr, 1, x));
done:
    return status;
}

assay_status zoo_gelu(zoo_model *m, nn_value *x) {
    return op(m, "gelu", x, 1, NULL, 0, x);
}

/* Two products of T x T scores with a width of C. */
static double attention_flop(nn_shape tokens, int64_t width) {
    return 4.0 * (double)(tokens.dim[1] * tokens.dim[1]) * (double)width;
}

assay_status zoo_attention(zoo_model *m, nn_value *x, int64_t heads, bool causal) {
    const nn_attr attrs[] = {{.name = "heads", .i = {heads}, .count = 1},
                             {.name = "causal", .i = {causal}, .count = 1}};
    const nn_shape in = nn_graph_shape(m->graph, *x);
    nn_value input = *x;
    assay_status status = op(m, "attention", x, 1, attrs, 2, x);
    if (status == ASSAY_OK)
        count(m, input, attention_flop(in, in.dim[2] / 3));
    return status;
}

assay_status
zoo_attention_of(zoo_model *m, nn_value *x, const nn_value qkv[3], int64_t heads) {
    const nn_attr attr = {.name = "heads", .i = {heads}, .count = 1};
    const nn_shape in = nn_graph_shape(m->graph, qkv[0]);
    const nn_value all[] = {qkv[0], qkv[1], qkv[2], m->lengths};
    assay_status status = op(m, "attention", all, m->lengths < 0 ? 3 : 4, &attr, 1, x);
    if (status == ASSAY_OK)
        count(m, qkv[0], attention_flop(in, in.dim[2]));
    return status;
}

assay_status zoo_token(zoo_model *m, nn_value *x, int64_t which) {
    assay_status status = ASSAY_OK;
    const nn_attr cut[] = {{.name = "starts", .i = {which}, .count = 1},
                           {.name = "ends", .i = {which + 1}, .count = 1},
                           {.name = "axes", .i = {1}, .count = 1}};
    const nn_attr line = {
        .name = "shape", .i = {0, nn_graph_shape(m->graph, *x).dim[2]}, .count = 2};
    ASSAY_TRY(zoo_op(m, x, "slice", cut, 3));
    ASSAY_TRY(zoo_op(m, x, "reshape", &line, 1));
done:
    return status;
}

static assay_status
add_attention(zoo_model *m, nn_value *x, const char *block, const zoo_block *shape) {
    assay_status status = ASSAY_OK;
    const zoo_block_names *names = shape->names;
    const int64_t width = nn_graph_shape(m->graph, *x).dim[2];
    nn_value y = *x;
    char name[NN_MAX_NAME];
    ASSAY_TRY(zoo_layer_norm(m, &y, zoo_part(name, block, names->norm1), shape->eps));
    ASSAY_TRY(zoo_linear(m, &y, zoo_part(name, block, names->qkv), 3 * width));
    ASSAY_TRY(zoo_attention(m, &y, shape->heads, shape->causal));
    ASSAY_TRY(zoo_linear(m, &y, zoo_part(name, block, names->proj), width));
    ASSAY_TRY(zoo_add(m, &y, *x));
    *x = y;
done:
    return status;
}

static assay_status
add_perceptron(zoo_model *m, nn_value *x, const char *block, const zoo_block *shape) {
    assay_status status = ASSAY_OK;
    const zoo_block_names *names = shape->names;
    const int64_t width = nn_graph_shape(m->graph, *x).dim[2];
    nn_value y = *x;
    char name[NN_MAX_NAME];
    ASSAY_TRY(zoo_layer_norm(m, &y, zoo_part(name, block, names->norm2), shape->eps));
    ASSAY_TRY(zoo_linear(m, &y, zoo_part(name, block, names->up), 4 * width));
    ASSAY_TRY(zoo_gelu(m, &y));
    ASSAY_TRY(zoo_linear(m, &y, zoo_part(name, block, names->down), width));
    ASSAY_TRY(zoo_add(m, &y, *x));
    *x = y;
done:
    return status;
}

assay_status zoo_transformer_block(zoo_model *m,
                                   nn_value *x,
                                   const char *block,
                                   const zoo_block *shape) {
    assay_status status = add_attention(m, x, block, shape);
    return status == ASSAY_OK ? add_perceptron(m, x, block, shape) : status;
}

/* The layers: a parameter or two, one op, and what it costs. */
#include "zoo/layers.h"

#include <stdio.h>

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
                           int64_t n,
                           nn_init init) {
    char full[NN_MAX_NAME];
    (void)snprintf(full, sizeof full, "%s.%s", name, part);
    return nn_graph_buffer(m->graph, full, (nn_shape){1, {n}}, init, out);
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

assay_status
zoo_conv_of(zoo_model *m, nn_value *x, const char *name, const zoo_conv_shape *shape) {
    assay_status status = ASSAY_OK;
    const nn_shape in = nn_graph_shape(m->graph, *x);
    const int64_t k = shape->kernel;
    nn_value v[3] = {*x};
    ASSAY_TRY(param(m, &v[1], name, "weight",
                    (nn_shape){4, {shape->channels, in.dim[1], k, k}},
                    NN_INIT_KAIMING_NORMAL, true));
    if (shape->bias)
        ASSAY_TRY(param(m, &v[2], name, "bias", (nn_shape){1, {shape->channels}},
                        NN_INIT_ZERO, false));
    const nn_attr attrs[] = {{.name = "stride", .i = {shape->stride}, .count = 1},
                             {.name = "pad", .i = {shape->pad}, .count = 1}};
    ASSAY_TRY(op(m, "conv2d", v, shape->bias ? 3 : 2, attrs, 2, x));
    const nn_shape out = nn_graph_shape(m->graph, *x);
    count(m, v[0],
          2.0 * (double)(out.dim[1] * out.dim[2] * out.dim[3]) *
              (double)(in.dim[1] * k * k));
done:
    return status;
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

assay_status zoo_norm(zoo_model *m, nn_value *x, const char *name) {
    assay_status status = ASSAY_OK;
    nn_shape in = nn_graph_shape(m->graph, *x);
    nn_value v[5] = {*x};
    const nn_shape per_channel = {1, {in.dim[1]}};
    ASSAY_TRY(param(m, &v[1], name, "weight", per_channel, NN_INIT_ONE, false));
    ASSAY_TRY(param(m, &v[2], name, "bias", per_channel, NN_INIT_ZERO, false));
    ASSAY_TRY(buffer(m, &v[3], name, "running_mean", in.dim[1], NN_INIT_ZERO));
    ASSAY_TRY(buffer(m, &v[4], name, "running_var", in.dim[1], NN_INIT_ONE));
    ASSAY_TRY(op(m, "batch_norm", v, 5, NULL, 0, x));
done:
    return status;
}

assay_status zoo_norm_relu(zoo_model *m, nn_value *x, const char *name) {
    assay_status status = zoo_norm(m, x, name);
    return status == ASSAY_OK ? zoo_relu(m, x) : status;
}

assay_status zoo_relu(zoo_model *m, nn_value *x) {
    return op(m, "relu", x, 1, NULL, 0, x);
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
    return op(m, "max_pool", x, 1, attrs, 3, x);
}

assay_status zoo_max_pool(zoo_model *m, nn_value *x) {
    return zoo_max_pool_of(m, x, 2, 2, 0);
}

assay_status zoo_global_pool(zoo_model *m, nn_value *x) {
    return op(m, "global_avg_pool", x, 1, NULL, 0, x);
}

assay_status zoo_global_max_pool(zoo_model *m, nn_value *x) {
    return op(m, "global_max_pool", x, 1, NULL, 0, x);
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

assay_status zoo_layer_norm(zoo_model *m, nn_value *x, const char *name) {
    assay_status status = ASSAY_OK;
    const nn_shape in = nn_graph_shape(m->graph, *x);
    const nn_shape width = {1, {in.dim[in.ndim - 1]}};
    nn_value v[3] = {*x};
    ASSAY_TRY(param(m, &v[1], name, "weight", width, NN_INIT_ONE, false));
    ASSAY_TRY(param(m, &v[2], name, "bias", width, NN_INIT_ZERO, false));
    ASSAY_TRY(op(m, "layer_norm", v, 3, NULL, 0, x));
done:
    return status;
}

assay_status zoo_gelu(zoo_model *m, nn_value *x) {
    return op(m, "gelu", x, 1, NULL, 0, x);
}

assay_status zoo_attention(zoo_model *m, nn_value *x, int64_t heads) {
    const nn_attr attrs[] = {{.name = "heads", .i = {heads}, .count = 1},
                             {.name = "causal", .i = {1}, .count = 1}};
    const nn_shape in = nn_graph_shape(m->graph, *x);
    nn_value input = *x;
    assay_status status = op(m, "attention", x, 1, attrs, 2, x);
    if (status == ASSAY_OK)
        count(m, input, 4.0 * (double)(in.dim[1] * in.dim[1]) * (double)in.dim[2] / 3);
    return status;
}

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

assay_status zoo_conv(zoo_model *m,
                      nn_value *x,
                      const char *name,
                      int64_t channels,
                      int64_t kernel,
                      int64_t stride) {
    assay_status status = ASSAY_OK;
    nn_shape in = nn_graph_shape(m->graph, *x);
    nn_value weight;
    ASSAY_TRY(param(m, &weight, name, "weight",
                    (nn_shape){4, {channels, in.dim[1], kernel, kernel}},
                    NN_INIT_KAIMING_NORMAL, true));
    const nn_attr attrs[] = {{.name = "stride", .i = {stride}, .count = 1},
                             {.name = "pad", .i = {kernel / 2}, .count = 1}};
    ASSAY_TRY(op(m, "conv2d", (nn_value[]){*x, weight}, 2, attrs, 2, x));
    nn_shape out = nn_graph_shape(m->graph, *x);
    m->flop += 2.0 * (double)(out.dim[1] * out.dim[2] * out.dim[3]) *
               (double)(in.dim[1] * kernel * kernel);
done:
    return status;
}

assay_status zoo_norm_relu(zoo_model *m, nn_value *x, const char *name) {
    assay_status status = ASSAY_OK;
    nn_shape in = nn_graph_shape(m->graph, *x);
    nn_value v[5] = {*x};
    const nn_shape per_channel = {1, {in.dim[1]}};
    ASSAY_TRY(param(m, &v[1], name, "weight", per_channel, NN_INIT_ONE, false));
    ASSAY_TRY(param(m, &v[2], name, "bias", per_channel, NN_INIT_ZERO, false));
    ASSAY_TRY(buffer(m, &v[3], name, "running_mean", in.dim[1], NN_INIT_ZERO));
    ASSAY_TRY(buffer(m, &v[4], name, "running_var", in.dim[1], NN_INIT_ONE));
    ASSAY_TRY(op(m, "batch_norm", v, 5, NULL, 0, x));
    ASSAY_TRY(zoo_relu(m, x));
done:
    return status;
}

assay_status zoo_relu(zoo_model *m, nn_value *x) {
    return op(m, "relu", x, 1, NULL, 0, x);
}

assay_status zoo_max_pool(zoo_model *m, nn_value *x) {
    const nn_attr kernel = {.name = "kernel", .i = {2}, .count = 1};
    return op(m, "max_pool", x, 1, &kernel, 1, x);
}

assay_status zoo_global_pool(zoo_model *m, nn_value *x) {
    return op(m, "global_avg_pool", x, 1, NULL, 0, x);
}

assay_status zoo_flatten(zoo_model *m, nn_value *x) {
    return op(m, "flatten", x, 1, NULL, 0, x);
}

assay_status zoo_linear(zoo_model *m, nn_value *x, const char *name, int64_t width) {
    assay_status status = ASSAY_OK;
    nn_shape in = nn_graph_shape(m->graph, *x);
    nn_value v[3] = {*x};
    ASSAY_TRY(param(m, &v[1], name, "weight", (nn_shape){2, {width, in.dim[1]}},
                    NN_INIT_KAIMING_UNIFORM, true));
    ASSAY_TRY(param(m, &v[2], name, "bias", (nn_shape){1, {width}}, NN_INIT_ZERO, false));
    ASSAY_TRY(op(m, "linear", v, 3, NULL, 0, x));
    m->flop += 2.0 * (double)in.dim[1] * (double)width;
done:
    return status;
}

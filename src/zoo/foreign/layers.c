/* Layers of foreign networks: parameters under the file's names, and the op. */
#include "zoo/foreign/foreign.h"

#include <stdio.h>

static assay_status
param(nn_graph *g, const char *name, const char *part, nn_shape shape, nn_value *out) {
    char full[NN_MAX_NAME];
    (void)snprintf(full, sizeof full, "%s.%s", name, part);
    return nn_graph_param(g, full, shape, NN_INIT_ZERO, shape.ndim > 1, out);
}

static assay_status op(nn_graph *g,
                       const char *name,
                       const nn_value *in,
                       int n_in,
                       const nn_attr *attrs,
                       int n_attrs,
                       nn_value *x) {
    nn_value out;
    assay_status status = nn_graph_op(g, name, in, n_in, attrs, n_attrs, &out);
    if (status == ASSAY_OK)
        *x = out;
    return status;
}

/* TensorFlow's SAME: as many outputs as strides begin, the odd pixel behind. */
static void same_padding(int64_t pad[2], int64_t size, const foreign_conv *conv) {
    int64_t outs = (size + conv->stride - 1) / conv->stride;
    int64_t total = (outs - 1) * conv->stride + conv->kernel - size;
    total = total > 0 ? total : 0;
    pad[0] = total / 2;
    pad[1] = total - pad[0];
}

assay_status
foreign_add_conv(nn_graph *g, nn_value *x, const char *name, const foreign_conv *conv) {
    assay_status status = ASSAY_OK;
    nn_shape in = nn_graph_shape(g, *x);
    int64_t groups = conv->groups ? conv->groups : 1, k = conv->kernel;
    int64_t tall[2] = {k / 2, k / 2}, wide[2] = {k / 2, k / 2};
    nn_value v[3] = {*x};
    if (conv->same) {
        same_padding(tall, in.dim[2], conv);
        same_padding(wide, in.dim[3], conv);
    }
    const nn_attr attrs[] = {
        {.name = "stride", .i = {conv->stride}, .count = 1},
        {.name = "pad", .i = {tall[0], wide[0], tall[1], wide[1]}, .count = 4},
        {.name = "groups", .i = {groups}, .count = 1}};
    ASSAY_TRY(param(g, name, "weight",
                    (nn_shape){4, {conv->channels, in.dim[1] / groups, k, k}}, &v[1]));
    if (!conv->no_bias)
        ASSAY_TRY(param(g, name, "bias", (nn_shape){1, {conv->channels}}, &v[2]));
    ASSAY_TRY(op(g, "conv2d", v, conv->no_bias ? 2 : 3, attrs, 3, x));
done:
    return status;
}

assay_status
foreign_add_group_norm(nn_graph *g, nn_value *x, const char *name, int64_t groups) {
    assay_status status = ASSAY_OK;
    const nn_shape per_channel = {1, {nn_graph_shape(g, *x).dim[1]}};
    const nn_attr attr = {.name = "groups", .i = {groups}, .count = 1};
    nn_value v[3] = {*x};
    ASSAY_TRY(param(g, name, "weight", per_channel, &v[1]));
    ASSAY_TRY(param(g, name, "bias", per_channel, &v[2]));
    ASSAY_TRY(op(g, "group_norm", v, 3, &attr, 1, x));
done:
    return status;
}

assay_status foreign_add(
    nn_graph *g, nn_value *x, const char *name, const nn_attr *attrs, int n_attrs) {
    return op(g, name, x, 1, attrs, n_attrs, x);
}

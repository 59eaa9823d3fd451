/* Windows: attributes read and checked, padding worked out. */
#include "nn/onnx/window.h"

#include <string.h>

enum { MOST = 1 << 20 };

/* Numbers of an attribute for one or two dimensions; the last ones are the file's. */
static assay_status
read_list(const onnx_node *node, const char *name, int n, int64_t least, int64_t *out) {
    assay_status status = ASSAY_OK;
    int64_t given[4];
    int count;
    ASSAY_TRY(imp_attr_ints(node, name, 4, given, &count));
    if (count < 0)
        return ASSAY_OK;
    if (count != n)
        ASSAY_FAIL(ASSAY_E_FORMAT, "attribute '%s' has %d numbers, not %d", name, count,
                   n);
    for (int i = 0; i < n; i++) {
        if (given[i] < least || given[i] > MOST)
            ASSAY_FAIL(ASSAY_E_FORMAT, "attribute '%s' holds %lld", name,
                       (long long)given[i]);
        out[i] = given[i];
    }
done:
    return status;
}

static int64_t reach(const imp_window *w, int k) {
    return (w->kernel[k] - 1) * w->dilation[k] + 1;
}

/* auto_pad: as many outputs as inputs divided by the stride, rounded up. */
static void pad_same(imp_window *w, const int64_t *size, bool upper) {
    for (int k = 2 - w->spatial; k < 2; k++) {
        int64_t out = (size[k] + w->stride[k] - 1) / w->stride[k];
        int64_t all = (out - 1) * w->stride[k] + reach(w, k) - size[k];
        all = all > 0 ? all : 0;
        w->pad[k] = upper ? all / 2 : all - all / 2;
        w->pad[k + 2] = all - w->pad[k];
    }
}

assay_status imp_window_read(imp_window *out,
                             const onnx_node *node,
                             const nn_shape *x,
                             const int64_t *kernel) {
    assay_status status = ASSAY_OK;
    imp_window w = {
        .spatial = x->ndim - 2, .kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}};
    const char *autos;
    int64_t ceil, size[2] = {1, 1}, pads[4] = {0};
    if (w.spatial < 1 || w.spatial > 2)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "windows over %d dimensions", w.spatial);
    int first = 2 - w.spatial;
    memcpy(size + first, x->dim + 2, (size_t)w.spatial * sizeof *size);
    if (kernel)
        memcpy(w.kernel + first, kernel, (size_t)w.spatial * sizeof *kernel);
    int64_t given[2] = {0, 0};
    ASSAY_TRY(read_list(node, "kernel_shape", w.spatial, 1, given));
    if (!kernel && given[0] == 0)
        ASSAY_FAIL(ASSAY_E_FORMAT, "attribute 'kernel_shape' is missing");
    for (int i = 0; given[0] && i < w.spatial; i++) {
        if (kernel && given[i] != kernel[i])
            ASSAY_FAIL(ASSAY_E_FORMAT,
                       "attribute 'kernel_shape' is not that of the weight");
        w.kernel[first + i] = given[i];
    }
    ASSAY_TRY(read_list(node, "strides", w.spatial, 1, w.stride + first));
    ASSAY_TRY(read_list(node, "dilations", w.spatial, 1, w.dilation + first));
    ASSAY_TRY(read_list(node, "pads", 2 * w.spatial, 0, pads));
    for (int i = 0; i < w.spatial; i++) {
        w.pad[first + i] = pads[i];
        w.pad[first + 2 + i] = pads[w.spatial + i];
    }
    ASSAY_TRY(imp_attr_s(node, "auto_pad", "NOTSET", &autos));
    if (strcmp(autos, "SAME_UPPER") == 0 || strcmp(autos, "SAME_LOWER") == 0)
        pad_same(&w, size, strcmp(autos, "SAME_UPPER") == 0);
    else if (strcmp(autos, "VALID") == 0)
        memset(w.pad, 0, sizeof w.pad);
    else if (*autos && strcmp(autos, "NOTSET") != 0)
        ASSAY_FAIL(ASSAY_E_FORMAT, "attribute 'auto_pad' is '%s'", autos);
    ASSAY_TRY(imp_attr_i(node, "ceil_mode", 0, &ceil));
    w.ceil = ceil != 0;
    *out = w;
done:
    return status;
}

int imp_window_attrs(const imp_window *w, nn_attr out[4]) {
    int n = 0;
    out[n] = (nn_attr){.name = "stride", .count = 2};
    memcpy(out[n++].i, w->stride, sizeof w->stride);
    out[n] = (nn_attr){.name = "pad", .count = 4};
    memcpy(out[n++].i, w->pad, sizeof w->pad);
    if (w->dilation[0] != 1 || w->dilation[1] != 1) {
        out[n] = (nn_attr){.name = "dilation", .count = 2};
        memcpy(out[n++].i, w->dilation, sizeof w->dilation);
    }
    if (w->ceil)
        out[n++] = (nn_attr){.name = "ceil_mode", .i = {1}, .count = 1};
    return n;
}

assay_status imp_window_open(imp *im, nn_value x, nn_value *out) {
    nn_shape s = nn_graph_shape(imp_graph(im), x);
    *out = x;
    if (s.ndim == 4)
        return ASSAY_OK;
    if (s.ndim != 3)
        return imp_unsupported("windows over %d dimensions", s.ndim - 2);
    const nn_shape image = {4, {s.dim[0], s.dim[1], 1, s.dim[2]}};
    return imp_reshape(im, x, &image, out);
}

assay_status imp_window_close(imp *im, int spatial, nn_value y, nn_value *out) {
    nn_shape s = nn_graph_shape(imp_graph(im), y);
    *out = y;
    if (spatial != 1 || s.ndim != 4)
        return ASSAY_OK;
    const nn_shape line = {3, {s.dim[0], s.dim[1], s.dim[3]}};
    return imp_reshape(im, y, &line, out);
}

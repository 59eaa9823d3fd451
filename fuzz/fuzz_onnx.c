/* ONNX files: parsed, imported, and run if they are small. */
#include "fuzz.h"
#include "nn/graph_inside.h"
#include "nn/onnx/export.h"
#include "nn/onnx/model.h"

#include <string.h>

/* Elements of all values of the graph, with a batch of 2. */
static bool is_small(const nn_graph *g) {
    int64_t total = 0;
    for (size_t i = 0; i < g->n_values && total <= 1 << 18; i++) {
        int64_t n = nn_shape_elements(&g->value[i].shape, 2);
        total += n < 1 << 20 ? n : 1 << 20;
    }
    return total <= 1 << 18 && g->n_nodes <= 256;
}

static void run(assay_model *m) {
    assay_tensor *in[16] = {NULL}, *out[16] = {NULL};
    int n_in = assay_model_input_count(m), n_out = assay_model_output_count(m);
    if (n_in > 16 || n_out > 16 || !is_small(m->import.graph))
        return;
    for (int i = 0; i < n_in; i++) {
        assay_model_value v = assay_model_input(m, i);
        int64_t count = 1;
        if (v.ndim && v.dim[0] < 0)
            v.dim[0] = 2;
        for (int d = 0; d < v.ndim && count <= 1 << 20; d++)
            count *= v.dim[d];
        if (count > 1 << 20 || assay_tensor_create(&in[i], fuzz_ctx(), v.dtype, v.ndim,
                                                   v.dim, ASSAY_ROW_MAJOR) != ASSAY_OK)
            goto done;
        memset(assay_tensor_data(in[i]), 1, (size_t)count * assay_dtype_size(v.dtype));
    }
    if (assay_model_run(m, (const assay_tensor *const *)in, out) == ASSAY_OK)
        for (int i = 0; i < n_out; i++)
            fuzz_touch(assay_tensor_data(out[i]),
                       (size_t)assay_tensor_count(out[i]) *
                           assay_dtype_size(assay_tensor_dtype(out[i])));
done:
    for (int i = 0; i < 16; i++) {
        assay_tensor_unref(in[i]);
        assay_tensor_unref(out[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    assay_model *m;
    if (assay_model_open_memory(&m, fuzz_ctx(), data, n, NULL) != ASSAY_OK)
        return 0;
    run(m);
    assay_model_close(m);
    return 0;
}

/* ---- seeds: graphs of ours, exported ---- */

static nn_value add(nn_graph *g, const char *op, int n, const nn_value *in, int64_t pad) {
    const nn_attr attr = {.name = "pad", .i = {pad}, .count = 1};
    const nn_attr kernel = {.name = "kernel", .i = {2}, .count = 1};
    bool pool = strcmp(op, "max_pool") == 0;
    nn_value out;
    fuzz_must(nn_graph_op(g, op, in, n, pool ? &kernel : &attr, pool || pad, &out));
    return out;
}

static nn_value param(nn_graph *g, const char *name, nn_shape shape) {
    nn_value v;
    fuzz_must(nn_graph_param(g, name, shape, NN_INIT_ONE, true, &v));
    return v;
}

static nn_value images(nn_graph *g, nn_value x) {
    nn_value v = add(g, "conv2d", 2,
                     (nn_value[]){x, param(g, "w", (nn_shape){4, {2, 1, 3, 3}})}, 1);
    nn_value in[5] = {v, param(g, "s", (nn_shape){1, {2}}),
                      param(g, "b", (nn_shape){1, {2}})};
    fuzz_must(nn_graph_buffer(g, "m", (nn_shape){1, {2}}, NN_INIT_ZERO, &in[3]));
    fuzz_must(nn_graph_buffer(g, "v", (nn_shape){1, {2}}, NN_INIT_ONE, &in[4]));
    v = add(g, "batch_norm", 5, in, 0);
    v = add(g, "relu", 1, &v, 0);
    v = add(g, "max_pool", 1, &v, 0);
    v = add(g, "flatten", 1, &v, 0);
    return add(g, "linear", 2, (nn_value[]){v, param(g, "f", (nn_shape){2, {3, 8}})}, 0);
}

static nn_value vectors(nn_graph *g, nn_value x) {
    nn_value v = add(g, "add", 2, (nn_value[]){x, param(g, "c", (nn_shape){1, {4}})}, 0);
    v = add(g, "gelu", 1, &v, 0);
    v = add(g, "softmax", 1, &v, 0);
    return add(g, "mul", 2, (nn_value[]){v, x}, 0);
}

static nn_value tokens(nn_graph *g, nn_value x) {
    return add(g, "attention", 1, &x, 0);
}

bool fuzz_seed(buf *out, int i) {
    static const nn_shape shapes[] = {{4, {0, 1, 4, 4}}, {2, {0, 4}}, {3, {0, 3, 6}}};
    nn_value (*const builders[])(nn_graph *, nn_value) = {images, vectors, tokens};
    static const char *const name = "y";
    nn_graph *g;
    nn_weights w;
    nn_value x, y;
    if (i >= 3)
        return false;
    fuzz_must(nn_graph_create(&g, fuzz_ctx()));
    fuzz_must(nn_graph_input(g, "x", ASSAY_F32, shapes[i], &x));
    y = builders[i](g, x);
    fuzz_must(nn_weights_create(&w, fuzz_ctx(), g, 1));
    const onnx_export_options o = {.outputs = &y, .names = &name, .n_outputs = 1};
    fuzz_must(onnx_export(out, fuzz_ctx(), g, &w, &o));
    nn_weights_destroy(&w, fuzz_ctx());
    nn_graph_destroy(g);
    return true;
}

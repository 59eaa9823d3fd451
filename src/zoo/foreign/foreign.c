/* Which network a file holds, its weights, and it as a model of the public interface. */
#include "zoo/foreign/foreign.h"

#include "base/buf.h"
#include "nn/onnx/model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const foreign_net *const nets[] = {&foreign_mobilenet, &foreign_taef2_encoder,
                                          &foreign_taef2_decoder};
enum { NETS = sizeof nets / sizeof *nets };

static bool has_shape(const st_tensor *t, const int64_t *dim, int ndim) {
    bool same = t->ndim == ndim;
    for (int i = 0; same && i < ndim; i++)
        same = t->dim[i] == dim[i];
    return same;
}

assay_status foreign_find(const foreign_net **out, const st_file *f) {
    for (int i = 0; i < NETS; i++)
        for (size_t k = 0; k < st_count(f); k++) {
            st_tensor t = st_at(f, k);
            if (strcmp(t.name, nets[i]->mark) == 0 &&
                has_shape(&t, nets[i]->mark_shape, 4)) {
                *out = nets[i];
                return ASSAY_OK;
            }
        }
    *out = NULL;
    (void)err_set(ASSAY_E_UNSUPPORTED,
                  "the tensors are of no network that is known here");
    err_help("known are: %s, %s, %s", nets[0]->name, nets[1]->name, nets[2]->name);
    return ASSAY_E_UNSUPPORTED;
}

assay_status foreign_build(nn_graph **out,
                           nn_value *in,
                           nn_value *result,
                           assay_ctx *ctx,
                           const foreign_net *net,
                           const int64_t size[2]) {
    assay_status status = ASSAY_OK;
    const int64_t *side = size ? size : net->size;
    *out = NULL;
    ASSAY_TRY(nn_graph_create(out, ctx));
    ASSAY_TRY(nn_graph_input(*out, net->input, ASSAY_F32,
                             (nn_shape){4, {0, net->channels, side[0], side[1]}}, in));
    *result = *in;
    ASSAY_TRY(net->build(*out, result));
    ASSAY_TRY(nn_graph_name(*out, *result, net->output));
done:
    if (status != ASSAY_OK) {
        nn_graph_destroy(*out);
        *out = NULL;
    }
    return status;
}

/* ---- weights ---- */

static float number_at(const st_tensor *t, size_t i) {
    float v;
    uint16_t half;
    if (t->dtype == ASSAY_F32) {
        memcpy(&v, (const uint8_t *)t->data + i * sizeof v, sizeof v);
        return v;
    }
    memcpy(&half, (const uint8_t *)t->data + i * sizeof half, sizeof half);
    return t->dtype == ASSAY_F16 ? ten_from_f16(half) : ten_from_bf16(half);
}

static assay_status read_one(const st_file *f, const nn_param_info *p, float *out) {
    assay_status status = ASSAY_OK;
    st_tensor t;
    ASSAY_TRY(st_find(f, p->name, &t));
    if (t.dtype != ASSAY_F32 && t.dtype != ASSAY_F16 && t.dtype != ASSAY_BF16)
        ASSAY_FAIL(ASSAY_E_DTYPE, "tensor '%s' is %s, not f32, f16 or bf16", p->name,
                   assay_dtype_name(t.dtype));
    if (!has_shape(&t, p->shape.dim, p->shape.ndim))
        ASSAY_FAIL(ASSAY_E_SHAPE, "tensor '%s' has another shape than the network",
                   p->name);
    for (size_t i = 0; i < p->count; i++) {
        out[i] = number_at(&t, i);
        if (!isfinite(out[i]))
            ASSAY_FAIL(ASSAY_E_NUMERIC, "tensor '%s' holds a number that is not finite",
                       p->name);
    }
done:
    return status;
}

assay_status foreign_read(const st_file *f, const nn_graph *g, nn_weights *w) {
    assay_status status = ASSAY_OK;
    for (size_t i = 0; i < nn_graph_param_count(g); i++) {
        nn_param_info p = nn_graph_param_at(g, i);
        ASSAY_TRY(read_one(f, &p, w->params + p.offset));
    }
done:
    return status;
}

/* ---- as a model ---- */

static assay_status port_make(
    onnx_port **out, assay_ctx *ctx, const nn_graph *g, nn_value v, const char *name) {
    assay_status status = mem_new(ctx, out, 1, sizeof **out);
    if (status != ASSAY_OK)
        return status;
    onnx_port *p = *out;
    *p = (onnx_port){.dtype = nn_graph_dtype(g, v),
                     .shape = nn_graph_shape(g, v),
                     .value = v,
                     .param = -1,
                     .buffer = -1};
    (void)snprintf(p->name, sizeof p->name, "%s", name);
    return ASSAY_OK;
}

/* The size of the first input that the caller holds ready, if it is of images. */
static const int64_t *size_of(const assay_model_options *o, int64_t size[2]) {
    const assay_tensor *t = o && o->n_inputs > 0 && o->inputs ? o->inputs[0] : NULL;
    if (!t || assay_tensor_ndim(t) != 4)
        return NULL;
    size[0] = assay_tensor_dims(t)[2];
    size[1] = assay_tensor_dims(t)[3];
    return size;
}

assay_status assay_model_open_weights(assay_model **out,
                                      assay_ctx *ctx,
                                      const char *path,
                                      const assay_model_options *options) {
    assay_status status = ASSAY_OK;
    st_file *f = NULL;
    const foreign_net *net;
    onnx_import import = {.ctx = ctx, .open = true};
    assay_model_options o;
    nn_value in, result;
    int64_t size[2];
    *out = NULL;
    ASSAY_TRY(model_options_take(&o, options));
    ASSAY_TRY(st_open(&f, ctx, path));
    ASSAY_TRY_AT(foreign_find(&net, f), "%s", path);
    ASSAY_TRY_AT(foreign_build(&import.graph, &in, &result, ctx, net, size_of(&o, size)),
                 "%s", path);
    ASSAY_TRY(nn_weights_create(&import.weights, ctx, import.graph, 0));
    ASSAY_TRY_AT(foreign_read(f, import.graph, &import.weights), "%s", path);
    ASSAY_TRY(port_make(&import.in, ctx, import.graph, in, net->input));
    import.n_in = 1;
    ASSAY_TRY(port_make(&import.out, ctx, import.graph, result, net->output));
    import.n_out = 1;
    ASSAY_TRY(model_make(out, ctx, &import, &o));
done:
    st_close(f);
    onnx_import_free(&import);
    return status;
}

/* Models: opened, looked at, closed. Running them is model_run.c. */
#include "nn/onnx/model.h"

#include "base/options.h"
#include "base/os.h"

#include <string.h>

static const size_t largest_file = (size_t)1 << 36;

/* ---- what callers say, as the importer wants it ---- */

assay_status model_options_take(assay_model_options *out, const assay_model_options *o) {
    assay_status status = ASSAY_OK;
    *out = (assay_model_options)ASSAY_MODEL_OPTIONS_INIT;
    ASSAY_TRY(options_take(out, sizeof *out, o, "assay_model_options"));
    if (out->batch < 0 || out->batch > 1 << 20 || out->n_inputs < 0 ||
        (out->n_inputs && !out->inputs))
        ASSAY_FAIL(ASSAY_E_INVALID, "options of a model that make no sense");
done:
    return status;
}

static assay_status
bind_inputs(assay_ctx *ctx, const assay_model_options *o, onnx_bound **out) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(mem_new(ctx, out, (size_t)o->n_inputs + 1, sizeof **out));
    for (int i = 0; i < o->n_inputs; i++) {
        const assay_tensor *t = o->inputs[i];
        onnx_bound *b = &(*out)[i];
        if (!t) {
            b->name = ""; /* nobody's name */
            continue;
        }
        b->dtype = assay_tensor_dtype(t);
        b->ndim = assay_tensor_ndim(t);
        memcpy(b->dim, assay_tensor_dims(t), (size_t)b->ndim * sizeof *b->dim);
        if (assay_tensor_is_dense(t, ASSAY_ROW_MAJOR))
            b->data = assay_tensor_data(t);
    }
done:
    return status;
}

static assay_status precision_of(const char *name, assay_dtype *out) {
    *out = ASSAY_F32;
    if (!name || strcmp(name, "f32") == 0)
        return ASSAY_OK;
    if (strcmp(name, "bf16") == 0 || (strcmp(name, "auto") == 0 && nn_bf16_pays())) {
        *out = ASSAY_BF16;
        return ASSAY_OK;
    }
    return strcmp(name, "auto") == 0
               ? ASSAY_OK
               : err_set(ASSAY_E_INVALID, "there is no precision '%s'", name);
}

/* ---- life ---- */

/* Copies of the values that decided shapes, to compare later ones with. */
static assay_status keep_bound(assay_model *m, const assay_model_options *o) {
    assay_status status = ASSAY_OK;
    const onnx_import *im = &m->import;
    ASSAY_TRY(mem_new(m->ctx, &m->bound, im->n_in + 1, sizeof *m->bound));
    for (size_t i = 0; i < im->n_in; i++) {
        if (!im->in[i].bound)
            continue;
        const assay_tensor *t = o->inputs[i];
        size_t bytes =
            (size_t)assay_tensor_count(t) * assay_dtype_size(assay_tensor_dtype(t));
        ASSAY_TRY(mem_new(m->ctx, &m->bound[i], bytes + 1, 1));
        memcpy(m->bound[i], assay_tensor_data(t), bytes);
    }
done:
    return status;
}

assay_status model_make(assay_model **out,
                        assay_ctx *ctx,
                        onnx_import *import,
                        const assay_model_options *o) {
    assay_status status = ASSAY_OK;
    assay_model *m = NULL;
    *out = NULL;
    ASSAY_TRY(mem_new(ctx, &m, 1, sizeof *m));
    m->ctx = ctx;
    m->import = *import;
    memset(import, 0, sizeof *import);
    m->batch = o->batch ? o->batch : 64;
    ASSAY_TRY(precision_of(o->precision, &m->precision));
    ASSAY_TRY(
        mem_new(ctx, &m->keep, m->import.n_in + m->import.n_out + 1, sizeof *m->keep));
    ASSAY_TRY(keep_bound(m, o));
    m->chunks = true;
    for (size_t i = 0; i < m->import.n_out; i++)
        m->chunks &= nn_shape_open(&m->import.out[i].shape) && !m->import.out[i].empty;
    *out = m;
    m = NULL;
done:
    assay_model_close(m);
    onnx_import_free(import);
    return status;
}

static assay_status open_bytes(assay_model **out,
                               assay_ctx *ctx,
                               const uint8_t *bytes,
                               size_t n,
                               const char *folder,
                               const char *where,
                               const assay_model_options *given) {
    assay_status status = ASSAY_OK;
    onnx_file *file = NULL;
    onnx_import import = {0};
    onnx_bound *bound = NULL;
    assay_model_options o;
    *out = NULL;
    ASSAY_TRY(model_options_take(&o, given));
    ASSAY_TRY(bind_inputs(ctx, &o, &bound));
    ASSAY_TRY(onnx_parse(&file, ctx, bytes, n, where));
    onnx_options options = {.folder = folder,
                            .open_batch = o.open_batch != 0,
                            .bound = bound,
                            .n_bound = o.n_inputs};
    status = onnx_load(&import, ctx, onnx_file_model(file), &options);
    if (status == ASSAY_E_UNSUPPORTED && o.n_inputs > 0) {
        /* What mixes the batch with other dimensions may do as one of fixed size. */
        options.fix_batch = true;
        status = onnx_load(&import, ctx, onnx_file_model(file), &options);
    }
    ASSAY_TRY_AT(status, "%s", where);
    ASSAY_TRY(model_make(out, ctx, &import, &o));
done:
    onnx_file_destroy(file);
    mem_free(ctx, bound);
    return status;
}

assay_status assay_model_open(assay_model **out,
                              assay_ctx *ctx,
                              const char *path,
                              const assay_model_options *options) {
    assay_status status = ASSAY_OK;
    os_map map = {0};
    char *folder = NULL;
    *out = NULL;
    ASSAY_TRY(mem_strdup(ctx, &folder, path));
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0'; /* "/model.onnx" lies in "/" */
    ASSAY_TRY(os_map_file(&map, path, false));
    if (map.bytes > largest_file)
        ASSAY_FAIL(ASSAY_E_FORMAT, "%s is too large for an ONNX file", path);
    ASSAY_TRY(
        open_bytes(out, ctx, map.data, map.bytes, slash ? folder : ".", path, options));
done:
    os_unmap(&map);
    mem_free(ctx, folder);
    return status;
}

assay_status assay_model_open_memory(assay_model **out,
                                     assay_ctx *ctx,
                                     const void *bytes,
                                     size_t n,
                                     const assay_model_options *options) {
    return open_bytes(out, ctx, bytes, n, NULL, "model", options);
}

void assay_model_close(assay_model *m) {
    if (!m)
        return;
    nn_exec_destroy(m->exec);
    for (size_t i = 0; m->bound && i < m->import.n_in; i++)
        mem_free(m->ctx, m->bound[i]);
    mem_free(m->ctx, m->bound);
    mem_free(m->ctx, m->keep);
    onnx_import_free(&m->import);
    mem_free(m->ctx, m);
}

/* ---- what it has ---- */

static assay_model_value
describe(const char *name, assay_dtype dtype, const nn_shape *shape, bool empty) {
    assay_model_value v = {.name = name, .dtype = dtype, .ndim = shape->ndim};
    for (int i = 0; i < shape->ndim; i++)
        v.dim[i] = i == 0 && shape->dim[0] == 0 && !empty ? -1 : shape->dim[i];
    return v;
}

int assay_model_input_count(const assay_model *m) {
    return (int)m->import.n_in;
}

int assay_model_output_count(const assay_model *m) {
    return (int)m->import.n_out;
}

static assay_model_value port(const onnx_port *list, size_t n, int i) {
    static const assay_model_value none = {.name = ""};
    if (i < 0 || (size_t)i >= n)
        return none;
    return describe(list[i].name, list[i].dtype, &list[i].shape, list[i].empty);
}

assay_model_value assay_model_input(const assay_model *m, int i) {
    return port(m->import.in, m->import.n_in, i);
}

assay_model_value assay_model_output(const assay_model *m, int i) {
    return port(m->import.out, m->import.n_out, i);
}

int assay_model_param_count(const assay_model *m) {
    return (int)nn_graph_param_count(m->import.graph);
}

assay_model_value assay_model_param(const assay_model *m, int i) {
    static const assay_model_value none = {.name = ""};
    if (i < 0 || i >= assay_model_param_count(m))
        return none;
    nn_param_info p = nn_graph_param_at(m->import.graph, (size_t)i);
    return describe(p.name, ASSAY_F32, &p.shape, false);
}

float *assay_model_param_data(assay_model *m, int i) {
    if (i < 0 || i >= assay_model_param_count(m))
        return NULL;
    return m->import.weights.params +
           nn_graph_param_at(m->import.graph, (size_t)i).offset;
}

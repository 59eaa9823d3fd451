/* Tensors of a file, one after the other, each looked up among the model's. */
#include "train/pretrained.h"

#include "base/hash.h"
#include "base/os.h"
#include "nn/onnx/array.h"
#include "nn/state_dict.h"

#include <stdio.h>
#include <string.h>

enum { SAID_BYTES = 400 };

assay_status pretrained_hash(char out[65], const char *path) {
    os_map map = {0};
    hash_sha256 h;
    uint8_t digest[32];
    assay_status status = os_map_file(&map, path, false);
    if (status != ASSAY_OK)
        return status;
    hash_sha256_init(&h);
    hash_sha256_add(&h, map.data, map.bytes);
    hash_sha256_end(&h, digest);
    hash_hex(out, digest);
    os_unmap(&map);
    return ASSAY_OK;
}

typedef struct taking {
    assay_ctx *ctx;
    const nn_graph *graph;
    nn_weights *weights;
    uint8_t *taken; /* [parameters, then buffers] 1: filled, 2: of another shape */
    size_t count;   /* filled */
} taking;

enum { TAKEN = 1, OTHER_SHAPE };

static size_t pieces(const nn_graph *g) {
    return nn_graph_param_count(g) + nn_graph_buffer_count(g);
}

static nn_param_info piece_at(const taking *t, size_t i, float **data) {
    size_t params = nn_graph_param_count(t->graph);
    bool param = i < params;
    nn_param_info p =
        param ? nn_graph_param_at(t->graph, i) : nn_graph_buffer_at(t->graph, i - params);
    *data = (param ? t->weights->params : t->weights->buffers) + p.offset;
    return p;
}

static assay_status take(taking *t, const st_tensor *tensor) {
    for (size_t i = 0; i < pieces(t->graph); i++) {
        float *data;
        nn_param_info p = piece_at(t, i, &data);
        if (strcmp(p.name, tensor->name) != 0)
            continue;
        assay_status status = state_dict_fill(tensor, &p, data);
        if (status == ASSAY_E_SHAPE) {
            t->taken[i] = OTHER_SHAPE;
            return ASSAY_OK;
        }
        if (status == ASSAY_OK) {
            t->count += t->taken[i] != TAKEN;
            t->taken[i] = TAKEN;
        }
        return status;
    }
    return ASSAY_OK;
}

static assay_status take_safetensors(taking *t, const char *path, size_t *n) {
    assay_status status = ASSAY_OK;
    st_file *f = NULL;
    ASSAY_TRY(st_open(&f, t->ctx, path));
    *n = st_count(f);
    for (size_t i = 0; i < *n; i++) {
        const st_tensor tensor = st_at(f, i);
        ASSAY_TRY(take(t, &tensor));
    }
done:
    st_close(f);
    return status;
}

/* An initializer in the form of the other kind of file. */
static assay_status take_initializer(taking *t, const onnx_tensor *init) {
    assay_status status = ASSAY_OK;
    onnx_array a = {0};
    st_tensor tensor = {.name = init->name};
    ASSAY_TRY(onnx_array_head(&a, init));
    if (a.ndim > (int)(sizeof tensor.dim / sizeof *tensor.dim))
        return ASSAY_OK; /* no parameter has so many */
    ASSAY_TRY(onnx_array_read(&a, t->ctx, init, NULL));
    tensor.dtype = a.dtype;
    tensor.ndim = a.ndim;
    for (int i = 0; i < a.ndim; i++)
        tensor.dim[i] = a.dim[i];
    tensor.data = a.data;
    tensor.bytes = (size_t)a.count * assay_dtype_size(a.dtype);
    ASSAY_TRY(take(t, &tensor));
done:
    onnx_array_free(&a, t->ctx);
    return status;
}

static bool is_name(const taking *t, const char *name) {
    for (size_t i = 0; i < pieces(t->graph); i++) {
        float *data;
        if (strcmp(piece_at(t, i, &data).name, name) == 0)
            return true;
    }
    return false;
}

static assay_status take_onnx(taking *t, const char *path, size_t *n) {
    assay_status status = ASSAY_OK;
    os_map map = {0};
    onnx_file *file = NULL;
    ASSAY_TRY(os_map_file(&map, path, false));
    ASSAY_TRY(onnx_parse(&file, t->ctx, map.data, map.bytes, path));
    const onnx_graph *g = &onnx_file_model(file)->graph;
    *n = g->n_init;
    for (size_t i = 0; i < g->n_init; i++)
        if (is_name(t, g->init[i].name))
            ASSAY_TRY(take_initializer(t, &g->init[i]));
done:
    onnx_file_destroy(file);
    os_unmap(&map);
    return status;
}

/* Names of what was left as it began; whether there are any. */
static bool listed(const taking *t, uint8_t why, char out[SAID_BYTES]) {
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < pieces(t->graph) && used < SAID_BYTES; i++) {
        float *data;
        if (t->taken[i] == why)
            used += (size_t)snprintf(out + used, SAID_BYTES - used, "%s%s",
                                     used ? ", " : "", piece_at(t, i, &data).name);
    }
    return used > 0;
}

static void tell(const taking *t, const char *path) {
    char names[SAID_BYTES];
    if (listed(t, OTHER_SHAPE, names))
        log_line(t->ctx, ASSAY_LOG_WARN, "start anew, their shape in %s differs: %s",
                 path, names);
    if (listed(t, 0, names))
        log_line(t->ctx, ASSAY_LOG_WARN, "start anew, not in %s: %s", path, names);
}

assay_status
pretrained_take(assay_ctx *ctx, const char *path, const nn_graph *g, nn_weights *w) {
    assay_status status = ASSAY_OK;
    taking t = {.ctx = ctx, .graph = g, .weights = w};
    size_t n = strlen(path), tensors = 0;
    bool onnx = n > 5 && strcmp(path + n - 5, ".onnx") == 0;
    ASSAY_TRY(mem_new(ctx, &t.taken, pieces(g) + 1, 1));
    ASSAY_TRY_AT(onnx ? take_onnx(&t, path, &tensors)
                      : take_safetensors(&t, path, &tensors),
                 "%s", path);
    if (t.count == 0) {
        float *data;
        (void)err_set(ASSAY_E_INVALID, "none of %zu tensors is one of the model's",
                      tensors);
        err_where("%s", path);
        if (pieces(g))
            err_help("the model's are called %s and the like",
                     piece_at(&t, 0, &data).name);
        status = ASSAY_E_INVALID;
        goto done;
    }
    tell(&t, path);
done:
    mem_free(ctx, t.taken);
    return status;
}

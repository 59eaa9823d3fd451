/* .safetensors: u64 header length, a JSON object, then the tensors' bytes back to back.
 *
 * Read strictly: the tensors must tile the data region, without holes or overlaps, as the
 * format's own reader demands; nothing is left of the file that no tensor explains. */
#include "file/safetensors.h"

#include "base/le.h"
#include "file/atomic.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The limit of the format's own reader. */
#define ST_HEADER_LIMIT 100000000u
enum { ST_ALIGN = 8, ST_MAX_DIMS = 8 };

struct st_file {
    assay_ctx *ctx;
    char *path;
    os_map map;
    json_doc *header;
    const json_val *metadata;
    st_tensor *tensor;
    size_t count;
};

/* In the order of assay_dtype. */
static const char *const type_names[DTYPE_COUNT] = {"F32", "F64", "BF16", "F16", "I8",
                                                    "U8",  "I16", "U16",  "I32", "U32",
                                                    "I64", "U64", "BOOL"};

static bool find_type(const char *name, assay_dtype *out) {
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (strcmp(type_names[i], name) == 0) {
            *out = (assay_dtype)i;
            return true;
        }
    return false;
}

typedef struct st_span {
    uint64_t begin, end;
    size_t tensor;
} st_span;

static int by_begin(const void *a, const void *b) {
    const st_span *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end); /* empty tensors first */
}

/* A whole number of at least 0; integers beyond 2^63 never fit a file. */
static bool get_size(const json_val *v, int64_t *out) {
    *out = json_get_int(v, -1);
    return *out >= 0;
}

static assay_status read_tensor(st_tensor *t, st_span *span, const json_val *v) {
    const char *type = json_get_str(json_get(v, "dtype"), NULL);
    const json_val *shape = json_get(v, "shape"), *where = json_get(v, "data_offsets");
    int64_t begin, end, count;
    if (!json_is_obj(v) || json_len(v) != 3 || !type || !json_is_arr(shape) ||
        !json_is_arr(where) || json_len(where) != 2)
        return err_set(ASSAY_E_FORMAT, "an entry isn't dtype, shape and data_offsets");
    if (!find_type(type, &t->dtype))
        return err_set(ASSAY_E_DTYPE, "elements of type '%s' aren't read", type);
    if (json_len(shape) > ST_MAX_DIMS)
        return err_set(ASSAY_E_UNSUPPORTED, "%zu dimensions, at most %d are read",
                       json_len(shape), (int)ST_MAX_DIMS);
    t->ndim = (int)json_len(shape);
    for (int i = 0; i < t->ndim; i++)
        if (!get_size(json_at(shape, (size_t)i), &t->dim[i]))
            return err_set(ASSAY_E_FORMAT, "dimension %d isn't a size", i);
    if (ten_measure(&count, &t->bytes, t->dtype, t->ndim, t->dim) != ASSAY_OK)
        return err_set(ASSAY_E_FORMAT, "the shape has too many elements");
    if (!get_size(json_at(where, 0), &begin) || !get_size(json_at(where, 1), &end) ||
        end < begin)
        return err_set(ASSAY_E_FORMAT, "data_offsets aren't a range");
    if ((uint64_t)(end - begin) != t->bytes)
        return err_set(ASSAY_E_FORMAT,
                       "the shape needs %zu bytes, data_offsets give %" PRId64, t->bytes,
                       end - begin);
    span->begin = (uint64_t)begin;
    span->end = (uint64_t)end;
    return ASSAY_OK;
}

static assay_status read_metadata(st_file *f, const json_val *v) {
    const json_val *value;
    if (!json_is_obj(v))
        return err_set(ASSAY_E_FORMAT, "__metadata__ isn't an object");
    for (size_t i = 0; i < json_len(v); i++) {
        const char *key = json_key_at(v, i, &value);
        if (!json_get_str(value, NULL))
            return err_set(ASSAY_E_FORMAT, "__metadata__ '%s' isn't a string", key);
    }
    f->metadata = v;
    return ASSAY_OK;
}

/* The tensors must tile [0, total). */
static assay_status check_tiling(const st_file *f, st_span *span, uint64_t total) {
    uint64_t at = 0;
    if (f->count > 1)
        qsort(span, f->count, sizeof *span, by_begin);
    for (size_t i = 0; i < f->count; i++) {
        if (span[i].begin != at) {
            assay_status status =
                err_set(ASSAY_E_FORMAT, "%s byte %" PRIu64 " of the data",
                        span[i].begin < at ? "tensors overlap at" : "no tensor explains",
                        span[i].begin < at ? span[i].begin : at);
            err_where("tensor '%s'", f->tensor[span[i].tensor].name);
            return status;
        }
        at = span[i].end;
    }
    if (at != total)
        return err_set(ASSAY_E_FORMAT,
                       "the tensors need %" PRIu64
                       " bytes of data; the file has %" PRIu64,
                       at, total);
    return ASSAY_OK;
}

static assay_status read_header(st_file *f, const uint8_t *p, size_t n) {
    assay_status status = ASSAY_OK;
    st_span *span = NULL;
    if (n < 8)
        ASSAY_FAIL(ASSAY_E_FORMAT, "%zu bytes are too few for a .safetensors file", n);
    uint64_t header = le64_get(p);
    if (header > ST_HEADER_LIMIT || header > n - 8)
        ASSAY_FAIL(ASSAY_E_FORMAT,
                   "the header claims %" PRIu64 " bytes; the file has %zu", header,
                   n - 8);
    const uint8_t *data = p + 8 + header;
    if (header == 0 || p[8] != '{')
        ASSAY_FAIL(ASSAY_E_FORMAT, "the header isn't a JSON object");
    ASSAY_TRY_AT(json_parse(&f->header, f->ctx, (const char *)p + 8, (size_t)header),
                 "header");
    const json_val *root = json_root(f->header), *value;
    ASSAY_TRY(mem_new(f->ctx, &f->tensor, json_len(root) + 1, sizeof *f->tensor));
    ASSAY_TRY(mem_new(f->ctx, &span, json_len(root) + 1, sizeof *span));
    for (size_t i = 0; i < json_len(root); i++) {
        const char *name = json_key_at(root, i, &value);
        if (strcmp(name, "__metadata__") == 0) {
            ASSAY_TRY(read_metadata(f, value));
            continue;
        }
        st_tensor *t = &f->tensor[f->count];
        t->name = name;
        span[f->count].tensor = f->count;
        ASSAY_TRY_AT(read_tensor(t, &span[f->count], value), "tensor '%s'", name);
        f->count++;
    }
    ASSAY_TRY(check_tiling(f, span, n - 8 - header));
    for (size_t i = 0; i < f->count; i++)
        f->tensor[span[i].tensor].data = data + span[i].begin;
done:
    mem_free(f->ctx, span);
    return status;
}

static assay_status st_new(st_file **out, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    st_file *f = NULL;
    *out = NULL;
    ASSAY_TRY(mem_new(ctx, &f, 1, sizeof *f));
    f->ctx = ctx;
    f->map.fd = -1;
    ASSAY_TRY(mem_strdup(ctx, &f->path, path));
    *out = f;
    f = NULL;
done:
    st_close(f);
    return status;
}

assay_status st_open(st_file **out, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    st_file *f = NULL;
    *out = NULL;
    ASSAY_TRY(st_new(&f, ctx, path));
    ASSAY_TRY(os_map_file(&f->map, path, false));
    ASSAY_TRY_AT(read_header(f, f->map.data, f->map.bytes), "%s", path);
    *out = f;
    f = NULL;
done:
    st_close(f);
    return status;
}

assay_status st_open_memory(
    st_file **out, assay_ctx *ctx, const void *bytes, size_t n, const char *name) {
    assay_status status = ASSAY_OK;
    st_file *f = NULL;
    *out = NULL;
    ASSAY_TRY(st_new(&f, ctx, name));
    ASSAY_TRY_AT(read_header(f, bytes, n), "%s", name);
    *out = f;
    f = NULL;
done:
    st_close(f);
    return status;
}

void st_close(st_file *f) {
    if (!f)
        return;
    json_doc_destroy(f->header);
    os_unmap(&f->map);
    mem_free(f->ctx, f->tensor);
    mem_free(f->ctx, f->path);
    mem_free(f->ctx, f);
}

size_t st_count(const st_file *f) {
    return f->count;
}

st_tensor st_at(const st_file *f, size_t i) {
    return f->tensor[i];
}

assay_status st_find(const st_file *f, const char *name, st_tensor *out) {
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->tensor[i].name, name) == 0) {
            *out = f->tensor[i];
            return ASSAY_OK;
        }
    *out = (st_tensor){0};
    assay_status status = err_set(ASSAY_E_NOTFOUND, "there is no tensor '%s'", name);
    err_where("%s", f->path);
    return status;
}

const char *st_metadata(const st_file *f, const char *key) {
    return json_get_str(json_get(f->metadata, key), NULL);
}

/* ---- writing ---- */

static assay_status write_header(buf *b,
                                 const st_tensor *tensors,
                                 size_t n,
                                 const st_pair *metadata,
                                 size_t n_metadata) {
    static const char zeros[8];
    uint64_t at = 0;
    buf_add(b, zeros, 8);
    json_out j = json_out_make(b, 0);
    json_obj(&j);
    if (n_metadata > 0) {
        json_key(&j, "__metadata__");
        json_obj(&j);
        for (size_t i = 0; i < n_metadata; i++)
            json_kstr(&j, metadata[i].key, metadata[i].value);
        json_obj_end(&j);
    }
    for (size_t i = 0; i < n; i++) {
        const st_tensor *t = &tensors[i];
        uint64_t bytes = assay_dtype_size(t->dtype);
        for (int d = 0; d < t->ndim; d++)
            bytes *= (uint64_t)t->dim[d];
        if (t->ndim > ST_MAX_DIMS || bytes != t->bytes) {
            assay_status status =
                err_set(ASSAY_E_SHAPE, "the shape needs %" PRIu64 " bytes, has %zu",
                        bytes, t->bytes);
            err_where("tensor '%s'", t->name);
            return status;
        }
        json_key(&j, t->name);
        json_obj(&j);
        json_kstr(&j, "dtype", type_names[t->dtype]);
        json_key(&j, "shape");
        json_arr(&j);
        for (int d = 0; d < t->ndim; d++)
            json_int(&j, t->dim[d]);
        json_arr_end(&j);
        json_key(&j, "data_offsets");
        json_arr(&j);
        json_u64(&j, at);
        json_u64(&j, at + bytes);
        json_arr_end(&j);
        json_obj_end(&j);
        at += bytes;
    }
    json_obj_end(&j);
    while (b->len % ST_ALIGN != 0 && !b->failed)
        buf_add(b, " ", 1);
    assay_status status = buf_check(b);
    if (status == ASSAY_OK)
        le64_put((uint8_t *)b->data, b->len - 8);
    return status;
}

assay_status st_put(assay_ctx *ctx,
                    const char *path,
                    const st_tensor *tensors,
                    size_t n,
                    const st_pair *metadata,
                    size_t n_metadata) {
    assay_status status = ASSAY_OK;
    atomic_file f = {.fd = -1};
    buf header = buf_make(ctx);
    ASSAY_TRY_AT(write_header(&header, tensors, n, metadata, n_metadata), "%s", path);
    ASSAY_TRY(atomic_open(&f, ctx, path));
    ASSAY_TRY(atomic_write(&f, header.data, header.len));
    for (size_t i = 0; i < n; i++)
        ASSAY_TRY(atomic_write(&f, tensors[i].data, tensors[i].bytes));
    ASSAY_TRY(atomic_commit(&f));
done:
    atomic_abandon(&f);
    buf_free(&header);
    return status;
}

/* Values of tensors: raw bytes, fields by type, or a piece of a file beside the model. */
#include "nn/onnx/array.h"

#include "base/os.h"

#include <stdio.h>
#include <string.h>

assay_status onnx_array_head(onnx_array *out, const onnx_tensor *t) {
    assay_status status = ASSAY_OK;
    size_t bytes;
    memset(out, 0, sizeof *out);
    ASSAY_TRY(onnx_dtype(&out->dtype, t->type));
    if (t->ndim > ASSAY_MAX_DIMS)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "%zu dimensions; up to %d are handled", t->ndim,
                   ASSAY_MAX_DIMS);
    out->ndim = (int)t->ndim;
    for (int i = 0; i < out->ndim; i++)
        out->dim[i] = t->dim[i];
    status = ten_measure(&out->count, &bytes, out->dtype, out->ndim, out->dim);
    if (status != ASSAY_OK)
        ASSAY_FAIL(ASSAY_E_FORMAT, "sizes that make no sense");
    if (t->segmented)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "values in segments are not handled");
done:
    return status;
}

/* ---- external data ---- */

/* Whether `path` stays below the folder it is relative to. */
static bool path_stays(const char *path) {
    if (*path == '\0' || *path == '/' || strchr(path, '\\'))
        return false;
    for (const char *part = path; part; part = strchr(part, '/')) {
        part += *part == '/';
        size_t n = strcspn(part, "/");
        if (n == 2 && part[0] == '.' && part[1] == '.')
            return false;
    }
    return true;
}

/* A number as external data states it; `fallback` for NULL. */
static assay_status
read_number(const char *text, const char *what, uint64_t fallback, uint64_t *out) {
    *out = fallback;
    if (!text)
        return ASSAY_OK;
    *out = 0;
    for (const char *p = text; *p || p == text; p++) {
        if (*p < '0' || *p > '9' || *out > (UINT64_MAX - 9) / 10)
            return err_set(ASSAY_E_FORMAT, "external data with the %s '%s'", what, text);
        *out = *out * 10 + (uint64_t)(*p - '0');
    }
    return ASSAY_OK;
}

/* Maps the file; `bytes` of it begin at *offset. */
static assay_status map_external(
    os_map *map, size_t *offset, size_t bytes, const onnx_tensor *t, const char *folder) {
    assay_status status = ASSAY_OK;
    uint64_t from, length;
    char path[4096];
    const char *location = t->location ? t->location : "";
    if (!folder)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "values in another file, '%s'", location);
    if (!path_stays(location))
        ASSAY_FAIL(ASSAY_E_FORMAT,
                   "external data at '%s', which is not below the model's folder",
                   location);
    int n = snprintf(path, sizeof path, "%s/%s", folder, location);
    if (n < 0 || (size_t)n >= sizeof path)
        ASSAY_FAIL(ASSAY_E_FORMAT, "the path of external data is too long");
    ASSAY_TRY(read_number(t->offset, "offset", 0, &from));
    ASSAY_TRY(read_number(t->length, "length", bytes, &length));
    ASSAY_TRY(os_map_file(map, path, false));
    if (length != bytes || from > map->bytes || bytes > map->bytes - from)
        ASSAY_FAIL(ASSAY_E_FORMAT,
                   "external data of %llu bytes at %llu of '%s', which has %zu; needed "
                   "are %zu",
                   (unsigned long long)length, (unsigned long long)from, location,
                   map->bytes, bytes);
    *offset = (size_t)from;
done:
    return status;
}

/* ---- values in fields by type ---- */

static assay_status need_values(size_t has, int64_t wants) {
    return has == (size_t)wants
               ? ASSAY_OK
               : err_set(ASSAY_E_FORMAT, "%zu values where the sizes say %lld", has,
                         (long long)wants);
}

/* Narrow integers, and floats of 16 bits, are kept one per 32-bit number. */
static assay_status copy_narrow(onnx_array *a, const onnx_tensor *t) {
    assay_status status = need_values(t->n_ints, a->count);
    if (status != ASSAY_OK)
        return status;
    size_t size = assay_dtype_size(a->dtype);
    for (int64_t i = 0; i < a->count; i++) {
        uint32_t v = (uint32_t)t->ints[i];
        if (a->dtype == ASSAY_BOOL)
            v = v != 0;
        for (size_t k = 0; k < size; k++)
            ((uint8_t *)a->data)[(size_t)i * size + k] = (uint8_t)(v >> 8 * k);
    }
    return ASSAY_OK;
}

static assay_status copy_fields(onnx_array *a, size_t bytes, const onnx_tensor *t) {
    assay_status status = ASSAY_OK;
    const void *from = NULL;
    switch (a->dtype) {
    case ASSAY_F32:
        status = need_values(t->n_floats, a->count);
        from = t->floats;
        break;
    case ASSAY_F64:
        status = need_values(t->n_doubles, a->count);
        from = t->doubles;
        break;
    case ASSAY_I64:
        status = need_values(t->n_longs, a->count);
        from = t->longs;
        break;
    case ASSAY_U64:
        status = need_values(t->n_ulongs, a->count);
        from = t->ulongs;
        break;
    case ASSAY_U32:
        status = need_values(t->n_ulongs, a->count);
        for (int64_t i = 0; status == ASSAY_OK && i < a->count; i++)
            ((uint32_t *)a->data)[i] = (uint32_t)t->ulongs[i];
        return status;
    default:
        return copy_narrow(a, t);
    }
    if (status == ASSAY_OK && bytes)
        memcpy(a->data, from, bytes);
    return status;
}

static void make_bools(onnx_array *a) {
    uint8_t *b = a->data;
    for (int64_t i = 0; a->dtype == ASSAY_BOOL && i < a->count; i++)
        b[i] = b[i] != 0;
}

/* Whether all values are there; of external data also where, in a map of the file. */
static assay_status find_values(onnx_array *out,
                                const onnx_tensor *t,
                                const char *folder,
                                os_map *map,
                                size_t *offset) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(onnx_array_head(out, t));
    size_t bytes = (size_t)out->count * assay_dtype_size(out->dtype);
    size_t most = t->n_floats;
    const size_t others[] = {t->n_ints, t->n_longs, t->n_doubles, t->n_ulongs};
    for (int i = 0; i < 4; i++)
        most = others[i] > most ? others[i] : most;
    if (t->external)
        ASSAY_TRY(map_external(map, offset, bytes, t, folder));
    else if (t->raw && t->raw_bytes != bytes)
        ASSAY_FAIL(ASSAY_E_FORMAT, "%zu bytes of values where the sizes say %zu",
                   t->raw_bytes, bytes);
    else if (!t->raw && (size_t)out->count > most)
        ASSAY_TRY(need_values(most, out->count));
done:
    return status;
}

assay_status onnx_array_check(onnx_array *out, const onnx_tensor *t, const char *folder) {
    os_map map = {0};
    size_t offset = 0;
    assay_status status = find_values(out, t, folder, &map, &offset);
    os_unmap(&map);
    return status;
}

assay_status onnx_array_read(onnx_array *out,
                             assay_ctx *ctx,
                             const onnx_tensor *t,
                             const char *folder) {
    assay_status status = ASSAY_OK;
    os_map map = {0};
    size_t offset = 0;
    ASSAY_TRY(find_values(out, t, folder, &map, &offset));
    size_t bytes = (size_t)out->count * assay_dtype_size(out->dtype);
    const uint8_t *from = t->external ? map.data : t->raw;
    ASSAY_TRY(mem_new(ctx, &out->data, bytes + 1, 1));
    if (!t->external && !t->raw)
        ASSAY_TRY(copy_fields(out, bytes, t));
    else if (bytes)
        memcpy(out->data, from + offset, bytes);
    make_bools(out);
done:
    os_unmap(&map);
    if (status != ASSAY_OK)
        onnx_array_free(out, ctx);
    return status;
}

void onnx_array_free(onnx_array *a, assay_ctx *ctx) {
    mem_free(ctx, a->data);
    a->data = NULL;
}

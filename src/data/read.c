/* The public reader: one sample at a time, decoded. */
#include <assay/read.h>

#include "data/image_cell.h"
#include "data/opened.h"
#include "tensor/tensor.h"

#include <string.h>

struct assay_reader {
    opened o;
};

assay_status assay_reader_open(assay_reader **out, assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    assay_reader *r = NULL;
    *out = NULL;
    ASSAY_TRY(mem_new(ctx, &r, 1, sizeof *r));
    r->o.ctx = ctx;
    ASSAY_TRY(opened_open(&r->o, ctx, path));
    *out = r;
    r = NULL;
done:
    assay_reader_close(r);
    return status;
}

void assay_reader_close(assay_reader *r) {
    if (r == NULL)
        return;
    assay_ctx *ctx = r->o.ctx;
    opened_close(&r->o);
    mem_free(ctx, r);
}

uint64_t assay_reader_samples(const assay_reader *r) {
    return beton_samples(r->o.file);
}

uint64_t assay_reader_page_size(const assay_reader *r) {
    return beton_page_size(r->o.file);
}

int assay_reader_fields(const assay_reader *r) {
    return r->o.fields;
}

assay_field assay_reader_field(const assay_reader *r, int field) {
    const field_type *t = &r->o.type[field];
    return (assay_field){.type = (assay_field_type)r->o.kind[field]->type,
                         .name = beton_field_at(r->o.file, field)->name,
                         .typestr = t->typestr,
                         .ndim = t->ndim,
                         .dim = t->dim};
}

/* The stored bytes, with all bounds checked. */
static assay_status
find(const assay_reader *r, uint64_t sample, int field, field_value *v) {
    const opened *o = &r->o;
    uint64_t samples = beton_samples(o->file);
    if (field < 0 || field >= o->fields)
        return err_set(ASSAY_E_NOTFOUND, "no field %d, there are %d", field, o->fields);
    if (sample >= samples) {
        err_set(ASSAY_E_NOTFOUND, "no sample %llu", (unsigned long long)sample);
        err_where("%s", beton_path(o->file));
        err_help("the file holds %llu, counted from 0", (unsigned long long)samples);
        return ASSAY_E_NOTFOUND;
    }
    assay_status status =
        o->kind[field]->read(v, o->file, &o->type[field], sample, field);
    bool text = status == ASSAY_OK && o->kind[field]->type == BETON_JSON;
    if (text && v->bytes > 0 && v->data[v->bytes - 1] == '\0')
        v->bytes--;
    return status;
}

static assay_status
get_image(assay_tensor **out, const assay_reader *r, uint64_t sample, int field) {
    assay_status status = ASSAY_OK;
    image im = image_make(r->o.ctx);
    ASSAY_TRY(image_cell_decode(&im, r->o.file, sample, field));
    int64_t dim[3] = {im.height, im.width, 3};
    ASSAY_TRY(assay_tensor_create(out, r->o.ctx, ASSAY_U8, 3, dim, ASSAY_ROW_MAJOR));
    memcpy(assay_tensor_data(*out), im.rgb, (size_t)im.height * (size_t)im.width * 3);
done:
    image_free(&im);
    return status;
}

static void swap_bytes(uint8_t *data, size_t bytes, size_t item) {
    for (size_t i = 0; i < bytes; i += item)
        for (size_t k = 0; k < item / 2; k++) {
            uint8_t was = data[i + k];
            data[i + k] = data[i + item - 1 - k];
            data[i + item - 1 - k] = was;
        }
}

/* The element type: by name, whatever the byte order; else bytes in one dimension more.
 */
static assay_status
shape_of(const field_type *t, assay_dtype *dtype, int *ndim, int64_t *dim) {
    char here[sizeof t->typestr];
    memcpy(here, t->typestr, sizeof here);
    if (here[0] == '>' || here[0] == '=')
        here[0] = '<';
    bool known = dtype_from_typestr(dtype, here) == ASSAY_OK;
    *ndim = t->ndim + !known;
    if (*ndim > ASSAY_MAX_DIMS)
        return err_set(ASSAY_E_SHAPE, "an array of %d dimensions, at most %d are read",
                       *ndim, ASSAY_MAX_DIMS);
    memcpy(dim, t->dim, (size_t)t->ndim * sizeof *dim);
    if (!known) {
        *dtype = ASSAY_U8;
        dim[t->ndim] = (int64_t)t->item;
    }
    return ASSAY_OK;
}

static assay_status
get_array(assay_tensor **out, const assay_reader *r, const field_type *t, field_value v) {
    assay_status status = ASSAY_OK;
    assay_dtype dtype;
    int ndim;
    int64_t dim[ASSAY_MAX_DIMS];
    ASSAY_TRY(shape_of(t, &dtype, &ndim, dim));
    ASSAY_TRY(assay_tensor_create(out, r->o.ctx, dtype, ndim, dim, ASSAY_ROW_MAJOR));
    memcpy(assay_tensor_data(*out), v.data, (size_t)v.bytes);
    if (t->typestr[0] == '>' && assay_dtype_size(dtype) > 1)
        swap_bytes(assay_tensor_data(*out), (size_t)v.bytes, t->item);
done:
    return status;
}

/* Bytes, or a number without dimensions. */
static assay_status get_plain(assay_tensor **out,
                              const assay_reader *r,
                              assay_dtype dtype,
                              int ndim,
                              field_value v) {
    assay_status status = ASSAY_OK;
    int64_t dim[1] = {(int64_t)v.bytes};
    ASSAY_TRY(assay_tensor_create(out, r->o.ctx, dtype, ndim, dim, ASSAY_ROW_MAJOR));
    if (v.bytes > 0)
        memcpy(assay_tensor_data(*out), v.data, (size_t)v.bytes);
done:
    return status;
}

assay_status
assay_reader_get(assay_tensor **out, const assay_reader *r, uint64_t sample, int field) {
    assay_status status = ASSAY_OK;
    field_value v;
    *out = NULL;
    ASSAY_TRY(find(r, sample, field, &v));
    switch (r->o.kind[field]->type) {
    case BETON_IMAGE:
        ASSAY_TRY(get_image(out, r, sample, field));
        break;
    case BETON_INT:
        ASSAY_TRY(get_plain(out, r, ASSAY_I64, 0, v));
        break;
    case BETON_FLOAT:
        ASSAY_TRY(get_plain(out, r, ASSAY_F64, 0, v));
        break;
    case BETON_NDARRAY:
    case BETON_TENSOR:
        ASSAY_TRY(get_array(out, r, &r->o.type[field], v));
        break;
    case BETON_BYTES:
    case BETON_JSON:
        ASSAY_TRY(get_plain(out, r, ASSAY_U8, 1, v));
        break;
    default:
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "custom fields are not decoded");
    }
done:
    if (status != ASSAY_OK && *out != NULL) {
        assay_tensor_unref(*out);
        *out = NULL;
    }
    return status;
}

assay_status assay_reader_stored(
    const assay_reader *r, uint64_t sample, int field, const void **data, size_t *bytes) {
    field_value v;
    assay_status status = find(r, sample, field, &v);
    *data = status == ASSAY_OK ? v.data : NULL;
    *bytes = status == ASSAY_OK ? (size_t)v.bytes : 0;
    return status;
}

/* A run of bytes of any length: u64 pointer, u64 size. The cell's own size holds. */
#include "data/field.h"

#include "base/le.h"

#include <string.h>

static assay_status plan(field_type *out, assay_ctx *ctx, const beton_field *f) {
    (void)ctx;
    (void)f;
    *out = field_plain_type("|u1", 1);
    out->ndim = 1;
    out->dim[0] = -1;
    out->bytes = 0;
    return ASSAY_OK;
}

static assay_status read(field_value *out,
                         const beton_file *f,
                         const field_type *t,
                         uint64_t sample,
                         int field) {
    const uint8_t *cell = beton_cell(f, sample, field);
    (void)t;
    *out = (field_value){.data = (const uint8_t *)""};
    return beton_payload(f, sample, field, le64_get(cell), 0, &out->data, &out->bytes);
}

static assay_status dump(buf *out,
                         assay_ctx *ctx,
                         const field_type *t,
                         const field_value *v,
                         const char *ext) {
    field_type whole = *t;
    (void)ctx;
    whole.dim[0] = (int64_t)v->bytes;
    if (strcmp(ext, ".npy") == 0)
        field_npy(out, &whole, v->data, (size_t)v->bytes);
    else if (strcmp(ext, ".json") == 0)
        field_array_json(out, &whole, v->data, (size_t)v->bytes);
    else if (strcmp(ext, ".bin") == 0)
        buf_add(out, v->data, (size_t)v->bytes);
    else
        return field_no_form(ext, ".npy, .json or .bin");
    return ASSAY_OK;
}

static void encode(uint8_t *cell, const field_value *v) {
    le64_put(cell + 8, v->bytes);
}

static const field_case cases[] = {
    {.value = {.data = (const uint8_t[]){7, 0, 255}, .bytes = 3},
     .json = "{\"dtype\": \"|u1\", \"shape\": [3], \"data\": [7, 0, 255]}\n"},
    {.value = {.data = (const uint8_t[]){0}, .bytes = 0},
     .json = "{\"dtype\": \"|u1\", \"shape\": [0], \"data\": []}\n"},
};

const data_field assay_field_bytes = {
    .name = "bytes",
    .summary = "bytes of any number",
    .type = BETON_BYTES,
    .plan = plan,
    .read = read,
    .dump = dump,
    .encode = encode,
    .cases = cases,
    .n_cases = sizeof cases / sizeof cases[0],
};

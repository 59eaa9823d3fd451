/* A 64-bit float, in the cell itself. */
#include "data/field.h"

#include "base/le.h"

#include <string.h>

static assay_status plan(field_type *out, assay_ctx *ctx, const beton_field *f) {
    (void)ctx;
    (void)f;
    *out = field_plain_type("<f8", 8);
    return ASSAY_OK;
}

static assay_status read(field_value *out,
                         const beton_file *f,
                         const field_type *t,
                         uint64_t sample,
                         int field) {
    (void)t;
    *out = (field_value){.data = beton_cell(f, sample, field), .bytes = 8};
    return ASSAY_OK;
}

static assay_status dump(buf *out,
                         assay_ctx *ctx,
                         const field_type *t,
                         const field_value *v,
                         const char *ext) {
    (void)ctx;
    if (strcmp(ext, ".npy") == 0) {
        field_npy(out, t, v->data, 8);
    } else if (strcmp(ext, ".json") == 0) {
        field_double(out, le_f64_get(v->data));
        buf_str(out, "\n");
    } else if (strcmp(ext, ".bin") == 0) {
        buf_add(out, v->data, 8);
    } else {
        return field_no_form(ext, ".npy, .json or .bin");
    }
    return ASSAY_OK;
}

static void encode(uint8_t *cell, const field_value *v) {
    memcpy(cell, v->data, 8);
}

#define BYTES(...) .data = (const uint8_t[]){__VA_ARGS__}, .bytes = 8
static const field_case cases[] = {
    {.value = {BYTES(0, 0, 0, 0, 0, 0, 0, 0)}, .json = "0\n"},
    {.value = {BYTES(0, 0, 0, 0, 0, 0, 0xf8, 0xbf)}, .json = "-1.5\n"},
    {.value = {BYTES(0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0xd5, 0x3f)},
     .json = "0.3333333333333333\n"},
    {.value = {BYTES(0, 0, 0, 0, 0, 0, 0xf0, 0x7f)}, .json = "null\n"},
};

const data_field assay_field_float = {
    .name = "float",
    .summary = "a 64-bit float",
    .type = BETON_FLOAT,
    .plan = plan,
    .read = read,
    .dump = dump,
    .encode = encode,
    .cases = cases,
    .n_cases = sizeof cases / sizeof cases[0],
};

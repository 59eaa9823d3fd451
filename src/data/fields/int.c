/* A 64-bit integer, in the cell itself. */
#include "data/field.h"

#include "base/le.h"

#include <string.h>

static assay_status plan(field_type *out, assay_ctx *ctx, const beton_field *f) {
    (void)ctx;
    (void)f;
    *out = field_plain_type("<i8", 8);
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
    if (strcmp(ext, ".npy") == 0)
        field_npy(out, t, v->data, 8);
    else if (strcmp(ext, ".json") == 0)
        buf_fmt(out, "%lld\n", (long long)(int64_t)le64_get(v->data));
    else if (strcmp(ext, ".bin") == 0)
        buf_add(out, v->data, 8);
    else
        return field_no_form(ext, ".npy, .json or .bin");
    return ASSAY_OK;
}

static void encode(uint8_t *cell, const field_value *v) {
    memcpy(cell, v->data, 8);
}

#define BYTES(...) .data = (const uint8_t[]){__VA_ARGS__}, .bytes = 8
static const field_case cases[] = {
    {.value = {BYTES(0, 0, 0, 0, 0, 0, 0, 0)}, .json = "0\n"},
    {.value = {BYTES(0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)}, .json = "-2\n"},
    {.value = {BYTES(0, 0, 0, 0, 0, 0, 0, 0x80)}, .json = "-9223372036854775808\n"},
    {.value = {BYTES(0x40, 0x42, 0x0f, 0, 0, 0, 0, 0)}, .json = "1000000\n"},
};

const data_field assay_field_int = {
    .name = "int",
    .summary = "a 64-bit integer",
    .type = BETON_INT,
    .plan = plan,
    .read = read,
    .dump = dump,
    .encode = encode,
    .cases = cases,
    .n_cases = sizeof cases / sizeof cases[0],
};

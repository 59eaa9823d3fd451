/* A field of type 255: only its author knows what its cell means. Here it is the cell's
 * bytes, with the pointer that the writer filled in, if it has one. */
#include "data/field.h"

#include <stdio.h>
#include <string.h>

static assay_status plan(field_type *out, assay_ctx *ctx, const beton_field *f) {
    char text[24];
    (void)ctx;
    (void)snprintf(text, sizeof text, "|V%u", (unsigned)f->cell_bytes);
    *out = field_plain_type(text, f->cell_bytes);
    return ASSAY_OK;
}

static assay_status read(field_value *out,
                         const beton_file *f,
                         const field_type *t,
                         uint64_t sample,
                         int field) {
    *out = (field_value){.data = beton_cell(f, sample, field), .bytes = t->item};
    return ASSAY_OK;
}

static assay_status dump(buf *out,
                         assay_ctx *ctx,
                         const field_type *t,
                         const field_value *v,
                         const char *ext) {
    (void)ctx;
    if (strcmp(ext, ".npy") == 0)
        field_npy(out, t, v->data, (size_t)v->bytes);
    else if (strcmp(ext, ".json") == 0)
        field_array_json(out, t, v->data, (size_t)v->bytes);
    else if (strcmp(ext, ".bin") == 0)
        buf_add(out, v->data, (size_t)v->bytes);
    else
        return field_no_form(ext, ".npy, .json or .bin");
    return ASSAY_OK;
}

static void encode(uint8_t *cell, const field_value *v) {
    memcpy(cell, v->data, (size_t)v->bytes);
}

static const field_case cases[] = {
    {.value = {.data = (const uint8_t[]){1, 2, 3, 4, 255}, .bytes = 5},
     .json = "{\"dtype\": \"|V5\", \"shape\": [], \"hex\": \"01020304ff\"}\n"},
};

const data_field assay_field_custom = {
    .name = "custom",
    .summary = "a cell whose meaning its author knows",
    .type = BETON_CUSTOM,
    .plan = plan,
    .read = read,
    .dump = dump,
    .encode = encode,
    .cases = cases,
    .n_cases = sizeof cases / sizeof cases[0],
};

/* JSON text with a NUL behind it: stored as bytes are. */
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

/* The text without its NUL. */
static size_t text_bytes(const field_value *v) {
    return v->bytes > 0 && v->data[v->bytes - 1] == 0 ? (size_t)v->bytes - 1
                                                      : (size_t)v->bytes;
}

static assay_status check(assay_ctx *ctx, const field_type *t, const field_value *v) {
    json_doc *doc = NULL;
    (void)t;
    if (text_bytes(v) == v->bytes)
        return err_set(ASSAY_E_FORMAT, "JSON text without a NUL behind it");
    assay_status status = json_parse(&doc, ctx, (const char *)v->data, text_bytes(v));
    json_doc_destroy(doc);
    return status;
}

static assay_status dump(buf *out,
                         assay_ctx *ctx,
                         const field_type *t,
                         const field_value *v,
                         const char *ext) {
    assay_status status = ASSAY_OK;
    field_type whole = *t;
    whole.dim[0] = (int64_t)v->bytes;
    if (strcmp(ext, ".json") == 0) {
        ASSAY_TRY(check(ctx, t, v));
        buf_add(out, v->data, text_bytes(v));
        buf_str(out, "\n");
    } else if (strcmp(ext, ".npy") == 0) {
        field_npy(out, &whole, v->data, (size_t)v->bytes);
    } else if (strcmp(ext, ".bin") == 0) {
        buf_add(out, v->data, (size_t)v->bytes);
    } else {
        return field_no_form(ext, ".json, .npy or .bin");
    }
done:
    return status;
}

static void encode(uint8_t *cell, const field_value *v) {
    le64_put(cell + 8, v->bytes);
}

static const field_case cases[] = {
    {.value = {.data = (const uint8_t *)"{\"a\": [1, 2.5, \"\\u00e9\"]}", .bytes = 26},
     .json = "{\"a\": [1, 2.5, \"\\u00e9\"]}\n"},
    {.value = {.data = (const uint8_t *)"null", .bytes = 5}, .json = "null\n"},
};

const data_field assay_field_json = {
    .name = "json",
    .summary = "a JSON value as text",
    .type = BETON_JSON,
    .plan = plan,
    .read = read,
    .check = check,
    .dump = dump,
    .encode = encode,
    .cases = cases,
    .n_cases = sizeof cases / sizeof cases[0],
};

/* Arrays in a .beton: the descriptor's shape and element type, .npy and JSON forms.
 * Elements keep their byte order; only JSON needs their values. */
#include "data/field.h"

#include "base/le.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHAPE_BYTES = 256, TEXT_AT = 264, MAX_TEXT = BETON_ARGS_BYTES - TEXT_AT };
static const uint64_t max_item = 1 << 20, max_bytes = UINT64_C(1) << 32;

field_type field_plain_type(const char *typestr, size_t item) {
    field_type t = {.item = item, .bytes = item};
    snprintf(t.typestr, sizeof t.typestr, "%.23s", typestr);
    return t;
}

/* ---- the descriptor ---- */

void field_array_args(uint8_t args[BETON_ARGS_BYTES],
                      const char *typestr,
                      int ndim,
                      const int64_t *dim) {
    memset(args, 0, BETON_ARGS_BYTES);
    for (int i = 0; i < ndim; i++)
        le64_put(args + 8 * i, (uint64_t)dim[i]);
    char text[64];
    int n = snprintf(text, sizeof text, "[[\"\", \"%.40s\"]]", typestr);
    le64_put(args + SHAPE_BYTES, (uint64_t)n);
    memcpy(args + TEXT_AT, text, (size_t)n);
}

/* "<f4": byte order, kind, size. */
static bool read_typestr(field_type *t, const char *text) {
    char *end;
    if (text == NULL || strlen(text) < 3 || strlen(text) >= sizeof t->typestr)
        return false;
    if (strchr("<>|=", text[0]) == NULL || strchr("biufcSUV", text[1]) == NULL ||
        !isdigit((unsigned char)text[2]))
        return false;
    unsigned long n = strtoul(text + 2, &end, 10);
    if (*end != '\0' || n == 0 || n > max_item)
        return false;
    snprintf(t->typestr, sizeof t->typestr, "%s", text);
    if (text[0] == '=') /* the writer's own order; FFCV's machines are little-endian */
        t->typestr[0] = '<';
    t->item = text[1] == 'U' ? 4 * n : n;
    return true;
}

assay_status field_array_plan(field_type *out, assay_ctx *ctx, const beton_field *f) {
    assay_status status = ASSAY_OK;
    json_doc *doc = NULL;
    *out = (field_type){0};
    uint64_t n = le64_get(f->args + SHAPE_BYTES);
    if (n == 0 || n > MAX_TEXT)
        ASSAY_FAIL(ASSAY_E_FORMAT, "element type of %llu characters",
                   (unsigned long long)n);
    ASSAY_TRY(json_parse(&doc, ctx, (const char *)f->args + TEXT_AT, (size_t)n));
    const json_val *list = json_root(doc), *pair = json_at(list, 0);
    if (json_len(list) != 1 || json_len(pair) != 2)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "arrays of records or of arrays are not read");
    if (!read_typestr(out, json_get_str(json_at(pair, 1), NULL)))
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "element type '%.40s' is not known",
                   json_get_str(json_at(pair, 1), "?"));
    uint64_t bytes = out->item;
    for (int i = 0; i < FIELD_MAX_DIMS; i++) {
        uint64_t d = le64_get(f->args + 8 * i);
        if (d > max_bytes)
            ASSAY_FAIL(ASSAY_E_FORMAT, "a dimension of %llu", (unsigned long long)d);
        out->dim[i] = (int64_t)d;
        if (d != 0)
            out->ndim = i + 1;
    }
    for (int i = 0; i < out->ndim; i++) {
        if (out->dim[i] != 0 && bytes > max_bytes / (uint64_t)out->dim[i])
            ASSAY_FAIL(ASSAY_E_FORMAT, "an array larger than a page can be");
        bytes *= (uint64_t)out->dim[i];
    }
    out->bytes = bytes;
done:
    json_doc_destroy(doc);
    return status;
}

assay_status field_array_read(field_value *out,
                              const beton_file *f,
                              const field_type *t,
                              uint64_t sample,
                              int field) {
    *out = (field_value){.data = (const uint8_t *)""};
    if (t->bytes == 0)
        return ASSAY_OK;
    uint64_t ptr = le64_get(beton_cell(f, sample, field));
    return beton_payload(f, sample, field, ptr, t->bytes, &out->data, &out->bytes);
}

/* ---- forms ---- */

void field_npy(buf *out, const field_type *t, const void *data, size_t bytes) {
    char shape[32 * FIELD_MAX_DIMS], head[64 + sizeof shape];
    size_t at = 0;
    shape[0] = '\0';
    for (int i = 0; i < t->ndim; i++)
        at += (size_t)snprintf(shape + at, sizeof shape - at, "%s%lld", i ? ", " : "",
                               (long long)t->dim[i]);
    int n = snprintf(head, sizeof head,
                     "{'descr': '%s', 'fortran_order': False, 'shape': (%s%s), }",
                     t->typestr, shape, t->ndim == 1 ? "," : "");
    size_t padded = ((size_t)n + 1 + 10 + 63) / 64 * 64 - 10;
    uint8_t magic[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
    le16_put(magic + 8, (uint16_t)padded);
    buf_add(out, magic, sizeof magic);
    buf_add(out, head, (size_t)n);
    for (size_t i = (size_t)n; i + 1 < padded; i++)
        buf_add(out, " ", 1);
    buf_add(out, "\n", 1);
    buf_add(out, data, bytes);
}

void field_double(buf *out, double v) {
    char text[40];
    if (!isfinite(v)) {
        buf_str(out, "null");
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    buf_str(out, text);
}

static double from_half(uint16_t h) {
    int exponent = h >> 10 & 31, fraction = h & 1023;
    double v = exponent == 0    ? ldexp(fraction, -24)
               : exponent == 31 ? (fraction ? (double)NAN : (double)INFINITY)
                                : ldexp(1024 + fraction, exponent - 25);
    return h >> 15 ? -v : v;
}

/* One element of kind b, i, u or f, of 1, 2, 4 or 8 bytes, as little-endian bits. */
static void add_element(buf *out, char kind, size_t item, uint64_t bits) {
    if (kind == 'b') {
        buf_str(out, bits ? "true" : "false");
    } else if (kind == 'u') {
        buf_fmt(out, "%llu", (unsigned long long)bits);
    } else if (kind == 'i') {
        uint64_t sign = UINT64_C(1) << (8 * item - 1);
        buf_fmt(out, "%lld", (long long)((bits ^ sign) - sign));
    } else if (item == 2) {
        field_double(out, from_half((uint16_t)bits));
    } else if (item == 4) {
        float f;
        uint32_t word = (uint32_t)bits;
        memcpy(&f, &word, sizeof f);
        field_double(out, (double)f);
    } else {
        double d;
        memcpy(&d, &bits, sizeof d);
        field_double(out, d);
    }
}

static bool has_numbers(const field_type *t) {
    char kind = t->typestr[1];
    if (kind == 'f')
        return t->item == 2 || t->item == 4 || t->item == 8;
    return (kind == 'b' && t->item == 1) ||
           ((kind == 'i' || kind == 'u') &&
            (t->item == 1 || t->item == 2 || t->item == 4 || t->item == 8));
}

void field_array_json(buf *out, const field_type *t, const uint8_t *data, size_t bytes) {
    bool numbers = has_numbers(t), big = t->typestr[0] == '>';
    buf_fmt(out, "{\"dtype\": \"%s\", \"shape\": [", t->typestr);
    for (int i = 0; i < t->ndim; i++)
        buf_fmt(out, "%s%lld", i ? ", " : "", (long long)t->dim[i]);
    buf_str(out, numbers ? "], \"data\": [" : "], \"hex\": \"");
    for (size_t at = 0; numbers && at + t->item <= bytes; at += t->item) {
        uint64_t bits = 0;
        for (size_t k = 0; k < t->item; k++)
            bits |= (uint64_t)data[at + (big ? t->item - 1 - k : k)] << 8 * k;
        if (at > 0)
            buf_str(out, ", ");
        add_element(out, t->typestr[1], t->item, bits);
    }
    for (size_t at = 0; !numbers && at < bytes; at++)
        buf_fmt(out, "%02x", data[at]);
    buf_str(out, numbers ? "]}\n" : "\"}\n");
}

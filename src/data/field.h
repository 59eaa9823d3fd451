/* Fields: what the bytes of a column mean. The container (file/beton) knows where they
 * lie; a file under data/fields knows their type, reads and writes one cell, checks it
 * and shows it. */
#ifndef DATA_FIELD_H
#define DATA_FIELD_H

#include "base/json.h"
#include "file/beton.h"
#include "image/image.h"

enum { FIELD_MAX_DIMS = 32 };

/* Type of a column's values, in NumPy's words. */
typedef struct field_type {
    char typestr[24]; /* "<f4", "|u1" */
    size_t item;      /* bytes of an element */
    int ndim;
    int64_t dim[FIELD_MAX_DIMS]; /* -1: differs from sample to sample */
    uint64_t bytes;              /* of a value; 0 if that differs */
} field_type;

/* One value: bytes inside the file, and for images what the cell says of them. */
typedef struct field_value {
    const uint8_t *data;
    uint64_t bytes;
    int mode, width, height;
} field_value;

/* For the conformance walk: a column and one value of it. */
typedef struct field_case {
    const char *typestr; /* arrays: with shape, written into the descriptor */
    int ndim;
    int64_t dim[4];
    field_value value;
    const char *json; /* what dump shows as .json; NULL: not compared */
} field_case;

typedef struct data_field {
    const char *name, *summary;
    beton_type type;
    /* The column's type from its descriptor. FORMAT, UNSUPPORTED. */
    assay_status (*plan)(field_type *out, assay_ctx *ctx, const beton_field *f);
    /* One value, with all bounds checked. FORMAT. @threads safe */
    assay_status (*read)(field_value *out,
                         const beton_file *f,
                         const field_type *t,
                         uint64_t sample,
                         int field);
    /* Whether the bytes make sense: decodes images, parses JSON. May be NULL. @threads
     * safe */
    assay_status (*check)(assay_ctx *ctx, const field_type *t, const field_value *v);
    /* Appends the value in the form of an extension (".npy"). UNSUPPORTED if there is
     * none such. */
    assay_status (*dump)(buf *out,
                         assay_ctx *ctx,
                         const field_type *t,
                         const field_value *v,
                         const char *ext);
    /* Fills the cell but for its pointer. */
    void (*encode)(uint8_t *cell, const field_value *v);
    const field_case *cases;
    size_t n_cases;
} data_field;

size_t field_count(void);
const data_field *field_at(size_t i);
const data_field *field_for(beton_type type); /* NULL if there is none */

/* UNSUPPORTED: this field can't be written as `ext`; `can` lists what it can. */
assay_status field_no_form(const char *ext, const char *can);

/* ---- array.c: what fields that hold arrays share ---- */

/* Fills a descriptor's arguments, as FFCV's NDArrayField does. */
void field_array_args(uint8_t args[BETON_ARGS_BYTES],
                      const char *typestr,
                      int ndim,
                      const int64_t *dim);
ASSAY_MUST_CHECK assay_status field_array_plan(field_type *out,
                                               assay_ctx *ctx,
                                               const beton_field *f);
ASSAY_MUST_CHECK assay_status field_array_read(field_value *out,
                                               const beton_file *f,
                                               const field_type *t,
                                               uint64_t sample,
                                               int field);
/* A type of one of the usual element types, no dimensions yet. */
field_type field_plain_type(const char *typestr, size_t item);
/* A .npy of that type (dimensions filled in) around data. */
void field_npy(buf *out, const field_type *t, const void *data, size_t bytes);
/* {"dtype", "shape", "data": [...]}; elements that JSON has no numbers for as "hex". */
void field_array_json(buf *out, const field_type *t, const uint8_t *data, size_t bytes);
/* Appends a double with the fewest digits that give it back; NaN and infinities are null.
 */
void field_double(buf *out, double v);

#endif

/* Importers: where samples come from. Each lists its samples once (splits, classes, ids,
 * columns), and hands out one sample's values at a time, from any thread. One file under
 * data/importers each. Most sources hold labelled images; some hold other columns beside
 * or instead of them. */
#ifndef DATA_IMPORTER_H
#define DATA_IMPORTER_H

#include "base/buf.h"
#include "file/beton.h"

enum { IMPORT_PATH_BYTES = 4096, IMPORT_MAX_CLASSES = 1 << 20 };

typedef enum import_split {
    IMPORT_TRAIN,
    IMPORT_TEST,
    IMPORT_VAL,
    IMPORT_SPLITS
} import_split;
const char *import_split_name(import_split s); /* "train", "test", "val" */

typedef struct import_row {
    size_t id_at; /* in `ids` */
    uint64_t ref; /* the importer's own */
    int32_t label;
    import_split split;
} import_row;

/* A column besides image and label. */
typedef struct import_column {
    beton_type type; /* FLOAT, INT, BYTES, NDARRAY, JSON, TENSOR */
    char name[17];
    char typestr[8]; /* of arrays: "<f4" */
    int ndim;
    int64_t dim[8];
} import_column;

/* What a source holds: filled by an importer's open, through the functions below. */
typedef struct import_list {
    assay_ctx *ctx;
    import_row *row;
    size_t rows, row_cap;
    buf ids; /* NUL-terminated, one behind the other */
    char **class_name;
    size_t classes, class_cap;
    import_column *column; /* besides image and label */
    size_t columns, column_cap;
    bool no_image, no_label; /* the source has none: text, arrays */
    char **note;             /* remarks for a person: files passed over and the like */
    size_t notes, note_cap;
} import_list;

import_list import_list_make(assay_ctx *ctx);
void import_list_free(import_list *l);
ASSAY_MUST_CHECK assay_status import_add(
    import_list *l, import_split split, int32_t label, uint64_t ref, const char *id);
ASSAY_MUST_CHECK assay_status import_add_class(import_list *l, const char *name);
/* INVALID: a name that is taken, too long for the format (16), not ASCII. */
ASSAY_MUST_CHECK assay_status import_add_column(import_list *l, const import_column *c);
ASSAY_MUST_CHECK assay_status import_note(import_list *l, const char *fmt, ...)
    ASSAY_PRINTF(2, 3);
const char *import_id(const import_list *l, size_t row);
size_t import_count(const import_list *l, import_split split);

/* One sample: an encoded file, or pixels. `data` points into the importer or into `own`,
 * which is kept from one fetch to the next. */
typedef struct import_image {
    assay_ctx *ctx;
    bool raw;
    int width, height,
        channels; /* of raw pixels: rows packed, channels interleaved, 1 or 3 */
    const uint8_t *data;
    size_t bytes;
    uint8_t *own;
    size_t own_cap;
} import_image;
void import_image_free(import_image *im);

/* One value of a column. `data` points into the importer or into `own`, which is kept
 * from one fetch to the next. */
typedef struct import_cell {
    assay_ctx *ctx;
    int64_t integer;     /* of INT */
    double number;       /* of FLOAT */
    const uint8_t *data; /* of the others; arrays: exactly their size; JSON: the text,
                            without a NUL */
    size_t bytes;
    uint8_t *own;
    size_t own_cap;
} import_cell;
void import_cell_free(import_cell *c);

typedef struct data_importer {
    const char *name, *summary;
    /* 0: not of this kind; the highest answer wins. Looks at names and first bytes only.
     */
    int (*detect)(assay_ctx *ctx, const char *path);
    /* Lists the source. *state goes to fetch and close; NULL on failure. */
    assay_status (*open)(void **state,
                         import_list *list,
                         assay_ctx *ctx,
                         const char *path);
    /* @threads safe */
    assay_status (*fetch)(const void *state,
                          const import_list *list,
                          size_t row,
                          import_image *out);
    /* One value of a column; NULL when there are none. @threads safe */
    assay_status (*fetch_cell)(const void *state,
                               const import_list *list,
                               size_t row,
                               size_t column,
                               import_cell *out);
    void (*close)(void *state); /* accepts NULL */
} data_importer;

size_t importer_count(void);
const data_importer *importer_at(size_t i);
/* By name; INVALID lists what there is. */
ASSAY_MUST_CHECK assay_status importer_find(const data_importer **out, const char *name);
/* By looking at the source. NOTFOUND if it does not exist, FORMAT if nobody knows it. */
ASSAY_MUST_CHECK assay_status importer_detect(const data_importer **out,
                                              assay_ctx *ctx,
                                              const char *path);

/* Checks that hold for every source: there are rows, and, where there are labels, more
 * than one class among them. */
ASSAY_MUST_CHECK assay_status import_list_check(const import_list *l, const char *path);

/* Whether every id is there once; else *a < *b are rows that share one. NOMEM */
ASSAY_MUST_CHECK assay_status import_unique_ids(const import_list *l,
                                                bool *unique,
                                                size_t *a,
                                                size_t *b);
/* root/rel into `out`; INVALID when too long. */
ASSAY_MUST_CHECK assay_status import_path(char out[IMPORT_PATH_BYTES],
                                          const char *root,
                                          const char *rel);
/* 1,004 */
const char *import_number(char out[32], uint64_t n);

#endif

/* Importers: where labelled images come from. Each lists its samples once (splits,
 * classes, ids), and hands out one sample's bytes at a time, from any thread. One file
 * under data/importers each. */
#ifndef DATA_IMPORTER_H
#define DATA_IMPORTER_H

#include "base/buf.h"

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

/* What a source holds: filled by an importer's open, through the functions below. */
typedef struct import_list {
    assay_ctx *ctx;
    import_row *row;
    size_t rows, row_cap;
    buf ids; /* NUL-terminated, one behind the other */
    char **class_name;
    size_t classes, class_cap;
    char **note; /* remarks for a person: files passed over and the like */
    size_t notes, note_cap;
} import_list;

import_list import_list_make(assay_ctx *ctx);
void import_list_free(import_list *l);
ASSAY_MUST_CHECK assay_status import_add(
    import_list *l, import_split split, int32_t label, uint64_t ref, const char *id);
ASSAY_MUST_CHECK assay_status import_add_class(import_list *l, const char *name);
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

/* Checks that hold for every source: there are rows, and more than one class among them.
 */
ASSAY_MUST_CHECK assay_status import_list_check(const import_list *l, const char *path);

/* root/rel into `out`; INVALID when too long. */
ASSAY_MUST_CHECK assay_status import_path(char out[IMPORT_PATH_BYTES],
                                          const char *root,
                                          const char *rel);
/* 1,004 */
const char *import_number(char out[32], uint64_t n);

#endif

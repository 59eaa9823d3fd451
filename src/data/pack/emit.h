/* A dataset on its way into a file: rows with their payloads, the content's identity, our
 * section. What packing, the writer and the editing of files share. */
#ifndef DATA_EMIT_H
#define DATA_EMIT_H

#include "base/buf.h"
#include "data/identity.h"
#include "data/load/jpeg_index.h"

/* Fields with the places of their cells. */
typedef struct emit_layout {
    beton_field *field;
    int fields, payloads; /* of a row */
    uint32_t stride;
} emit_layout;
/* Copies the fields (type, name, args filled in). */
ASSAY_MUST_CHECK assay_status emit_layout_make(emit_layout *out,
                                               assay_ctx *ctx,
                                               const beton_field *fields,
                                               int n);
void emit_layout_free(emit_layout *l, assay_ctx *ctx);

/* One row: its cells without pointers, and a payload for each field that has one, in
 * field order. Payloads lie in `own`, or elsewhere. */
typedef struct emit_row {
    assay_ctx *ctx;
    const emit_layout *layout;
    uint8_t *cells;
    buf own;
    struct emit_payload {
        const void *data;
        uint64_t bytes;
        size_t at; /* in own */
        uint8_t digest[32];
    } * payload;
    int payloads; /* so far */
    buf index;    /* of the first image, if it is a JPEG; empty: none */
} emit_row;
ASSAY_MUST_CHECK assay_status emit_row_make(emit_row *r,
                                            assay_ctx *ctx,
                                            const emit_layout *layout);
void emit_row_free(emit_row *r); /* accepts a zeroed one */
void emit_row_clear(emit_row *r);
uint8_t *emit_row_cell(emit_row *r, int field);
/* The next payload is what was appended to `own` since the last one. */
void emit_row_own(emit_row *r);
/* The next payload lies elsewhere, and stays there until the row is written. */
void emit_row_borrow(emit_row *r, const void *data, uint64_t bytes);
/* All payloads are there: finds them and takes their digests. Bytes and JSON cells get
 * their sizes. NOMEM. @threads per row */
ASSAY_MUST_CHECK assay_status emit_row_seal(emit_row *r);
uint64_t emit_row_bytes(const emit_row *r); /* of all payloads */
/* Indexes the row's first image, which stays without if it is no JPEG that our decoder
 * reads. The row is sealed. *d is made when it is needed; the caller destroys it. NOMEM.
 * @threads per row */
ASSAY_MUST_CHECK assay_status emit_row_index(emit_row *r, jpeg_decoder **d, int interval);

typedef struct emit {
    assay_ctx *ctx;
    const emit_layout *layout;
    beton_writer *writer; /* NULL: not begun, or given up */
    beton_payload_in *payload;
    identity id;
    jpeg_index_set *index; /* NULL: none */
    uint64_t rows;         /* so far */
} emit;

/* The layout is borrowed. */
ASSAY_MUST_CHECK assay_status emit_begin(emit *e,
                                         assay_ctx *ctx,
                                         const char *path,
                                         const emit_layout *layout,
                                         uint64_t samples,
                                         uint64_t page_size);
/* After emit_begin: the indexes of rows are to be written. A file without an image field
 * has none. */
ASSAY_MUST_CHECK assay_status emit_keep_index(emit *e, int interval);
/* Rows come in order, sealed. */
ASSAY_MUST_CHECK assay_status emit_add(emit *e, const emit_row *r);

/* What our section is to say. */
typedef struct emit_names {
    const char *const *class_name;
    size_t classes; /* 0: nothing */
    const data_split *split;
    size_t splits;                                    /* 0: nothing */
    const char *(*id)(const void *arg, uint64_t row); /* NULL: nothing */
    const void *id_arg;
    buf *info; /* JSON; NULL: nothing */
} emit_names;
/* Section, identity, and the file under its name. */
ASSAY_MUST_CHECK assay_status emit_commit(emit *e,
                                          const emit_names *names,
                                          uint8_t sha256[32]);
void emit_end(emit *e); /* gives an uncommitted file up; accepts a zeroed one */

#endif

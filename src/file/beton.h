/* The .beton container, version 2, at byte level: header, field descriptors, metadata table, pages,
 * allocation table, and our own section. What the bytes of a field mean is data/fields.
 *
 * Format: docs/format.md. Nothing read is trusted: every offset and length is checked against the
 * file before use, with an error that names file, offset and field. */
#ifndef FILE_BETON_H
#define FILE_BETON_H

#include "base/os.h"

typedef enum beton_type {
    BETON_FLOAT = 0, BETON_INT = 1, BETON_IMAGE = 2, BETON_BYTES = 3,
    BETON_NDARRAY = 4, BETON_JSON = 5, BETON_TENSOR = 6, BETON_CUSTOM = 255
} beton_type;

enum { BETON_MAX_FIELDS = 256, BETON_ARGS_BYTES = 1024 };

typedef struct beton_field {
    beton_type type;
    char name[17];
    uint8_t args[BETON_ARGS_BYTES];
    uint32_t cell_offset, cell_bytes, cell_align; /* in a metadata row */
    bool has_payload;    /* whether its cell points to bytes in a page... */
    uint32_t ptr_offset; /* ...with a u64 here */
} beton_field;

/* What a file does not tell of a field of type 255: given by the caller, or by our section. */
typedef struct beton_custom {
    char name[17];
    uint32_t cell_bytes, cell_align; /* 1..65536; 1, 2, 4, ... 4096 */
    bool has_payload;
    uint32_t ptr_offset;
} beton_custom;

/* Size and alignment of a type's metadata cell; false for a type that has none (custom, unknown). */
bool beton_cell_layout(beton_type type, uint32_t *bytes, uint32_t *align);
/* Whether the type keeps its bytes in a page. */
bool beton_allocates(beton_type type);
/* Where in the cell the u64 pointer lies (5 in an image cell, else 0). */
uint32_t beton_ptr_offset(beton_type type);
/* Lays out the cells of a metadata row as C would, filling in offsets and sizes (those of custom
 * fields are given); returns the row's bytes, the stride. */
uint32_t beton_lay_out(beton_field *fields, int n);

/* ---- reading ---- */
typedef struct beton_file beton_file;

/* Opens and checks the structure: header, descriptors, table bounds, our section if there is one
 * (values above 1 MiB are compared with their checksums by beton_verify). Entries of the allocation
 * table are checked when they are used. Cost O(fields + section), whatever the number of samples. */
ASSAY_MUST_CHECK assay_status beton_open(beton_file **out, assay_ctx *ctx, const char *path);
/* The same, with what the caller knows of custom fields. */
ASSAY_MUST_CHECK assay_status beton_open_with(beton_file **out, assay_ctx *ctx, const char *path, const beton_custom *custom, int n);
/* The same over bytes in memory (borrowed): for tests and the fuzzer. */
ASSAY_MUST_CHECK assay_status beton_open_memory(beton_file **out, assay_ctx *ctx, const void *bytes, size_t n, const char *name);
void beton_close(beton_file *f);
const char *beton_path(const beton_file *f);
uint64_t beton_samples(const beton_file *f);
uint32_t beton_page_size(const beton_file *f);
int beton_fields(const beton_file *f);
const beton_field *beton_field_at(const beton_file *f, int i);
int beton_field_find(const beton_file *f, const char *name); /* -1 if absent */
/* The metadata cell of a sample: cell_bytes bytes, unaligned. @threads safe */
const uint8_t *beton_cell(const beton_file *f, uint64_t sample, int field);
/* The payload at a cell's pointer: bytes and size from the allocation table. FORMAT if no entry
 * starts there; `want_bytes` nonzero: the size must be that (arrays, raw images). Bytes and JSON:
 * the size is the cell's own; these and arrays of a wanted size need no entry, only to lie in the
 * data. O(1) for files in sample order. In others the first search looks through the table once, for
 * its ascending runs (one for each process that wrote it; a table with many is sorted, u32 an entry),
 * and costs O(log n) then. @threads safe */
ASSAY_MUST_CHECK assay_status beton_payload(const beton_file *f, uint64_t sample, int field, uint64_t ptr,
                                            uint64_t want_bytes, const uint8_t **data, uint64_t *bytes);
/* Whether the table has an entry for a payload of that place and size: FORMAT. @threads safe */
ASSAY_MUST_CHECK assay_status beton_listed(const beton_file *f, uint64_t sample, int field, uint64_t ptr,
                                           uint64_t bytes);
/* Our section: the value of a tag, or NULL. */
const uint8_t *beton_tag(const beton_file *f, uint32_t tag, size_t *bytes);
bool beton_has_section(const beton_file *f);
/* The tags of our section by number; 0 behind the last. */
uint32_t beton_tag_at(const beton_file *f, size_t i);
/* Checks all entries of the allocation table, and all checksums of our section when there is one:
 * FORMAT naming page and offset. */
ASSAY_MUST_CHECK assay_status beton_verify(beton_file *f);

/* Tags of our section (four characters, little-endian); unknown ones are skipped. */
#define BETON_TAG(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define BETON_TAG_CHECKSUMS BETON_TAG('C', 'S', 'U', 'M') /* header+descriptors, metadata, pages, table */
#define BETON_TAG_CLASSES BETON_TAG('C', 'L', 'A', 'S')   /* JSON array of names */
#define BETON_TAG_SPLITS BETON_TAG('S', 'P', 'L', 'T')    /* JSON: [{name, begin, end}] */
#define BETON_TAG_IDS BETON_TAG('I', 'D', 'S', ' ')       /* u64 count, u64 offsets[count+1], ids with NULs */
#define BETON_TAG_IDENTITY BETON_TAG('H', 'A', 'S', 'H')  /* 32 bytes: dataset.sha256 */
#define BETON_TAG_INFO BETON_TAG('I', 'N', 'F', 'O')      /* JSON: provenance, channels, notes, skipped sources */
#define BETON_TAG_CUSTOM BETON_TAG('C', 'U', 'S', 'T')    /* cells of custom fields; the writer's own */
#define BETON_TAG_THUMBS BETON_TAG('T', 'H', 'M', 'B')    /* reserved: thumbnails */

/* ---- writing ---- */
typedef struct beton_writer beton_writer;
typedef struct beton_writer_options {
    uint32_t page_size; /* power of two, 2^12 <= page_size < 2^32; FFCV's writer starts at 2^21 */
    uint64_t samples;
    const beton_field *fields; /* type, name, args filled in; of custom ones cell_bytes, cell_align,
                                  has_payload and ptr_offset too */
    int n_fields;
} beton_writer_options;
ASSAY_MUST_CHECK assay_status beton_writer_create(beton_writer **out, assay_ctx *ctx, const char *path, const beton_writer_options *options);
/* Samples come in order 0, 1, 2...: the row's cells (row bytes as laid out, with pointers left to the
 * writer) and one payload for each allocating field, in field order. Byte-deterministic: pages are filled in sample order.
 * SHAPE names the option that helps when a sample exceeds the page. */
typedef struct beton_payload_in {
    int field;
    const void *data;
    uint64_t bytes;
    uint32_t ptr_offset; /* where in the row the u64 pointer goes */
} beton_payload_in;
ASSAY_MUST_CHECK assay_status beton_writer_add(beton_writer *w, const uint8_t *row, const beton_payload_in *payloads, int n);
uint32_t beton_writer_stride(const beton_writer *w);
uint64_t beton_writer_samples(const beton_writer *w); /* told at the start */
const beton_field *beton_writer_field(const beton_writer *w, int i); /* with offsets filled in */
ASSAY_MUST_CHECK assay_status beton_writer_tag(beton_writer *w, uint32_t tag, const void *data, size_t bytes);
/* Checksums, section, table, header, fsync, rename. */
ASSAY_MUST_CHECK assay_status beton_writer_commit(beton_writer *w);
void beton_writer_destroy(beton_writer *w); /* abandons an uncommitted file */

#endif

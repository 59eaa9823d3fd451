/* Inside of the container: what reader, writer and section share. Format: docs/format.md.
 */
#ifndef FILE_BETON_INSIDE_H
#define FILE_BETON_INSIDE_H

#include "file/beton.h"

enum {
    BETON_VERSION = 2,
    BETON_HEADER_BYTES = 24,
    BETON_DESCRIPTOR_BYTES = 1041,
    BETON_NAME_BYTES = 16,
    BETON_ENTRY_BYTES = 24,
    BETON_ARGS_DTYPE = 256, /* of arrays: u64 length, then the element type's text */
    BETON_MIN_PAGE = 1 << 12, /* of our writer */
    BETON_CUSTOM_BYTES = 16,  /* of a field in the value of BETON_TAG_CUSTOM */
};

/* Whether a custom field's cell is one that can be laid out and has room for its pointer. */
bool beton_custom_is_sound(uint32_t cell_bytes,
                           uint32_t cell_align,
                           bool has_payload,
                           uint32_t ptr_offset);

/* ---- the allocation table (beton_table.c) ---- */
typedef struct alloc_table {
    assay_ctx *ctx;
    const uint8_t *entry; /* in the file, at... */
    uint64_t at;          /* ...this byte */
    uint64_t entries, samples;
    uint64_t per_sample; /* entries that a sample needs */
    uint64_t floor, end; /* where payloads may lie */
    struct alloc_order *order; /* how to search it, made when it is needed */
} alloc_table;

/* Looks at the first and the last entry. FORMAT, NOMEM. */
ASSAY_MUST_CHECK assay_status alloc_table_make(alloc_table *t);
void alloc_table_free(alloc_table *t);
/* The size of the payload at `ptr`: what the sample's entry of number `rank` says if the
 * table is in sample order, else `want` if an entry has that, else the largest.
 * *found false: no entry starts there. FORMAT: an entry that lies outside of the data.
 * NOMEM. @threads safe */
ASSAY_MUST_CHECK assay_status alloc_table_find(const alloc_table *t,
                                               uint64_t sample,
                                               uint64_t rank,
                                               uint64_t ptr,
                                               uint64_t want,
                                               uint64_t *bytes,
                                               bool *found);
/* Whether the entries that a table in sample order has for this sample give the payload
 * another size. O(1); says nothing (false) where there are none. @threads safe */
bool alloc_table_denies(const alloc_table *t,
                        uint64_t sample,
                        uint64_t ptr,
                        uint64_t bytes);
/* Whether all entries lie inside the data. FORMAT. */
ASSAY_MUST_CHECK assay_status alloc_table_check(const alloc_table *t);

/* ---- our section: records from `begin`, a trailer that ends where the table starts ----
 */
#define SECTION_MAGIC "ASSAYSEC"
enum {
    SECTION_VERSION = 1,
    SECTION_ALIGN = 8,
    SECTION_TRAILER_BYTES = 64,
    SECTION_RECORD_BYTES = 24, /* before the value */
    SECTION_SUMS_BYTES = 48,   /* of the checksums' value, before the pages' */
};

typedef struct section_record {
    uint32_t tag;
    const uint8_t *value; /* into the file */
    size_t bytes;
} section_record;

typedef struct section {
    bool present;
    uint64_t begin, end; /* in the file; `end` is where the allocation table starts */
    section_record *record;
    size_t count;
} section;

/* Looks for a section that ends at `end` and starts at `floor` or later; checks trailer,
 * records and the checksums of values up to 1 MiB. FORMAT, VERSION; absent is fine. Free
 * with section_free. */
ASSAY_MUST_CHECK assay_status section_read(section *out,
                                           assay_ctx *ctx,
                                           const uint8_t *file,
                                           uint64_t file_bytes,
                                           uint64_t floor,
                                           uint64_t end);
void section_free(section *s, assay_ctx *ctx);
const section_record *section_find(const section *s, uint32_t tag);
/* Compares all values with their checksums. FORMAT */
ASSAY_MUST_CHECK assay_status section_check_values(const section *s, const uint8_t *file);
/* Whether the bytes between and behind the records are zero. FORMAT */
ASSAY_MUST_CHECK assay_status section_check_gaps(const section *s, const uint8_t *file);

/* For the writer: bytes before a record's value, and the trailer. */
void section_put_record(uint8_t out[SECTION_RECORD_BYTES],
                        uint32_t tag,
                        const void *value,
                        size_t bytes);
uint64_t section_padded(uint64_t bytes); /* up to SECTION_ALIGN */
void section_put_trailer(uint8_t out[SECTION_TRAILER_BYTES],
                         uint32_t records,
                         uint64_t begin,
                         uint64_t record_bytes,
                         uint64_t file_bytes);

/* The value of BETON_TAG_CHECKSUMS, without the pages' sums that follow. */
typedef struct section_sums {
    uint32_t page_size;
    uint64_t pages, pages_begin;
    uint32_t head, metadata, table;
} section_sums;
void section_put_sums(uint8_t out[SECTION_SUMS_BYTES], const section_sums *s);
section_sums section_get_sums(const uint8_t in[SECTION_SUMS_BYTES]);

#endif

/* Huffman tables in the form that decoding wants. */
#ifndef IMAGE_JPEG_HUFFMAN_H
#define IMAGE_JPEG_HUFFMAN_H

#include "base/ctx.h"
#include "image/jpeg/header.h"

enum {
    JPG_LOOKUP_BITS = 13, /* of the window that one look-up sees */
    JPG_LOOKUPS = 1 << JPG_LOOKUP_BITS,
    JPG_TABLES = 16, /* kept */
    /* `advance` of an entry that could not be settled: past every block. */
    JPG_UNSETTLED = 128,
    JPG_SKIP_NONE = 0x7F, /* the same in a skip entry's upper byte */
    JPG_SKIP_END = 0x80   /* there, a bit: the block ends */
};

typedef struct jpg_table {
    /* value << 16 | advance << 8 | bits taken, code and value together; the value is
     * that of the last coefficient passed. Bits 0: the code, or its value, reaches
     * beyond the window; then bits of the code << 24 | symbol << 16, both 0 for a long
     * code. */
    uint32_t fast[JPG_LOOKUPS];
    /* As many coefficients as lie in the window, but for the last one's value, for AC:
     * (JPG_SKIP_END or 0 | advance) << 8 | bits. */
    uint16_t skip[JPG_LOOKUPS];
    /* One coefficient, or two wholly in the window: the second one's advance, or 0, << 8
     * | bits taken. 0: not even one. */
    uint16_t pair[JPG_LOOKUPS];
    /* For longer codes: the last code of each length (-1: none), and what to add for
     * its place among the symbols. */
    int32_t last[18], delta[17];
    jpg_huffman source;
    bool ac;
    uint64_t used; /* when; 0: never */
} jpg_table;

/* Tables by content: most files share the standard's. */
typedef struct jpg_tables {
    assay_ctx *ctx;
    jpg_table *table[JPG_TABLES];
    uint64_t clock;
} jpg_tables;

void jpg_tables_free(jpg_tables *t);
/* Borrowed until JPG_TABLES - 1 others were asked for. FORMAT, UNSUPPORTED, NOMEM */
ASSAY_MUST_CHECK assay_status jpg_tables_get(const jpg_table **out,
                                             jpg_tables *t,
                                             const jpg_huffman *source,
                                             bool ac);

#endif

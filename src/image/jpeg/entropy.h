/* The entropy-coded data: from bits to coefficients, in sequence or, where an index says
 * where to begin, several rows' bits at once. */
#ifndef IMAGE_JPEG_ENTROPY_H
#define IMAGE_JPEG_ENTROPY_H

#include "image/jpeg/huffman.h"

enum {
    JPG_BLOCKS = 6,  /* of an MCU, at most */
    JPG_QUAD = 256,  /* coefficients of four blocks side by side */
    JPG_STREAMS = 3, /* decoded at once; the fourth finds no registers left */
    JPG_STREAMS_MAX = 4,
    /* Zeros behind unstuffed bytes. A position is checked after each block, and a block
     * takes at most 64 x 26 bits; so no reader can pass them, whatever the bytes are. */
    JPG_PADDING = 512,
    JPG_UNSTUFF_SLACK = 64 /* that unstuff may write beyond that, before the zeros */
};

typedef enum jpg_result {
    JPG_OK = 0,
    JPG_BAD_CODE,
    JPG_CUT_SHORT,   /* the data end too early */
    JPG_BAD_RESTART, /* another marker where a restart marker belongs */
    JPG_TOO_LONG,    /* data left over where none may be */
    JPG_FINISHED     /* no fault: a run is read to its end */
} jpg_result;

/* Copies [from, end) without the zeros stuffed behind FF bytes, up to a marker; *stop is
 * where it stopped. JPG_PADDING zeros follow. Returns the bytes copied. `to` has room for
 * all, padding and slack. */
typedef size_t (*jpg_unstuff)(uint8_t *to,
                              const uint8_t *from,
                              const uint8_t *end,
                              const uint8_t **stop);

/* The scan of one JPEG, and where its coefficients go: for the MCUs of columns col0..col1
 * of rows row0..row1, blocks in quads int16[row 8][block 4][column 8], so that a load of
 * 64 bytes is one row of four blocks. */
typedef struct jpg_scan {
    const jpg_header *header;
    const jpg_table *dc[JPG_COMPONENTS], *ac[JPG_COMPONENTS];
    int blocks; /* of an MCU: component, and place in it */
    uint8_t component[JPG_BLOCKS], x[JPG_BLOCKS], y[JPG_BLOCKS];
    int16_t *coefs[JPG_COMPONENTS];
    size_t row_stride[JPG_COMPONENTS];   /* from one row of MCUs to the next */
    size_t block_stride[JPG_COMPONENTS]; /* from one row of blocks to the next */
    int row0, col0, row1, col1;
    const uint8_t *data; /* entropy-coded, and whatever follows in the file */
    size_t bytes;
    uint8_t *unstuffed; /* room for each stream */
    size_t room;
    jpg_unstuff unstuff;
} jpg_scan;

/* Some MCUs of one row, and where they lie. */
typedef struct jpg_run {
    uint32_t bit; /* in the data as they are, 8 x byte + bit of that byte */
    uint32_t end; /* byte */
    int16_t dc[JPG_COMPONENTS];
    int row, col, n;
    bool last; /* nothing may follow */
} jpg_run;

/* A place in the bits. `n` bits of `bits` are valid, from the top; more may be right. */
typedef struct jpg_bits {
    uint64_t bits;
    const uint8_t *next;
    uint32_t n;
} jpg_bits;

/* A sequential reader: what lies between two markers is unstuffed at a time. */
typedef struct jpg_cursor {
    jpg_bits at;
    const uint8_t *begin, *end; /* the unstuffed bytes */
    size_t from;                /* where those lie in the scan */
    size_t next;                /* what follows them there */
    size_t limit;
    uint32_t dc[JPG_COMPONENTS];
    int mcu; /* the next */
} jpg_cursor;

typedef struct jpg_entropy {
    /* Decodes runs, `streams` of them at once. */
    jpg_result (*runs)(const jpg_scan *s, const jpg_run *run, int n, int streams);
    /* Sets a cursor to a run's beginning, or to the scan's (NULL). */
    void (*start)(const jpg_scan *s, jpg_cursor *c, const jpg_run *run, size_t limit);
    /* Decodes up to MCU number `mcu`, keeping those inside of the scan's window. */
    jpg_result (*until)(const jpg_scan *s, jpg_cursor *c, int mcu);
} jpg_entropy;

#endif

/* Rows of pixels on their way from whoever makes them (a decoder, raw pixels) to whoever
 * takes them (a resizer): the taker lends the place for a row, the maker fills it. */
#ifndef IMAGE_ROWS_H
#define IMAGE_ROWS_H

#include <stddef.h>
#include <stdint.h>

enum { ROWS_SLACK = 64 }; /* bytes that may be written before and behind a plane's row */

/* A window of a picture, in its pixels. */
typedef struct image_box {
    int x, y, width, height;
} image_box;

typedef struct row_sink {
    void *to;
    /* Where row y of the window goes: R, G and B, `*stride` bytes apart. Rows come in
     * order 0, 1, 2... */
    uint8_t *(*get)(void *to, int y, size_t *stride);
    /* Row y is there; its first pixel lies at byte `offset` (0 or 1) of each plane. */
    void (*put)(void *to, int y, int offset);
    /* Forget all rows so far: they will come again from row 0 (another decoder took
     * over). */
    void (*restart)(void *to);
} row_sink;

#endif

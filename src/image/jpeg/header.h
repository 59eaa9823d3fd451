/* A JPEG's headers, as far as the decoder needs them. */
#ifndef IMAGE_JPEG_HEADER_H
#define IMAGE_JPEG_HEADER_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JPG_COMPONENTS = 3, JPG_BLOCK = 64 };

/* A Huffman table as the file gives it. */
typedef struct jpg_huffman {
    uint8_t counts[17]; /* of codes of 1..16 bits */
    uint8_t symbols[256];
    int n;
    bool present;
} jpg_huffman;

typedef struct jpg_component {
    int id, h, v;      /* sampling factors */
    int quant, dc, ac; /* which tables */
    int width, height; /* in its own samples */
} jpg_component;

typedef struct jpg_header {
    int width, height, components;
    int h_max, v_max;
    int mcus_x, mcus_y; /* MCUs in a row, rows of MCUs */
    int restart;        /* MCUs between restart markers; 0: none */
    jpg_component component[JPG_COMPONENTS];
    uint16_t quant[4][JPG_BLOCK]; /* in natural order */
    bool quant_present[4];
    jpg_huffman huffman[2][4]; /* DC, AC */
    size_t scan;               /* where the entropy-coded data begin */
} jpg_header;

/* UNSUPPORTED: not a JPEG that this decoder gives the same pixels for as libjpeg-turbo.
 * FORMAT: damaged. */
ASSAY_MUST_CHECK assay_status jpg_header_read(jpg_header *out,
                                              const uint8_t *jpeg,
                                              size_t n);

#endif

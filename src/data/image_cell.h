/* The cell of an image field: u8 mode, u16 width, u16 height, u64 pointer. */
#ifndef DATA_IMAGE_CELL_H
#define DATA_IMAGE_CELL_H

#include "base/le.h"
#include "file/beton.h"
#include "image/image.h"

enum { CELL_JPEG = 0, CELL_RAW = 1 };

typedef struct image_cell {
    int mode, width, height;
    uint64_t ptr;
} image_cell;

static inline image_cell image_cell_get(const uint8_t *cell) {
    return (image_cell){.mode = cell[0],
                        .width = le16_get(cell + 1),
                        .height = le16_get(cell + 3),
                        .ptr = le64_get(cell + 5)};
}

/* The payload of an image cell; FORMAT for an unknown mode, an empty image, raw pixels
 * whose number is not width x height x 3. */
ASSAY_MUST_CHECK assay_status image_cell_payload(const beton_file *f,
                                                 uint64_t sample,
                                                 int field,
                                                 const image_cell *c,
                                                 const uint8_t **data,
                                                 uint64_t *bytes);
/* The pixels of such a payload, upright: FFCV's files hold no EXIF, ours may (bytes that
 * were kept). A JPEG must have the cell's size as it is stored. */
ASSAY_MUST_CHECK assay_status image_cell_pixels(image *out,
                                                const image_cell *c,
                                                const uint8_t *data,
                                                uint64_t bytes);
/* Both, with the place in errors. */
ASSAY_MUST_CHECK assay_status image_cell_decode(image *out,
                                                const beton_file *f,
                                                uint64_t sample,
                                                int field);

#endif

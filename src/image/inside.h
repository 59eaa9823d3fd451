/* Inside of the image room: what image.c calls in the adapters. */
#ifndef IMAGE_INSIDE_H
#define IMAGE_INSIDE_H

#include "image/image.h"
#include "image/rows.h"

enum { IMAGE_MAX_SIDE = 65535, IMAGE_MAX_PIXELS = 1 << 28 };

/* SHAPE above the limits. */
ASSAY_MUST_CHECK assay_status image_check_size(uint64_t width, uint64_t height);
/* SHAPE for a window that is empty or reaches beyond the picture. */
ASSAY_MUST_CHECK assay_status image_check_box(const image_box *box, int width, int height);
/* FORMAT when so few bytes can't hold such an image: `bytes_each` is what one byte of a file may
 * stand for at the very most. Asked before memory is taken. */
ASSAY_MUST_CHECK assay_status
image_check_plausible(uint64_t decoded_bytes, size_t n, uint64_t bytes_each);

/* libjpeg.c; `info` without orientation */
ASSAY_MUST_CHECK assay_status jpeg_peek(assay_ctx *ctx, const uint8_t *data, size_t n,
                                        image_info *info);
ASSAY_MUST_CHECK assay_status jpeg_decode(image *out, const uint8_t *data, size_t n,
                                          bool fast_idct);
/* The rows of a window, equal to those of a whole decode. A window that reaches the last
 * row sees the file's end, and damage there. */
ASSAY_MUST_CHECK assay_status jpeg_decode_rows(const uint8_t *data, size_t n,
                                               const image_box *box, const row_sink *sink);
/* spng.c */
ASSAY_MUST_CHECK assay_status png_peek(assay_ctx *ctx, const uint8_t *data, size_t n,
                                       image_info *info);
ASSAY_MUST_CHECK assay_status png_decode(image *out, const uint8_t *data, size_t n);

/* exif.c: EXIF orientation of a JPEG or PNG file, 1..8; 1 when there is none that makes sense. */
int exif_orientation(image_kind kind, const uint8_t *data, size_t n);

#endif

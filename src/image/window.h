/* The rows of a window of any picture we can read: JPEG by our decoder where it can, by
 * libjpeg-turbo (skipping rows and columns) where it can't; PNG and turned pictures by a
 * whole decode; raw pixels as they lie. */
#ifndef IMAGE_WINDOW_H
#define IMAGE_WINDOW_H

#include "image/image.h"
#include "image/jpeg/jpeg.h"

typedef struct window_reader window_reader; /* of one thread */
ASSAY_MUST_CHECK assay_status window_reader_create(window_reader **out, assay_ctx *ctx);
void window_reader_destroy(window_reader *w); /* accepts NULL */

/* An encoded picture. `box` is in upright pixels when `orientation` (EXIF, 1..8) turns
 * it. A damaged picture is FORMAT, and nothing may be used of the rows that came; a whole
 * picture is judged as by image_decode, of a window only what decoding it shows. A
 * damaged `index` costs time only, unless it was made from another JPEG of the same
 * length: ask jpeg_index_matches once before trusting one. */
ASSAY_MUST_CHECK assay_status window_encoded(window_reader *w,
                                             const uint8_t *data,
                                             size_t n,
                                             const jpeg_index *index,
                                             int orientation,
                                             const image_box *box,
                                             const row_sink *sink);
/* Raw R, G, B bytes, rows `stride` bytes apart. */
void window_raw(const uint8_t *rgb,
                size_t stride,
                const image_box *box,
                const row_sink *sink);
/* What was decoded how, for bench and plan: by our decoder (of those, with an index), by
 * libjpeg-turbo, as a whole. `raw` is the caller's to count: raw pixels need no reader.
 */
typedef struct window_counts {
    uint64_t own, own_indexed, library, whole, raw;
} window_counts;
window_counts window_reader_counts(const window_reader *w);

#endif

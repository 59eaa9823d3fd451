/* Our own decoder for baseline JPEG: Huffman, accurate integer IDCT, fancy upsampling,
 * colour. It gives the same bytes as libjpeg-turbo, for the window asked for alone, and
 * with an index it does not read the entropy-coded data outside of that window either.
 * What it does not handle, or finds damaged, is left to libjpeg-turbo (image/window.h).
 */
#ifndef IMAGE_JPEG_JPEG_H
#define IMAGE_JPEG_JPEG_H

#include "base/buf.h"
#include "image/rows.h"

/* Tables and working memory of one thread; grows with the largest window met. */
typedef struct jpeg_decoder jpeg_decoder;
ASSAY_MUST_CHECK assay_status jpeg_decoder_create(jpeg_decoder **out, assay_ctx *ctx);
void jpeg_decoder_destroy(jpeg_decoder *d); /* accepts NULL */

/* The index of one JPEG, as bytes: {bit offset, DC values} every `interval` MCUs of each
 * MCU row. Bound to its JPEG by the payload's length and a hash that `index_matches`
 * checks; never trusted: whatever its bytes say, decoding stays inside the JPEG. */
typedef struct jpeg_index {
    const uint8_t *data;
    size_t bytes;
} jpeg_index;

/* Appends the index of a JPEG. UNSUPPORTED: not a JPEG this decoder handles. FORMAT:
 * damaged. `interval` 1 to 64; 8 is usual. */
ASSAY_MUST_CHECK assay_status
jpeg_index_build(buf *out, jpeg_decoder *d, const uint8_t *jpeg, size_t n, int interval);
/* Whether an index is well formed and was made from these very bytes (length and hash;
 * O(n)). */
bool jpeg_index_matches(const jpeg_index *index, const uint8_t *jpeg, size_t n);
/* The length of the JPEG that an index says it was made from; 0: it is none. O(1) */
uint64_t jpeg_index_length(const jpeg_index *index);

/* The window's rows into the sink. `index` may be NULL.
 * UNSUPPORTED, before any row: not ours. FORMAT, perhaps after some rows: damaged file or
 * index. The rows that came are exactly those of a full decode by libjpeg-turbo (accurate
 * IDCT, fancy upsampling). EXIF orientation is not looked at. */
ASSAY_MUST_CHECK assay_status jpeg_decode_window(jpeg_decoder *d,
                                                 const uint8_t *jpeg,
                                                 size_t n,
                                                 const jpeg_index *index,
                                                 const image_box *box,
                                                 const row_sink *sink);

#endif

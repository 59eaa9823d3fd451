/* Pixels: 8-bit RGB rasters, codecs, resize. Adapters to libraries: libjpeg.c, spng.c. */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include "base/buf.h"

typedef struct image {
    uint8_t *rgb; /* height x width x 3, rows packed */
    int width, height;
    size_t cap;   /* bytes owned, reused by the next decode */
    assay_ctx *ctx;
} image;

image image_make(assay_ctx *ctx);
void image_free(image *im);
/* Makes room for w x h. SHAPE above the limit (65535 a side, 2^28 pixels). */
ASSAY_MUST_CHECK assay_status image_resize_storage(image *im, int width, int height);

typedef enum image_kind { IMAGE_UNKNOWN, IMAGE_JPEG, IMAGE_PNG } image_kind;
image_kind image_sniff(const uint8_t *data, size_t n);

typedef struct image_info {
    image_kind kind;
    int width, height, components; /* as stored in the file */
    int orientation;               /* EXIF 1..8; 1 if none */
    int progressive;
} image_info;
ASSAY_MUST_CHECK assay_status image_peek(assay_ctx *ctx, const uint8_t *data, size_t n, image_info *out);

/* Size and turn of an encoded picture from its first markers: no library, no memory, no error
 * record. False: not a JPEG or PNG, or cut off there. */
typedef struct image_outline {
    image_kind kind;
    int width, height, orientation;
} image_outline;
bool image_outline_read(const uint8_t *data, size_t n, image_outline *out);

/* Decodes to RGB by stated rules: accurate integer IDCT, fancy upsampling; grey replicated; CMYK/YCCK
 * converted; palette and 16-bit reduced; alpha over white. EXIF orientation applied when asked.
 * A decoder's warning (truncated data, bad marker) is an error: FORMAT. @threads per image */
typedef struct image_decode_options {
    bool orient;
    bool fast_idct; /* FFCV's pixels (JDCT_IFAST), for comparison */
} image_decode_options;
ASSAY_MUST_CHECK assay_status image_decode(image *out, const uint8_t *data, size_t n, const image_decode_options *options);

/* JPEG: baseline, 4:2:0 (chroma_420) or 4:4:4, optimised tables off. PNG: RGB 8-bit. Appended to `out`. */
ASSAY_MUST_CHECK assay_status image_encode_jpeg(buf *out, const image *im, int quality, bool chroma_420);
ASSAY_MUST_CHECK assay_status image_encode_jpeg_gray(buf *out, const uint8_t *gray, int width, int height, int quality);
ASSAY_MUST_CHECK assay_status image_encode_png(buf *out, const image *im);

/* Area average when shrinking (exact box coverage), bilinear when enlarging; deterministic. Source
 * and destination HWC u8 with `channels` interleaved. */
ASSAY_MUST_CHECK assay_status image_resize(assay_ctx *ctx, const uint8_t *src, int sw, int sh, int channels, uint8_t *dst, int dw, int dh);
bool image_is_gray(const image *im); /* R = G = B throughout */
/* Turns and mirrors by an EXIF orientation (1..8; anything else leaves the image alone). `scratch`
 * lends its storage and gets the old pixels. NOMEM */
ASSAY_MUST_CHECK assay_status image_orient(image *im, int orientation, image *scratch);

#endif

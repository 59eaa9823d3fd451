/* The adapter to libspng. Any PNG becomes 8-bit RGB: palettes looked up, grey replicated,
 * of 16 bits the high byte, alpha over white. */
#include "image/inside.h"

#include <stdlib.h>
#include <string.h>

#include <spng.h>

enum {
    PNG_BYTES_PER_BYTE = 1032, /* deflate's best */
    PNG_CHUNK_LIMIT = 1 << 24, /* of one text or profile, unpacked */
    PNG_CACHE_LIMIT = 1 << 26,
};

static assay_status failed(int code) {
    if (code == SPNG_EMEM)
        return err_set(ASSAY_E_NOMEM, "no memory for a PNG");
    return err_set(ASSAY_E_FORMAT, "damaged PNG: %s", spng_strerror(code));
}

/* A reader over the bytes, its header read and checked. */
static assay_status
open_png(spng_ctx **out, struct spng_ihdr *head, const uint8_t *data, size_t n) {
    assay_status status = ASSAY_OK;
    spng_ctx *png = spng_ctx_new(0);
    int code = SPNG_EMEM;
    *out = NULL;
    if (!png ||
        (code = spng_set_image_limits(png, IMAGE_MAX_SIDE, IMAGE_MAX_SIDE)) != 0 ||
        (code = spng_set_chunk_limits(png, PNG_CHUNK_LIMIT, PNG_CACHE_LIMIT)) != 0 ||
        (code = spng_set_png_buffer(png, data, n)) != 0 ||
        (code = spng_get_ihdr(png, head)) != 0) {
        status = code == SPNG_EUSER_WIDTH || code == SPNG_EUSER_HEIGHT
                     ? image_check_size(UINT32_MAX, UINT32_MAX)
                     : failed(code);
        goto done;
    }
    ASSAY_TRY(image_check_size(head->width, head->height));
    *out = png;
    png = NULL;
done:
    spng_ctx_free(png);
    return status;
}

/* Samples of one pixel, as stored. */
static int channels_of(const struct spng_ihdr *head) {
    switch (head->color_type) {
    case SPNG_COLOR_TYPE_GRAYSCALE_ALPHA:
        return 2;
    case SPNG_COLOR_TYPE_TRUECOLOR:
        return 3;
    case SPNG_COLOR_TYPE_TRUECOLOR_ALPHA:
        return 4;
    default: /* grey or palette */
        return 1;
    }
}

assay_status png_peek(assay_ctx *ctx, const uint8_t *data, size_t n, image_info *info) {
    struct spng_ihdr head;
    spng_ctx *png;
    (void)ctx;
    assay_status status = open_png(&png, &head, data, n);
    if (status != ASSAY_OK)
        return status;
    spng_ctx_free(png);
    info->width = (int)head.width;
    info->height = (int)head.height;
    info->components = channels_of(&head);
    info->progressive = head.interlace_method != SPNG_INTERLACE_NONE;
    return ASSAY_OK;
}

/* Whether the file has its last chunk, whole: libspng is content without. */
static bool has_end(const uint8_t *p, size_t n) {
    size_t at = 8;
    while (n - at >= 12) {
        size_t length = (size_t)p[at] << 24 | (size_t)p[at + 1] << 16 |
                        (size_t)p[at + 2] << 8 | p[at + 3];
        if (memcmp(p + at + 4, "IEND", 4) == 0)
            return true;
        if (length > n - at - 12)
            break;
        at += length + 12;
    }
    return false;
}

static void over_white(uint8_t *rgb, const uint8_t *rgba, size_t pixels) {
    for (size_t i = 0; i < pixels; i++, rgb += 3, rgba += 4)
        for (int c = 0; c < 3; c++) {
            unsigned a = rgba[3];
            rgb[c] = (uint8_t)((rgba[c] * a + 255 * (255 - a) + 127) / 255);
        }
}

assay_status png_decode(image *out, const uint8_t *data, size_t n) {
    assay_status status = ASSAY_OK;
    struct spng_ihdr head;
    struct spng_trns trns;
    spng_ctx *png = NULL;
    uint8_t *rgba = NULL;
    int code;
    ASSAY_TRY(open_png(&png, &head, data, n));
    uint64_t row_bits =
        (uint64_t)head.width * (uint64_t)channels_of(&head) * head.bit_depth;
    ASSAY_TRY(
        image_check_plausible((row_bits / 8 + 1) * head.height, n, PNG_BYTES_PER_BYTE));
    ASSAY_TRY(image_resize_storage(out, (int)head.width, (int)head.height));
    size_t pixels = (size_t)head.width * head.height;
    code = spng_get_trns(png, &trns);
    if (code != 0 && code != SPNG_ECHUNKAVAIL)
        ASSAY_TRY(failed(code));
    bool alpha = code == 0 || channels_of(&head) == 2 || channels_of(&head) == 4;
    if (alpha) {
        rgba = mem_alloc(out->ctx, pixels * 4);
        if (!rgba)
            ASSAY_FAIL(ASSAY_E_NOMEM, "no memory for a PNG of %zu pixels", pixels);
        code = spng_decode_image(png, rgba, pixels * 4, SPNG_FMT_RGBA8, SPNG_DECODE_TRNS);
    } else {
        code = spng_decode_image(png, out->rgb, pixels * 3, SPNG_FMT_RGB8, 0);
    }
    if (code == 0)
        code = spng_decode_chunks(png); /* what follows the pixels */
    if (code == 0 && !has_end(data, n))
        code = SPNG_EOF;
    if (code != 0)
        ASSAY_TRY(failed(code));
    if (alpha)
        over_white(out->rgb, rgba, pixels);
done:
    spng_ctx_free(png);
    mem_free(out->ctx, rgba);
    return status;
}

assay_status image_encode_png(buf *out, const image *im) {
    assay_status status = ASSAY_OK;
    struct spng_ihdr head = {.width = (uint32_t)im->width,
                             .height = (uint32_t)im->height,
                             .bit_depth = 8,
                             .color_type = SPNG_COLOR_TYPE_TRUECOLOR};
    size_t bytes = 0;
    int code = SPNG_EMEM;
    void *file = NULL;
    spng_ctx *png = spng_ctx_new(SPNG_CTX_ENCODER);
    if (!png || (code = spng_set_option(png, SPNG_ENCODE_TO_BUFFER, 1)) != 0 ||
        (code = spng_set_ihdr(png, &head)) != 0 ||
        (code =
             spng_encode_image(png, im->rgb, (size_t)im->width * (size_t)im->height * 3,
                               SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE)) != 0 ||
        !(file = spng_get_png_buffer(png, &bytes, &code))) {
        status = code == SPNG_EMEM ? failed(code)
                                   : err_set(ASSAY_E_INVALID, "can't make a PNG: %s",
                                             spng_strerror(code));
        goto done;
    }
    buf_add(out, file, bytes);
    status = buf_check(out);
done:
    free(file);
    spng_ctx_free(png);
    return status;
}

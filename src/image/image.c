/* Rasters: storage, kinds of files, turning. What a file's bytes mean is the adapters'.
 */
#include "image/image.h"

#include "image/inside.h"

#include <inttypes.h>
#include <string.h>

/* ---- storage ---- */

image image_make(assay_ctx *ctx) {
    return (image){.ctx = ctx};
}

void image_free(image *im) {
    if (im->ctx)
        mem_free(im->ctx, im->rgb);
    *im = (image){.ctx = im->ctx};
}

assay_status image_check_size(uint64_t width, uint64_t height) {
    if (width == 0 || height == 0)
        return err_set(ASSAY_E_FORMAT, "an image of %" PRIu64 " x %" PRIu64 " pixels",
                       width, height);
    if (width <= IMAGE_MAX_SIDE && height <= IMAGE_MAX_SIDE &&
        width * height <= IMAGE_MAX_PIXELS)
        return ASSAY_OK;
    assay_status status = err_set(
        ASSAY_E_SHAPE, "an image of %" PRIu64 " x %" PRIu64 " pixels is too large", width,
        height);
    err_help("at most %d pixels a side and %d in all are read", (int)IMAGE_MAX_SIDE,
             (int)IMAGE_MAX_PIXELS);
    return status;
}

assay_status image_check_box(const image_box *box, int width, int height) {
    if (box->x >= 0 && box->y >= 0 && box->width >= 1 && box->height >= 1 &&
        box->x <= width - box->width && box->y <= height - box->height)
        return ASSAY_OK;
    return err_set(ASSAY_E_SHAPE, "a window of %d x %d at %d, %d in %d x %d pixels",
                   box->width, box->height, box->x, box->y, width, height);
}

assay_status
image_check_plausible(uint64_t decoded_bytes, size_t n, uint64_t bytes_each) {
    if (decoded_bytes / bytes_each <= n)
        return ASSAY_OK;
    return err_set(ASSAY_E_FORMAT,
                   "%zu bytes can't hold the image that the header promises", n);
}

assay_status image_resize_storage(image *im, int width, int height) {
    if (width < 0 || height < 0)
        return err_set(ASSAY_E_SHAPE, "an image of %d x %d pixels", width, height);
    assay_status status = image_check_size((uint64_t)width, (uint64_t)height);
    if (status != ASSAY_OK)
        return status;
    size_t bytes = (size_t)width * (size_t)height * 3;
    if (bytes > im->cap) {
        mem_free(im->ctx, im->rgb);
        im->width = im->height = 0;
        im->cap = 0;
        im->rgb = mem_alloc(im->ctx, bytes);
        if (!im->rgb)
            return err_set(ASSAY_E_NOMEM, "no memory for an image of %d x %d pixels",
                           width, height);
        im->cap = bytes;
    }
    im->width = width;
    im->height = height;
    return ASSAY_OK;
}

bool image_is_gray(const image *im) {
    size_t n = (size_t)im->width * (size_t)im->height;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *p = im->rgb + 3 * i;
        if (p[0] != p[1] || p[0] != p[2])
            return false;
    }
    return true;
}

/* ---- files ---- */

image_kind image_sniff(const uint8_t *data, size_t n) {
    if (n >= 3 && data[0] == 0xFF && data[1] == 0xD8 && data[2] == 0xFF)
        return IMAGE_JPEG;
    if (n >= 8 && memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0)
        return IMAGE_PNG;
    return IMAGE_UNKNOWN;
}

static assay_status unknown_kind(void) {
    assay_status status = err_set(ASSAY_E_FORMAT, "neither JPEG nor PNG");
    err_help("convert the image to one of these");
    return status;
}

assay_status image_peek(assay_ctx *ctx, const uint8_t *data, size_t n, image_info *out) {
    assay_status status = ASSAY_OK;
    image_info info = {.kind = image_sniff(data, n), .orientation = 1};
    *out = info;
    switch (info.kind) {
    case IMAGE_JPEG:
        status = jpeg_peek(ctx, data, n, &info);
        break;
    case IMAGE_PNG:
        status = png_peek(ctx, data, n, &info);
        break;
    case IMAGE_UNKNOWN:
        status = unknown_kind();
        break;
    }
    if (status != ASSAY_OK)
        return status;
    info.orientation = exif_orientation(info.kind, data, n);
    *out = info;
    return ASSAY_OK;
}

assay_status image_decode(image *out,
                          const uint8_t *data,
                          size_t n,
                          const image_decode_options *options) {
    static const image_decode_options plain = {0};
    assay_status status = ASSAY_OK;
    const image_decode_options *o = options ? options : &plain;
    image scratch = image_make(out->ctx);
    image_kind kind = image_sniff(data, n);
    switch (kind) {
    case IMAGE_JPEG:
        ASSAY_TRY(jpeg_decode(out, data, n, o->fast_idct));
        break;
    case IMAGE_PNG:
        ASSAY_TRY(png_decode(out, data, n));
        break;
    case IMAGE_UNKNOWN:
        ASSAY_TRY(unknown_kind());
        break;
    }
    if (o->orient)
        ASSAY_TRY(image_orient(out, exif_orientation(kind, data, n), &scratch));
done:
    if (status != ASSAY_OK)
        out->width = out->height = 0;
    image_free(&scratch);
    return status;
}

/* ---- turning ---- */

assay_status image_orient(image *im, int orientation, image *scratch) {
    /* Where the output's first pixel comes from, and whether x and y are exchanged. */
    static const struct {
        bool right, bottom, swap;
    } turn[9] = {{0},
                 {0},
                 {.right = true},
                 {.right = true, .bottom = true},
                 {.bottom = true},
                 {.swap = true},
                 {.bottom = true, .swap = true},
                 {.right = true, .bottom = true, .swap = true},
                 {.right = true, .swap = true}};
    if (orientation < 2 || orientation > 8 || im->width == 0)
        return ASSAY_OK;
    bool swap = turn[orientation].swap;
    int w = im->width, h = im->height;
    assay_status status = image_resize_storage(scratch, swap ? h : w, swap ? w : h);
    if (status != ASSAY_OK)
        return status;
    ptrdiff_t step_x = turn[orientation].right ? -3 : 3;
    ptrdiff_t step_y = turn[orientation].bottom ? -3 * (ptrdiff_t)w : 3 * (ptrdiff_t)w;
    size_t first = ((turn[orientation].bottom ? (size_t)(h - 1) * (size_t)w : 0) +
                    (turn[orientation].right ? (size_t)(w - 1) : 0)) *
                   3;
    ptrdiff_t along = swap ? step_y : step_x, down = swap ? step_x : step_y;
    uint8_t *to = scratch->rgb;
    for (int y = 0; y < scratch->height; y++) {
        ptrdiff_t at = (ptrdiff_t)first + y * down;
        for (int x = 0; x < scratch->width; x++, at += along, to += 3)
            memcpy(to, im->rgb + at, 3);
    }
    image turned = *scratch;
    *scratch = *im;
    *im = turned;
    return ASSAY_OK;
}

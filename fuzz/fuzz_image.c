/* JPEG and PNG: peek, decode by both rules, turn, shrink. */
#include "fuzz.h"
#include "image/image.h"

#include <string.h>

enum { PIXEL_LIMIT = 1 << 20, SIDE = 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    assay_ctx *ctx = fuzz_ctx();
    image_info info;
    uint8_t small[SIDE * SIDE * 3];
    (void)image_sniff(data, n);
    if (image_peek(ctx, data, n, &info) != ASSAY_OK ||
        (int64_t)info.width * info.height > PIXEL_LIMIT)
        return 0;
    image im = image_make(ctx);
    if (image_decode(&im, data, n, NULL) == ASSAY_OK) {
        size_t bytes = (size_t)im.width * (size_t)im.height * 3;
        if (im.width != info.width || im.height != info.height)
            abort();
        fuzz_touch(im.rgb, bytes);
        (void)image_is_gray(&im);
        fuzz_must(image_resize(ctx, im.rgb, im.width, im.height, 3, small, SIDE, SIDE));
    }
    const image_decode_options turned = {.orient = true, .fast_idct = true};
    if (image_decode(&im, data, n, &turned) == ASSAY_OK)
        fuzz_touch(im.rgb, (size_t)im.width * (size_t)im.height * 3);
    image_free(&im);
    return 0;
}

/* An orientation tag, to be put behind the first two bytes of a JPEG. */
static const uint8_t exif[] =
    "\xFF\xE1\x00\x22"
    "Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"
    "\0\0\0\0";

bool fuzz_seed(buf *out, int i) {
    assay_ctx *ctx = fuzz_ctx();
    image im = image_make(ctx);
    buf jpeg = buf_make(ctx);
    static const int sides[][2] = {{33, 17}, {16, 16}, {1, 1},
                                   {24, 40}, {8, 9},   {20, 11}};
    if (i >= 6)
        return false;
    fuzz_must(image_resize_storage(&im, sides[i][0], sides[i][1]));
    for (int k = 0; k < im.width * im.height * 3; k++)
        im.rgb[k] = (uint8_t)(k * k / 5 + k / 7);
    switch (i) {
    case 0:
        fuzz_must(image_encode_jpeg(out, &im, 75, true));
        break;
    case 1:
        fuzz_must(image_encode_jpeg(out, &im, 95, false));
        break;
    case 2:
        fuzz_must(image_encode_jpeg_gray(out, im.rgb, im.width, im.height, 50));
        break;
    case 3: /* turned */
        fuzz_must(image_encode_jpeg(&jpeg, &im, 60, true));
        buf_add(out, jpeg.data, 2);
        buf_add(out, exif, 36);
        buf_add(out, jpeg.data + 2, jpeg.len - 2);
        break;
    default:
        fuzz_must(image_encode_png(out, &im));
        break;
    }
    buf_free(&jpeg);
    image_free(&im);
    return true;
}

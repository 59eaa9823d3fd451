/* Storage, kinds, turning, the orientation tag. */
#include "base/testing.h"
#include "image/image.h"
#include "image/inside.h"

/* A 3 x 2 image whose pixels tell where they were: (x, y, 7). */
static void numbered(image *im) {
    assert_ok(image_resize_storage(im, 3, 2));
    for (int y = 0; y < 2; y++)
        for (int x = 0; x < 3; x++) {
            uint8_t *p = im->rgb + (y * 3 + x) * 3;
            p[0] = (uint8_t)x;
            p[1] = (uint8_t)y;
            p[2] = 7;
        }
}

static void storage(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    image im = image_make(ctx);
    assert_ok(image_resize_storage(&im, 10, 10));
    const uint8_t *first = im.rgb;
    assert_ok(image_resize_storage(&im, 5, 20)); /* fits: nothing is allocated */
    assert_ptr_equal(first, im.rgb);
    assert_int_equal(im.cap, 300);
    assert_fails(ASSAY_E_SHAPE, image_resize_storage(&im, 65536, 1));
    assert_fails(ASSAY_E_SHAPE, image_resize_storage(&im, 65535, 65535));
    assert_fails(ASSAY_E_SHAPE, image_resize_storage(&im, -1, 5));
    assert_fails(ASSAY_E_FORMAT, image_resize_storage(&im, 0, 5));
    image_free(&im);
    image_free(&im);
    assay_ctx_destroy(ctx);
}

static void gray(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    image im = image_make(ctx);
    assert_ok(image_resize_storage(&im, 4, 4));
    memset(im.rgb, 9, 48);
    assert_true(image_is_gray(&im));
    for (int i = 0; i < 48; i++) {
        im.rgb[i] = 10;
        assert_false(image_is_gray(&im));
        im.rgb[i] = 9;
    }
    image_free(&im);
    assay_ctx_destroy(ctx);
}

/* Where the pixel at (x, y) of an upright w x h picture lies in the stored one
 * (EXIF 2.3, 4.6.4). */
static void stored_at(int o, int x, int y, int w, int h, int *sx, int *sy) {
    switch (o) {
    case 2:
        *sx = w - 1 - x;
        *sy = y;
        break;
    case 3:
        *sx = w - 1 - x;
        *sy = h - 1 - y;
        break;
    case 4:
        *sx = x;
        *sy = h - 1 - y;
        break;
    case 5:
        *sx = y;
        *sy = x;
        break;
    case 6:
        *sx = y;
        *sy = w - 1 - x;
        break;
    case 7:
        *sx = h - 1 - y;
        *sy = w - 1 - x;
        break;
    case 8:
        *sx = h - 1 - y;
        *sy = x;
        break;
    default:
        *sx = x;
        *sy = y;
        break;
    }
}

static void turning(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    image im = image_make(ctx), scratch = image_make(ctx);
    for (int o = 0; o <= 9; o++) {
        numbered(&im);
        assert_ok(image_orient(&im, o, &scratch));
        bool swap = o >= 5 && o <= 8;
        assert_int_equal(im.width, swap ? 2 : 3);
        assert_int_equal(im.height, swap ? 3 : 2);
        for (int y = 0; y < im.height; y++)
            for (int x = 0; x < im.width; x++) {
                int sx, sy;
                stored_at(o, x, y, im.width, im.height, &sx, &sy);
                const uint8_t *p = im.rgb + (y * im.width + x) * 3;
                assert_int_equal(p[0], sx);
                assert_int_equal(p[1], sy);
                assert_int_equal(p[2], 7);
            }
    }
    image_free(&im);
    image_free(&scratch);
    assay_ctx_destroy(ctx);
}

/* An Exif block whose directory holds `value` for the orientation, in either byte order.
 */
static size_t exif_block(uint8_t *out, bool big, unsigned value) {
    static const uint8_t little[26] = "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0";
    static const uint8_t large[26] = "MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01";
    memcpy(out, big ? large : little, 26);
    out[18] = (uint8_t)(big ? value >> 8 : value);
    out[19] = (uint8_t)(big ? value : value >> 8);
    return 26;
}

/* Puts an APP1 segment behind the SOI of a JPEG. */
static size_t
with_exif(uint8_t *out, const uint8_t *jpeg, size_t n, const uint8_t *tiff, size_t m) {
    memcpy(out, jpeg, 2);
    out[2] = 0xFF;
    out[3] = 0xE1;
    out[4] = (uint8_t)((m + 8) >> 8);
    out[5] = (uint8_t)(m + 8);
    memcpy(out + 6, "Exif\0\0", 6);
    memcpy(out + 12, tiff, m);
    memcpy(out + 12 + m, jpeg + 2, n - 2);
    return n + m + 10;
}

static void orientation_tag(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    image im = image_make(ctx), back = image_make(ctx);
    buf b = buf_make(ctx);
    uint8_t tiff[26], file[4096];
    numbered(&im);
    assert_ok(image_encode_jpeg(&b, &im, 95, false));
    for (int big = 0; big < 2; big++)
        for (unsigned o = 0; o < 12; o++) {
            size_t m = exif_block(tiff, big, o);
            size_t n = with_exif(file, (const uint8_t *)b.data, b.len, tiff, m);
            image_info info;
            assert_ok(image_peek(ctx, file, n, &info));
            assert_int_equal(info.orientation, o >= 1 && o <= 8 ? o : 1);
            assert_int_equal(info.width, 3); /* as stored */
            assert_int_equal(info.height, 2);
            assert_ok(
                image_decode(&back, file, n, &(image_decode_options){.orient = true}));
            assert_int_equal(back.width, o >= 5 && o <= 8 ? 2 : 3);
            assert_ok(image_decode(&back, file, n, NULL));
            assert_int_equal(back.width, 3);
        }
    /* Cut and bent blocks: upright, whatever they say; reads stay inside (ASan). */
    size_t m = exif_block(tiff, false, 6);
    for (size_t cut = 0; cut < m; cut++) {
        size_t n = with_exif(file, (const uint8_t *)b.data, b.len, tiff, cut);
        uint8_t *tight = malloc(n);
        assert_non_null(tight);
        memcpy(tight, file, n);
        int got = exif_orientation(IMAGE_JPEG, tight, n);
        assert_int_equal(got, cut < 22 ? 1 : 6);
        for (size_t k = 0; k < n; k++) /* the walk over segments, cut anywhere */
            assert_in_range(exif_orientation(IMAGE_JPEG, tight + n - k, k), 1, 8);
        free(tight);
    }
    for (size_t i = 0; i < m; i++)
        for (unsigned x = 1; x < 256; x++) {
            tiff[i] ^= (uint8_t)x;
            size_t n = with_exif(file, (const uint8_t *)b.data, b.len, tiff, m);
            assert_in_range(exif_orientation(IMAGE_JPEG, file, n), 1, 8);
            tiff[i] ^= (uint8_t)x;
        }
    buf_free(&b);
    image_free(&im);
    image_free(&back);
    assay_ctx_destroy(ctx);
}

/* Memory of ours runs out; libjpeg's and libspng's own is theirs. */
static void no_memory(void **state) {
    (void)state;
    long left;
    assay_ctx *ctx = test_ctx_failing(&left);
    image im = image_make(ctx);
    buf jpeg = buf_make(ctx), png = buf_make(ctx);
    numbered(&im);
    assert_ok(image_encode_jpeg(&jpeg, &im, 90, true));
    assert_ok(image_encode_png(&png, &im));
    for (int kind = 0; kind < 3; kind++) {
        assay_status status = ASSAY_E_NOMEM;
        const buf *file = kind == 0 ? &jpeg : &png;
        for (long k = 0; status != ASSAY_OK; k++) {
            image out = image_make(ctx);
            uint8_t small[3 * 4];
            left = k;
            status = kind < 2 ? image_decode(&out, (const uint8_t *)file->data, file->len,
                                             NULL)
                              : image_resize(ctx, im.rgb, 3, 2, 3, small, 2, 2);
            assert_true(status == ASSAY_OK || status == ASSAY_E_NOMEM);
            image_free(&out);
            left = LONG_MAX;
        }
    }
    buf_free(&jpeg);
    buf_free(&png);
    image_free(&im);
    assay_ctx_destroy(ctx);
}

static void sniffing(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    image im = image_make(ctx);
    image_info info;
    assert_int_equal(image_sniff((const uint8_t *)"\xFF\xD8\xFF\xE0", 4), IMAGE_JPEG);
    assert_int_equal(image_sniff((const uint8_t *)"\x89PNG\r\n\x1a\n", 8), IMAGE_PNG);
    assert_int_equal(image_sniff((const uint8_t *)"\x89PNG\r\n\x1a\n", 7), IMAGE_UNKNOWN);
    assert_int_equal(image_sniff((const uint8_t *)"GIF89a", 6), IMAGE_UNKNOWN);
    assert_int_equal(image_sniff(NULL, 0), IMAGE_UNKNOWN);
    assert_fails(ASSAY_E_FORMAT, image_peek(ctx, (const uint8_t *)"GIF89a", 6, &info));
    assert_fails(ASSAY_E_FORMAT, image_decode(&im, NULL, 0, NULL));
    assert_int_equal(im.width, 0);
    image_free(&im);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(storage),  cmocka_unit_test(gray),
        cmocka_unit_test(turning),  cmocka_unit_test(orientation_tag),
        cmocka_unit_test(sniffing), cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

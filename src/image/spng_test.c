/* PNG: every colour type by the stated rules, and damage that must be an error. */
#include "base/testing.h"
#include "image/image.h"

#include <spng.h>

/* A PNG of any kind, made with libspng's own encoder. */
static uint8_t *make(size_t *n,
                     struct spng_ihdr head,
                     const struct spng_plte *palette,
                     const struct spng_trns *trns,
                     const void *pixels,
                     size_t bytes) {
    spng_ctx *png = spng_ctx_new(SPNG_CTX_ENCODER);
    int code;
    assert_non_null(png);
    assert_int_equal(spng_set_option(png, SPNG_ENCODE_TO_BUFFER, 1), 0);
    assert_int_equal(spng_set_ihdr(png, &head), 0);
    if (palette)
        assert_int_equal(spng_set_plte(png, (struct spng_plte *)(uintptr_t)palette), 0);
    if (trns)
        assert_int_equal(spng_set_trns(png, (struct spng_trns *)(uintptr_t)trns), 0);
    /* SPNG_FMT_PNG takes 16-bit samples in the machine's order. */
    code = spng_encode_image(png, pixels, bytes, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
    assert_int_equal(code, 0);
    uint8_t *out = spng_get_png_buffer(png, n, &code);
    assert_non_null(out);
    spng_ctx_free(png);
    return out;
}

static void expect(assay_ctx *ctx,
                   uint8_t *file,
                   const size_t *n,
                   int components,
                   const uint8_t *want,
                   size_t pixels) {
    image im = image_make(ctx);
    image_info info;
    assert_ok(image_peek(ctx, file, *n, &info));
    assert_int_equal(info.kind, IMAGE_PNG);
    assert_int_equal(info.components, components);
    assert_ok(image_decode(&im, file, *n, NULL));
    assert_int_equal((size_t)im.width * (size_t)im.height, pixels);
    assert_memory_equal(im.rgb, want, pixels * 3);
    image_free(&im);
    free(file);
}

static void colour_types(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    size_t n;
    struct spng_ihdr h = {.width = 2, .height = 1, .bit_depth = 8};

    h.color_type = SPNG_COLOR_TYPE_GRAYSCALE;
    const uint8_t gray[2] = {10, 250}, gray_rgb[6] = {10, 10, 10, 250, 250, 250};
    expect(ctx, make(&n, h, NULL, NULL, gray, 2), &n, 1, gray_rgb, 2);

    h.bit_depth = 1;
    const uint8_t bits[1] = {0x40}, bits_rgb[6] = {0, 0, 0, 255, 255, 255};
    expect(ctx, make(&n, h, NULL, NULL, bits, 1), &n, 1, bits_rgb, 2);

    h.bit_depth = 16;
    const uint16_t deep[2] = {0x12FF, 0xFF00};
    const uint8_t deep_rgb[6] = {0x12, 0x12, 0x12, 0xFF, 0xFF, 0xFF};
    expect(ctx, make(&n, h, NULL, NULL, deep, 4), &n, 1, deep_rgb, 2);

    h.color_type = SPNG_COLOR_TYPE_TRUECOLOR;
    const uint16_t deep3[6] = {0x12FF, 0, 0x80FF, 0xFFFF, 0x00FF, 0x0100};
    const uint8_t deep3_rgb[6] = {0x12, 0, 0x80, 0xFF, 0, 1};
    expect(ctx, make(&n, h, NULL, NULL, deep3, 12), &n, 3, deep3_rgb, 2);

    h.bit_depth = 8;
    h.color_type = SPNG_COLOR_TYPE_TRUECOLOR_ALPHA;
    const uint8_t rgba[8] = {10, 20, 30, 255, 100, 0, 200, 51};
    const uint8_t over[6] = {10,
                             20,
                             30,
                             (100 * 51 + 255 * 204 + 127) / 255,
                             (255 * 204 + 127) / 255,
                             (200 * 51 + 255 * 204 + 127) / 255};
    expect(ctx, make(&n, h, NULL, NULL, rgba, 8), &n, 4, over, 2);

    h.color_type = SPNG_COLOR_TYPE_GRAYSCALE_ALPHA;
    const uint8_t ga[4] = {77, 255, 77, 0}, ga_rgb[6] = {77, 77, 77, 255, 255, 255};
    expect(ctx, make(&n, h, NULL, NULL, ga, 4), &n, 2, ga_rgb, 2);

    h.color_type = SPNG_COLOR_TYPE_INDEXED;
    struct spng_plte palette = {.n_entries = 2, .entries = {{1, 2, 3, 0}, {4, 5, 6, 0}}};
    struct spng_trns clear = {.n_type3_entries = 1, .type3_alpha = {0}};
    const uint8_t index[2] = {1, 0}, index_rgb[6] = {4, 5, 6, 1, 2, 3};
    const uint8_t clear_rgb[6] = {4, 5, 6, 255, 255, 255};
    expect(ctx, make(&n, h, &palette, NULL, index, 2), &n, 1, index_rgb, 2);
    expect(ctx, make(&n, h, &palette, &clear, index, 2), &n, 1, clear_rgb, 2);

    h.color_type = SPNG_COLOR_TYPE_TRUECOLOR;
    struct spng_trns key = {.red = 9, .green = 8, .blue = 7};
    const uint8_t keyed[6] = {9, 8, 7, 9, 8, 6}, keyed_rgb[6] = {255, 255, 255, 9, 8, 6};
    expect(ctx, make(&n, h, NULL, &key, keyed, 6), &n, 3, keyed_rgb, 2);
    assay_ctx_destroy(ctx);
}

static void scene(image *im, int w, int h) {
    assert_ok(image_resize_storage(im, w, h));
    for (int i = 0; i < w * h * 3; i++)
        im->rgb[i] = (uint8_t)(i * i / 7 + i);
}

static void round_trip(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    image im = image_make(ctx), back = image_make(ctx);
    buf b = buf_make(ctx);
    static const int sizes[][2] = {{1, 1}, {3, 5}, {64, 33}};
    for (size_t i = 0; i < 3; i++) {
        size_t pixels = (size_t)(sizes[i][0] * sizes[i][1]);
        scene(&im, sizes[i][0], sizes[i][1]);
        buf_clear(&b);
        assert_ok(image_encode_png(&b, &im));
        assert_ok(image_decode(&back, (const uint8_t *)b.data, b.len, NULL));
        assert_memory_equal(im.rgb, back.rgb, pixels * 3);
    }
    image empty = image_make(ctx);
    assert_true(image_encode_png(&b, &empty) != ASSAY_OK);
    buf_free(&b);
    image_free(&im);
    image_free(&back);
    assay_ctx_destroy(ctx);
}

/* Every cut and every changed byte is an error: chunks carry checksums. */
static void damage(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    image im = image_make(ctx), back = image_make(ctx);
    buf b = buf_make(ctx);
    scene(&im, 20, 10);
    assert_ok(image_encode_png(&b, &im));
    for (size_t cut = 0; cut < b.len; cut++) {
        uint8_t *tight = malloc(cut ? cut : 1);
        assert_non_null(tight);
        memcpy(tight, b.data, cut);
        assert_fails(ASSAY_E_FORMAT, image_decode(&back, tight, cut, NULL));
        assert_int_equal(back.width, 0);
        free(tight);
    }
    for (size_t i = 0; i < b.len; i++) {
        b.data[i] = (char)(b.data[i] ^ 1);
        assert_true(image_decode(&back, (const uint8_t *)b.data, b.len, NULL) !=
                    ASSAY_OK);
        b.data[i] = (char)(b.data[i] ^ 1);
    }
    assert_ok(image_decode(&back, (const uint8_t *)b.data, b.len, NULL));
    buf_free(&b);
    image_free(&im);
    image_free(&back);
    assay_ctx_destroy(ctx);
}

/* PNG's CRC-32, to give a changed header a right checksum. */
static uint32_t crc32(const uint8_t *p, size_t n) {
    uint32_t c = 0xFFFFFFFFu;
    for (size_t i = 0; i < n; i++) {
        c ^= p[i];
        for (int k = 0; k < 8; k++)
            c = c & 1 ? c >> 1 ^ 0xEDB88320u : c >> 1;
    }
    return ~c;
}

static void huge_dimensions(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    image im = image_make(ctx), back = image_make(ctx);
    buf b = buf_make(ctx);
    scene(&im, 4, 4);
    assert_ok(image_encode_png(&b, &im));
    static const uint32_t sides[][2] = {
        {65535, 4000}, {65536, 1}, {1, 65536}, {65535, 65535}, {0x7FFFFFFF, 0x7FFFFFFF},
        {0, 4}};
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        uint8_t *p = (uint8_t *)b.data + 16;
        for (int k = 0; k < 8; k++)
            p[k] = (uint8_t)(sides[i][k / 4] >> (24 - 8 * (k % 4)));
        uint32_t crc = crc32(p - 4, 17);
        for (int k = 0; k < 4; k++)
            p[13 + k] = (uint8_t)(crc >> (24 - 8 * k));
        assay_status status = image_decode(&back, (const uint8_t *)b.data, b.len, NULL);
        assert_int_equal(status, i == 0 || i == 5 ? ASSAY_E_FORMAT : ASSAY_E_SHAPE);
        assert_int_equal(back.cap, 0);
    }
    buf_free(&b);
    image_free(&im);
    image_free(&back);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colour_types),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(damage),
        cmocka_unit_test(huge_dimensions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

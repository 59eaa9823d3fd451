/* JPEG: the pixels that libjpeg-turbo itself gives (golden), stated rules for grey and
 * four inks, and damage that must be an error. */
#include "base/hash.h"
#include "base/json.h"
#include "base/testing.h"
#include "image/image.h"

#include <jpeglib.h>

/* A picture with slopes and edges. */
static void scene(image *im, int w, int h) {
    assert_ok(image_resize_storage(im, w, h));
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            uint8_t *p = im->rgb + ((size_t)y * (size_t)w + (size_t)x) * 3;
            p[0] = (uint8_t)(x * 255 / w);
            p[1] = (uint8_t)(y * 255 / h);
            p[2] = (x / 8 + y / 8) % 2 ? 220 : 30;
        }
}

static double mean_difference(const image *a, const image *b) {
    double sum = 0;
    size_t n = (size_t)a->width * (size_t)a->height * 3;
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    for (size_t i = 0; i < n; i++)
        sum += abs(a->rgb[i] - b->rgb[i]);
    return sum / (double)n;
}

/* Pixels of an .npy of uint8: what follows its header. */
static void check_npy(assay_ctx *ctx, const char *path, const image *im) {
    size_t n;
    uint8_t *file = test_get(ctx, path, &n);
    size_t head = 10 + (size_t)(file[8] | file[9] << 8);
    size_t pixels = (size_t)im->width * (size_t)im->height * 3;
    assert_int_equal(n - head, pixels);
    assert_memory_equal(file + head, im->rgb, pixels);
    mem_free(ctx, file);
}

/* Every jpg image of a golden .beton, found through its list, exactly. */
static int check_golden(const uint8_t *beton, const char *name) {
    char path[256];
    assay_ctx *ctx = test_ctx(1);
    image im = image_make(ctx);
    size_t bytes;
    int seen = 0;
    json_doc *doc;
    (void)snprintf(path, sizeof path, "golden/%s.json", name);
    uint8_t *text = test_get(ctx, test_shared(path).text, &bytes);
    assert_ok(json_parse(&doc, ctx, (const char *)text, bytes));
    const json_val *samples = json_get(json_root(doc), "samples");
    for (size_t s = 0; s < json_len(samples); s++) {
        const json_val *v = json_get(json_at(samples, s), "image");
        if (strcmp(json_get_str(json_get(v, "mode"), ""), "jpg") != 0)
            continue;
        const uint8_t *jpeg = beton + json_get_int(json_get(v, "ptr"), 0);
        size_t n = (size_t)json_get_int(json_get(v, "size"), 0);
        image_info info;
        assert_ok(image_peek(ctx, jpeg, n, &info));
        assert_int_equal(info.kind, IMAGE_JPEG);
        assert_int_equal(info.width, json_get_int(json_get(v, "w"), 0));
        assert_int_equal(info.height, json_get_int(json_get(v, "h"), 0));
        assert_int_equal(info.components, 3);
        assert_int_equal(info.orientation, 1);
        assert_false(info.progressive);
        assert_ok(image_decode(&im, jpeg, n, NULL));
        (void)snprintf(path, sizeof path, "golden/%s.%03zu.0.islow.npy", name, s);
        check_npy(ctx, test_shared(path).text, &im);
        assert_ok(image_decode(&im, jpeg, n, &(image_decode_options){.fast_idct = true}));
        (void)snprintf(path, sizeof path, "golden/%s.%03zu.0.ifast.npy", name, s);
        check_npy(ctx, test_shared(path).text, &im);
        seen++;
    }
    json_doc_destroy(doc);
    mem_free(ctx, text);
    image_free(&im);
    assay_ctx_destroy(ctx);
    return seen;
}

static void golden_all_fields(void **state) {
    (void)state;
    test_path p = test_shared("golden/allfields.beton");
    assay_ctx *ctx = test_ctx(1);
    size_t n;
    uint8_t *beton = test_get(ctx, p.text, &n);
    assert_int_equal(check_golden(beton, "allfields"), 7);
    mem_free(ctx, beton);
    assay_ctx_destroy(ctx);
}

static void golden_two_writers(void **state) {
    (void)state;
    test_path p = test_shared("golden/jpg2w.beton.gz");
    test_scratch dir = test_scratch_begin();
    test_path plain = test_in(&dir, "jpg2w.beton");
    test_gunzip(&p, &plain);
    assay_ctx *ctx = test_ctx(1);
    size_t n;
    uint8_t *beton = test_get(ctx, plain.text, &n);
    assert_int_equal(check_golden(beton, "jpg2w"), 10);
    mem_free(ctx, beton);
    assay_ctx_destroy(ctx);
    test_scratch_end(&dir);
}

static void round_trip(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    image im = image_make(ctx), back = image_make(ctx);
    buf a = buf_make(ctx), b = buf_make(ctx);
    image_info info;
    static const int sizes[][2] = {{1, 1}, {7, 5}, {8, 8}, {17, 33}, {160, 120}};
    for (size_t i = 0; i < 5; i++) {
        scene(&im, sizes[i][0], sizes[i][1]);
        buf_clear(&a);
        buf_clear(&b);
        assert_ok(image_encode_jpeg(&a, &im, 95, false));
        assert_ok(image_encode_jpeg(&b, &im, 95, false));
        assert_int_equal(a.len, b.len);
        assert_memory_equal(a.data, b.data, a.len);
        assert_ok(image_decode(&back, (const uint8_t *)a.data, a.len, NULL));
        assert_true(mean_difference(&im, &back) < 3);
        assert_ok(image_encode_jpeg(&a, &im, 90, true)); /* appended */
        assert_ok(
            image_decode(&back, (const uint8_t *)a.data + b.len, a.len - b.len, NULL));
        assert_int_equal(back.width, sizes[i][0]);
    }
    /* grey: one component, replicated when decoded */
    uint8_t gray[12 * 9];
    for (int i = 0; i < 12 * 9; i++)
        gray[i] = (uint8_t)(i * 2);
    buf_clear(&a);
    assert_ok(image_encode_jpeg_gray(&a, gray, 12, 9, 95));
    assert_ok(image_peek(ctx, (const uint8_t *)a.data, a.len, &info));
    assert_int_equal(info.components, 1);
    assert_ok(image_decode(&back, (const uint8_t *)a.data, a.len, NULL));
    assert_true(image_is_gray(&back));
    for (int i = 0; i < 12 * 9; i++)
        assert_in_range(back.rgb[3 * i], gray[i] > 8 ? gray[i] - 8 : 0, gray[i] + 8);
    assert_fails(ASSAY_E_INVALID, image_encode_jpeg(&a, &im, 0, true));
    assert_fails(ASSAY_E_INVALID, image_encode_jpeg(&a, &im, 101, true));
    assert_fails(ASSAY_E_SHAPE, image_encode_jpeg_gray(&a, gray, 70000, 1, 90));
    buf_free(&a);
    buf_free(&b);
    image_free(&im);
    image_free(&back);
    assay_ctx_destroy(ctx);
}

/* A JPEG of 16 x 16 equal pixels made with libjpeg's own interface: kinds that we do not
 * write. */
static unsigned char *flat(unsigned long *n,
                           J_COLOR_SPACE space,
                           int components,
                           const uint8_t *pixel,
                           bool adobe,
                           bool progressive) {
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr e;
    unsigned char *out = NULL, row[16 * 4], *rows[1] = {row};
    *n = 0;
    c.err = jpeg_std_error(&e);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &out, n);
    c.image_width = c.image_height = 16;
    c.input_components = components;
    c.in_color_space = space;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, 100, TRUE);
    c.write_Adobe_marker = adobe;
    if (progressive)
        jpeg_simple_progression(&c);
    for (int x = 0; x < 16; x++)
        memcpy(row + x * components, pixel, (size_t)components);
    jpeg_start_compress(&c, TRUE);
    while (c.next_scanline < 16)
        (void)jpeg_write_scanlines(&c, rows, 1);
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    return out;
}

static void other_kinds(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    image im = image_make(ctx);
    image_info info;
    unsigned long n;
    const uint8_t inks[4] = {255, 100, 0, 51}, light[3] = {10, 200, 90};
    for (int adobe = 0; adobe < 2; adobe++) {
        unsigned char *file = flat(&n, JCS_CMYK, 4, inks, adobe, false);
        assert_ok(image_peek(ctx, file, n, &info));
        assert_int_equal(info.components, 4);
        assert_ok(image_decode(&im, file, n, NULL));
        for (int c = 0; c < 3; c++) {
            int pass = adobe ? inks[c] : 255 - inks[c],
                black = adobe ? inks[3] : 255 - inks[3];
            int want = (pass * black + 127) / 255;
            assert_in_range(im.rgb[c] + 2, want > 0 ? want : 0, want + 4);
        }
        free(file);
    }
    unsigned char *file = flat(&n, JCS_RGB, 3, light, false, true);
    assert_ok(image_peek(ctx, file, n, &info));
    assert_true(info.progressive);
    assert_ok(image_decode(&im, file, n, NULL));
    for (int c = 0; c < 3; c++)
        assert_in_range(im.rgb[c] + 2, light[c], light[c] + 4);
    free(file);
    image_free(&im);
    assay_ctx_destroy(ctx);
}

static void every_cut(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    image im = image_make(ctx), back = image_make(ctx);
    buf b = buf_make(ctx);
    scene(&im, 40, 30);
    assert_ok(image_encode_jpeg(&b, &im, 85, true));
    for (size_t cut = 0; cut < b.len; cut++) {
        uint8_t *tight = malloc(cut ? cut : 1);
        assert_non_null(tight);
        memcpy(tight, b.data, cut);
        assert_fails(ASSAY_E_FORMAT, image_decode(&back, tight, cut, NULL));
        assert_int_equal(back.width, 0);
        free(tight);
    }
    /* bytes changed: an error or an image of some size, never a crash */
    int errors = 0;
    for (size_t i = 2; i < b.len; i++) {
        uint8_t kept = (uint8_t)b.data[i];
        b.data[i] = (char)(kept ^ (1u << i % 8));
        image_info info;
        if (image_peek(ctx, (const uint8_t *)b.data, b.len, &info) != ASSAY_OK ||
            image_decode(&back, (const uint8_t *)b.data, b.len, NULL) != ASSAY_OK)
            errors++;
        b.data[i] = (char)kept;
    }
    assert_true(errors > 100);
    buf_free(&b);
    image_free(&im);
    image_free(&back);
    assay_ctx_destroy(ctx);
}

/* Dimensions that the bytes can't fill are refused before memory is taken. */
static void huge_dimensions(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    image im = image_make(ctx), back = image_make(ctx);
    buf b = buf_make(ctx);
    scene(&im, 16, 16);
    assert_ok(image_encode_jpeg(&b, &im, 85, true));
    for (size_t i = 0; i + 9 < b.len; i++)
        if ((uint8_t)b.data[i] == 0xFF && (uint8_t)b.data[i + 1] == 0xC0) {
            static const uint8_t big[][4] = {
                {0xFF, 0xFF, 0xFF, 0xFF}, {0xFD, 0xE8, 0xFD, 0xE8}, {0x40, 0, 0x40, 0}};
            for (size_t k = 0; k < 3; k++) {
                memcpy(b.data + i + 5, big[k], 4);
                assay_status status =
                    image_decode(&back, (const uint8_t *)b.data, b.len, NULL);
                assert_true(status == ASSAY_E_FORMAT || status == ASSAY_E_SHAPE);
            }
            assert_int_equal(back.cap, 0); /* nothing was allocated for them */
            break;
        }
    buf_free(&b);
    image_free(&im);
    image_free(&back);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_all_fields), cmocka_unit_test(golden_two_writers),
        cmocka_unit_test(round_trip),        cmocka_unit_test(other_kinds),
        cmocka_unit_test(every_cut),         cmocka_unit_test(huge_dimensions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

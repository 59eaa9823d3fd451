/* Our decoder on photos of the field: each one whole, and 2,000 windows, equal to
 * libjpeg-turbo's whole decode; intervals, instruction sets and numbers of streams take
 * turns. All combinations: bench/jpeg --verify. */
#include "base/testing.h"
#include "image/jpeg/decoder.h"
#include "image/testing.h"

enum { WINDOWS = 2000 };

typedef struct setup {
    assay_ctx *ctx;
    jpeg_decoder *decoder;
    image whole;
    kept_rows kept;
    buf index;
    rng r;
    int photos, windows;
} setup;

static void check_window(
    setup *s, const uint8_t *jpeg, size_t n, const jpeg_index *index, image_box box) {
    row_sink sink = kept_begin(&s->kept, box.width, box.height);
    assert_ok(jpeg_decode_window(s->decoder, jpeg, n, index, &box, &sink));
    if (!kept_equals(&s->kept, &s->whole, &box))
        fail_msg("photo %d: %d x %d at %d, %d differs", s->photos, box.width, box.height,
                 box.x, box.y);
}

static void check_photo(setup *s, const uint8_t *jpeg, size_t n, int windows) {
    static const int intervals[] = {1, 4, 8, 16, 32};
    int turn = s->photos;
    cpu_isa best = cpu_detect();
    jpg_decoder_tune(s->decoder, (cpu_isa)(turn % ((int)best + 1)), 1 + turn % 4, false);
    assert_ok(image_decode(&s->whole, jpeg, n, NULL));
    int w = s->whole.width, h = s->whole.height;
    buf_clear(&s->index);
    assert_ok(jpeg_index_build(&s->index, s->decoder, jpeg, n, intervals[turn % 5]));
    jpeg_index index = {(const uint8_t *)s->index.data, s->index.len};
    assert_true(jpeg_index_matches(&index, jpeg, n));
    check_window(s, jpeg, n, turn % 2 ? &index : NULL, (image_box){0, 0, w, h});
    for (int i = 0; i < windows; i++, s->windows++) {
        image_box box =
            i % 2 ? draw_window(&s->r, w, h, 40) : draw_crop(&s->r, w / 2, h / 2);
        check_window(s, jpeg, n, i % 4 < 2 ? &index : NULL, box);
    }
    s->photos++;
}

static void check_archive(const char *name) {
    test_path path = test_shared(name);
    setup s = {.ctx = test_ctx(1)};
    size_t n, bytes, at = 0, count = 0;
    uint8_t *tar = test_get(s.ctx, path.text, &n);
    assert_ok(jpeg_decoder_create(&s.decoder, s.ctx));
    s.whole = image_make(s.ctx);
    s.index = buf_make(s.ctx);
    s.r = rng_at(1, RNG_TEST, 0, 0);
    for (const uint8_t *data; (data = tar_next(tar, n, &at, &bytes));)
        count += image_sniff(data, bytes) == IMAGE_JPEG;
    assert_true(count > 0);
    at = 0;
    for (const uint8_t *data; (data = tar_next(tar, n, &at, &bytes));)
        if (image_sniff(data, bytes) == IMAGE_JPEG)
            check_photo(&s, data, bytes, (int)(WINDOWS / count) + 1);
    assert_int_equal(s.photos, count);
    assert_true(s.windows >= WINDOWS);
    kept_free(&s.kept);
    buf_free(&s.index);
    image_free(&s.whole);
    jpeg_decoder_destroy(s.decoder);
    mem_free(s.ctx, tar);
    assay_ctx_destroy(s.ctx);
}

static void photos(void **state) {
    (void)state;
    check_archive("data/photos/photos500.tar");
}

static void imagenette(void **state) {
    (void)state;
    check_archive("data/photos/imagenette224.tar");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(photos),
        cmocka_unit_test(imagenette),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

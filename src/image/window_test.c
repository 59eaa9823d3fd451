/* Windows of every kind of picture equal those of a whole decode, whoever decodes them;
 * damage is FORMAT, and rows that came before it are taken back. */
#include "base/testing.h"
#include "image/output_kernels.h"
#include "image/testing.h"
#include "image/window.h"

typedef struct setup {
    assay_ctx *ctx;
    window_reader *reader;
    image source, whole, scratch;
    kept_rows kept;
    buf file, index;
    rng r;
} setup;

static setup begin(int width, int height) {
    setup s = {.ctx = test_ctx(1), .r = rng_at(1, RNG_TEST, 0, 0)};
    assert_ok(window_reader_create(&s.reader, s.ctx));
    s.source = image_make(s.ctx);
    s.whole = image_make(s.ctx);
    s.scratch = image_make(s.ctx);
    s.file = buf_make(s.ctx);
    s.index = buf_make(s.ctx);
    assert_ok(image_resize_storage(&s.source, width, height));
    for (int i = 0; i < width * height * 3; i++)
        s.source.rgb[i] = (uint8_t)(i / 7 + (int)rng_below(&s.r, 30));
    return s;
}

static void end(setup *s) {
    kept_free(&s->kept);
    buf_free(&s->file);
    buf_free(&s->index);
    image_free(&s->source);
    image_free(&s->whole);
    image_free(&s->scratch);
    window_reader_destroy(s->reader);
    window_reader_destroy(NULL);
    assay_ctx_destroy(s->ctx);
}

static assay_status
read(setup *s, const jpeg_index *index, int orientation, image_box box) {
    row_sink sink = kept_begin(&s->kept, box.width, box.height);
    return window_encoded(s->reader, (const uint8_t *)s->file.data, s->file.len, index,
                          orientation, &box, &sink);
}

/* Some windows of s->file, against the whole one, turned. */
static void check_windows(setup *s, const jpeg_index *index, int orientation) {
    assert_ok(image_decode(&s->whole, (const uint8_t *)s->file.data, s->file.len, NULL));
    assert_ok(image_orient(&s->whole, orientation, &s->scratch));
    for (int i = 0; i < 10; i++) {
        image_box box = draw_window(&s->r, s->whole.width, s->whole.height, 200);
        assert_ok(read(s, index, orientation, box));
        assert_true(kept_equals(&s->kept, &s->whole, &box));
    }
}

static void every_way(void **state) {
    (void)state;
    setup s = begin(120, 90);
    jpeg_decoder *d;
    assert_ok(image_encode_jpeg(&s.file, &s.source, 90, true));
    check_windows(&s, NULL, 1);
    assert_int_equal(window_reader_counts(s.reader).own, 10);
    assert_ok(jpeg_decoder_create(&d, s.ctx));
    assert_ok(jpeg_index_build(&s.index, d, (const uint8_t *)s.file.data, s.file.len, 2));
    jpeg_index index = {(const uint8_t *)s.index.data, s.index.len};
    check_windows(&s, &index, 0);
    assert_int_equal(window_reader_counts(s.reader).own, 20);
    assert_int_equal(window_reader_counts(s.reader).own_indexed, 10);
    for (int turn = 2; turn <= 8; turn++)
        check_windows(&s, &index, turn);
    assert_int_equal(window_reader_counts(s.reader).whole, 70);
    buf_clear(&s.file);
    assert_ok(image_encode_png(&s.file, &s.source));
    check_windows(&s, NULL, 1);
    check_windows(&s, NULL, 6);
    window_counts c = window_reader_counts(s.reader);
    assert_int_equal(c.whole, 90);
    assert_int_equal(c.library, 0);
    jpeg_decoder_destroy(d);
    end(&s);
}

/* Chroma too narrow for us: the library's. */
static void left_to_library(void **state) {
    (void)state;
    setup s = begin(4, 50);
    assert_ok(image_encode_jpeg(&s.file, &s.source, 90, true));
    check_windows(&s, NULL, 1);
    assert_int_equal(window_reader_counts(s.reader).library, 10);
    assert_int_equal(window_reader_counts(s.reader).own, 0);
    end(&s);
}

/* An index that leads astray midway: the rows so far are taken back. */
static void bad_index(void **state) {
    (void)state;
    setup s = begin(120, 200);
    jpeg_decoder *d;
    assert_ok(image_encode_jpeg(&s.file, &s.source, 90, false));
    const uint8_t *jpeg = (const uint8_t *)s.file.data;
    assert_ok(jpeg_decoder_create(&d, s.ctx));
    assert_ok(jpeg_index_build(&s.index, d, jpeg, s.file.len, 8));
    jpeg_index index = {(const uint8_t *)s.index.data, s.index.len};
    assert_true(jpeg_index_matches(&index, jpeg, s.file.len));
    assert_false(jpeg_index_matches(&index, jpeg, s.file.len - 1));
    assert_ok(image_decode(&s.whole, jpeg, s.file.len, NULL));
    image_box box = {0, 0, 120, 200};
    /* the data's end, then where the last row begins, then the length of it all */
    s.index.data[20]--;
    assert_false(jpeg_index_matches(&index, jpeg, s.file.len));
    assert_ok(read(&s, &index, 1, box));
    assert_true(kept_equals(&s.kept, &s.whole, &box));
    s.index.data[20]++;
    memset(s.index.data + s.index.len - 20, 0xFF, 4);
    assert_ok(read(&s, &index, 1, box));
    assert_true(kept_equals(&s.kept, &s.whole, &box));
    index.bytes--;
    assert_ok(read(&s, &index, 1, box));
    index.bytes = 3;
    assert_ok(read(&s, &index, 1, box));
    assert_int_equal(window_reader_counts(s.reader).own, 4);
    assert_int_equal(window_reader_counts(s.reader).own_indexed, 0);
    jpeg_decoder_destroy(d);
    end(&s);
}

static void damage(void **state) {
    (void)state;
    setup s = begin(200, 700);
    assert_ok(image_encode_jpeg(&s.file, &s.source, 95, true));
    size_t n = s.file.len;
    image_box whole = {0, 0, 200, 700}, top = {20, 10, 100, 60};
    s.file.len = n * 9 / 10; /* cut: seen by whom it concerns */
    assert_fails(ASSAY_E_FORMAT, read(&s, NULL, 1, whole));
    assert_true(s.kept.restarts > 0);
    assert_ok(read(&s, NULL, 1, top));
    s.file.len = n - 2; /* no end marker */
    assert_fails(ASSAY_E_FORMAT, read(&s, NULL, 1, whole));
    s.file.len = 20;
    assert_fails(ASSAY_E_FORMAT, read(&s, NULL, 1, top));
    s.file.len = 0;
    assert_fails(ASSAY_E_FORMAT, read(&s, NULL, 1, top));
    s.file.len = n;
    static const image_box bad[] = {{-1, 0, 5, 5},  {0, -1, 5, 5},     {0, 0, 0, 5},
                                    {0, 0, 5, 0},   {196, 0, 5, 5},    {0, 696, 5, 5},
                                    {0, 0, 201, 5}, {0, 0, 5, 1 << 30}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        row_sink sink = kept_begin(&s.kept, 5, 5);
        for (int turn = 1; turn <= 2; turn++)
            assert_fails(ASSAY_E_SHAPE,
                         window_encoded(s.reader, (const uint8_t *)s.file.data, n, NULL,
                                        turn, &bad[i], &sink));
        assert_int_equal(s.kept.next, 0);
    }
    end(&s);
}

/* Raw pixels, by every instruction set, from memory that ends with the last pixel. */
static void raw_pixels(void **state) {
    (void)state;
    setup s = begin(90, 40);
    for (int i = 0; i < 50; i++) {
        image_box box = draw_window(&s.r, 90, 40, 100);
        row_sink sink = kept_begin(&s.kept, box.width, box.height);
        window_raw(s.source.rgb, 3 * 90, &box, &sink);
        assert_true(kept_equals(&s.kept, &s.source, &box));
    }
    for (size_t n = 1; n < 130; n++) {
        enum { STRIDE = 200 };
        const image_output bytes = {.type = OUTPUT_U8, .planar = true, .channels = 3};
        uint8_t planes[3 * STRIDE], *rgb = malloc(3 * n);
        assert_non_null(rgb);
        memcpy(rgb, s.source.rgb, 3 * n);
        for (int isa = 0; isa <= (int)cpu_detect(); isa++) {
            memset(planes, 0, sizeof planes);
            output_kernels_for((cpu_isa)isa)->planar(&bytes, rgb, n, planes, STRIDE);
            for (size_t k = 0; k < 3 * n; k++)
                assert_int_equal(planes[k % 3 * STRIDE + k / 3], rgb[k]);
        }
        free(rgb);
    }
    end(&s);
}

/* Memory that runs out anywhere is NOMEM, and everything is given back. */
static void no_memory(void **state) {
    (void)state;
    setup s = begin(64, 64);
    assert_ok(image_encode_jpeg(&s.file, &s.source, 90, true));
    long left;
    assay_ctx *ctx = test_ctx_failing(&left);
    image_box box = {3, 5, 50, 40};
    bool succeeded = false;
    for (long n = 0; n < 40 && !succeeded; n++) {
        window_reader *w;
        left = n;
        assay_status status = window_reader_create(&w, ctx);
        for (int turn = 1; turn <= 6 && status == ASSAY_OK; turn += 5) {
            row_sink sink = kept_begin(&s.kept, box.width, box.height);
            status = window_encoded(w, (const uint8_t *)s.file.data, s.file.len, NULL,
                                    turn, &box, &sink);
        }
        succeeded = status == ASSAY_OK;
        if (!succeeded)
            assert_int_equal(status, ASSAY_E_NOMEM);
        window_reader_destroy(w);
        left = LONG_MAX;
    }
    assert_true(succeeded);
    assay_ctx_destroy(ctx);
    end(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way),  cmocka_unit_test(left_to_library),
        cmocka_unit_test(bad_index),  cmocka_unit_test(damage),
        cmocka_unit_test(raw_pixels), cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

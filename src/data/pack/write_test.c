/* The public writer: every field type there and back, rules for images, what is refused,
 * and that a killed writer leaves nothing. */
#include <assay/data.h>
#include <assay/write.h>

#include "base/os.h"
#include "data/dataset.h"
#include "data/testing.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAMPLES = 300 };
static const int64_t shape[] = {2, 2};
static const assay_field all_fields[] = {
    {.type = ASSAY_FIELD_IMAGE, .name = "image"},
    {.type = ASSAY_FIELD_INT, .name = "label"},
    {.type = ASSAY_FIELD_FLOAT, .name = "weight"},
    {.type = ASSAY_FIELD_BYTES, .name = "bytes"},
    {.type = ASSAY_FIELD_NDARRAY,
     .name = "array",
     .typestr = "<u2",
     .ndim = 2,
     .dim = shape},
    {.type = ASSAY_FIELD_JSON, .name = "json"},
    {.type = ASSAY_FIELD_TENSOR,
     .name = "tensor",
     .typestr = "|u1",
     .ndim = 1,
     .dim = shape},
    {.type = ASSAY_FIELD_CUSTOM,
     .name = "custom_of_16_chr",
     .cell_bytes = 9,
     .cell_align = 1,
     .has_payload = 1,
     .ptr_offset = 1},
};
enum { FIELDS = sizeof all_fields / sizeof all_fields[0] };

static uint8_t noise(uint64_t s, uint64_t i) {
    return (uint8_t)(s * 31 + i * 7);
}

static assay_status add(assay_writer *w, uint64_t s) {
    uint8_t pixels[4 * 6 * 4], bytes[64], cell[9] = {(uint8_t)s};
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = noise(s, i);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = noise(s, i);
    int channels = 1 + (int)(s % 4);
    const assay_value values[FIELDS] = {
        {.data = pixels,
         .bytes = 24 * (size_t)channels,
         .width = 6,
         .height = 4,
         .channels = channels},
        {.integer = (int64_t)(s % 2)},
        {.number = -0.25 * (double)s},
        {.data = bytes, .bytes = s % 40},
        {.data = bytes, .bytes = 8},
        {.data = "{\"a\": 1}", .bytes = 8},
        {.data = bytes, .bytes = 2},
        {.data = bytes, .bytes = s % 3, .cell = cell},
    };
    return assay_writer_add(w, values);
}

static void write_all(assay_ctx *ctx, const char *path, char sha[65]) {
    static const char *const classes[] = {"even", "odd"};
    assay_writer_options o = ASSAY_WRITER_OPTIONS_INIT;
    assay_writer *w;
    o.force = 1;
    o.mode = "raw";
    o.classes = classes;
    o.n_classes = 2;
    o.train_rows = 200;
    assert_ok(assay_writer_create(&w, ctx, path, all_fields, FIELDS, SAMPLES, &o));
    for (uint64_t s = 0; s < SAMPLES; s++)
        assert_ok(add(w, s));
    assert_ok(assay_writer_commit(w, sha));
    assay_writer_destroy(w);
}

/* The stated rules: grey is copied to three channels, alpha is laid over white. */
static uint8_t want_pixel(uint64_t s, size_t pixel, size_t c) {
    size_t channels = 1 + s % 4, colours = channels - (channels % 2 == 0);
    uint32_t v = noise(s, pixel * channels + (colours == 1 ? 0 : c));
    if (channels % 2 == 0) {
        uint32_t a = noise(s, pixel * channels + channels - 1);
        v = (v * a + 255 * (255 - a) + 127) / 255;
    }
    return (uint8_t)v;
}

static void there_and_back(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(2), *one = test_ctx(1);
    test_scratch dir = test_scratch_begin();
    test_path path = test_in(&dir, "x.beton"), again = test_in(&dir, "y.beton");
    char sha[65], other[65], *json;
    write_all(ctx, path.text, sha);
    write_all(one, again.text, other);
    assert_string_equal(sha, other);
    size_t n, m;
    uint8_t *p = test_get(ctx, path.text, &n), *q = test_get(ctx, again.text, &m);
    assert_int_equal(n, m);
    assert_memory_equal(p, q, n);
    mem_free(ctx, p);
    mem_free(ctx, q);
    assert_ok(assay_beton_verify(ctx, path.text, 0, NULL));
    assert_ok(assay_beton_info(ctx, path.text, &json));
    assert_non_null(strstr(json, "\"custom\""));
    assert_non_null(strstr(json, sha));
    assay_string_free(ctx, json);
    beton_file *f;
    dataset *d;
    const uint8_t *data;
    uint64_t bytes;
    assert_ok(dataset_open(&d, ctx, path.text));
    assert_int_equal(dataset_train_rows(d), 200);
    assert_string_equal(dataset_class_name(d, 1), "odd");
    dataset_close(d);
    assert_ok(beton_open(&f, ctx, path.text));
    for (uint64_t s = 0; s < SAMPLES; s++) {
        assert_int_equal(le64_get(beton_cell(f, s, 1)), s % 2);
        assert_true(le_f64_get(beton_cell(f, s, 2)) == -0.25 * (double)s);
        assert_int_equal(beton_cell(f, s, 7)[0], (uint8_t)s);
        static const int payloads[] = {0, 3, 4, 5, 6, 7};
        const uint64_t want[] = {72, s % 40, 8, 9, 2, s % 3};
        for (size_t k = 0; k < 6; k++) {
            int i = payloads[k];
            uint64_t ptr =
                le64_get(beton_cell(f, s, i) + beton_field_at(f, i)->ptr_offset);
            assert_ok(beton_payload(f, s, i, ptr, i == 4 || i == 6 ? want[k] : 0, &data,
                                    &bytes));
            if (i != 7 || s % 3 != 0)
                assert_int_equal(bytes, want[k]);
            for (uint64_t b = 0; i != 0 && i != 5 && b < want[k]; b++)
                assert_int_equal(data[b], noise(s, b));
            for (size_t b = 0; i == 0 && b < 72; b++)
                assert_int_equal(data[b], want_pixel(s, b / 3, b % 3));
        }
    }
    beton_close(f);
    test_scratch_end(&dir);
    assay_ctx_destroy(one);
    assay_ctx_destroy(ctx);
}

static void refusals(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch dir = test_scratch_begin();
    test_path path = test_in(&dir, "x.beton");
    assay_writer *w;
    assay_field f[2] = {{.type = ASSAY_FIELD_BYTES, .name = "a"},
                        {.type = ASSAY_FIELD_JSON, .name = "b"}};
    assay_writer_options o = ASSAY_WRITER_OPTIONS_INIT;
#define REFUSED(change)                                                                  \
    do {                                                                                 \
        assay_field kept = f[1];                                                         \
        change;                                                                          \
        assert_fails(ASSAY_E_INVALID,                                                    \
                     assay_writer_create(&w, ctx, path.text, f, 2, 1, &o));              \
        assert_null(w);                                                                  \
        f[1] = kept;                                                                     \
        o = (assay_writer_options)ASSAY_WRITER_OPTIONS_INIT;                             \
    } while (0)
    REFUSED(f[1].name = "a");
    REFUSED(f[1].name = "seventeen letters");
    REFUSED(f[1].name = "");
    REFUSED(f[1].name = NULL);
    REFUSED(f[1].name = "\xc3\xa9");
    REFUSED(f[1].type = (assay_field_type)9);
    REFUSED(f[1].type = ASSAY_FIELD_NDARRAY);
    REFUSED(f[1].type = ASSAY_FIELD_CUSTOM);
    REFUSED((f[1].type = ASSAY_FIELD_CUSTOM, f[1].cell_bytes = 7, f[1].cell_align = 1,
             f[1].has_payload = 1));
    REFUSED(o.page_size = 1 << 20);
    REFUSED(o.page_size = (1 << 22) + 1);
    REFUSED(o.page_size = UINT64_C(1) << 32);
    REFUSED(o.mode = "bmp");
    REFUSED(o.quality = 101);
    REFUSED(o.train_rows = 2);
#undef REFUSED
    assert_false(os_exists(path.text));
    /* larger than a page: the error says what helps */
    o.page_size = 1 << 21;
    uint8_t *large = calloc(1, (1 << 21) + 1);
    assert_non_null(large);
    assay_value v[2] = {{.data = large, .bytes = (1 << 21) + 1},
                        {.data = "1", .bytes = 1}};
    assert_ok(assay_writer_create(&w, ctx, path.text, f, 2, 1, &o));
    assert_ok(assay_writer_add(w, v));
    assert_fails(ASSAY_E_SHAPE, assay_writer_commit(w, NULL));
    assert_non_null(strstr(assay_last_error()->where, "sample 0"));
    assert_non_null(strstr(assay_last_error()->help, "--page-size 4194304"));
    assert_fails(ASSAY_E_INVALID, assay_writer_commit(w, NULL));
    assay_writer_destroy(w);
    free(large);
    /* JSON that is none; too few and too many samples */
    v[0] = (assay_value){0};
    v[1] = (assay_value){.data = "{", .bytes = 1};
    assert_ok(assay_writer_create(&w, ctx, path.text, f, 2, 1, NULL));
    assert_fails(ASSAY_E_INVALID, assay_writer_commit(w, NULL));
    assay_writer_destroy(w);
    assert_ok(assay_writer_create(&w, ctx, path.text, f, 2, 1, NULL));
    assert_ok(assay_writer_add(w, v));
    assert_fails(ASSAY_E_INVALID, assay_writer_add(w, v));
    assay_writer_destroy(w);
    assert_ok(assay_writer_create(&w, ctx, path.text, f, 2, 1, NULL));
    assert_ok(assay_writer_add(w, v));
    assert_fails(ASSAY_E_FORMAT, assay_writer_commit(w, NULL));
    assert_non_null(strstr(assay_last_error()->where, "sample 0, field 'b'"));
    assay_writer_destroy(w);
    assert_false(os_exists(path.text));
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

/* A process that is killed while it writes: what was there stays whole. */
static void killed(void **unused) {
    (void)unused;
    test_scratch dir = test_scratch_begin();
    test_path path = test_in(&dir, "x.beton");
    test_put(path.text, "old", 3);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        assay_ctx *ctx = test_ctx(1);
        assay_writer_options o = ASSAY_WRITER_OPTIONS_INIT;
        assay_writer *w = NULL;
        o.force = 1;
        if (assay_writer_create(&w, ctx, path.text, all_fields, FIELDS, SAMPLES, &o) !=
            ASSAY_OK)
            _exit(1);
        for (uint64_t s = 0; s < SAMPLES - 1; s++)
            if (add(w, s) != ASSAY_OK)
                _exit(1);
        (void)raise(SIGKILL);
        _exit(1);
    }
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    assay_ctx *ctx = test_ctx(1);
    size_t n;
    uint8_t *p = test_get(ctx, path.text, &n);
    assert_int_equal(n, 3);
    assert_memory_equal(p, "old", 3);
    mem_free(ctx, p);
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(there_and_back),
                                       cmocka_unit_test(refusals),
                                       cmocka_unit_test(killed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Sources that claim too much, and memory that runs out: every importer ends with an
 * error, keeps nothing, and takes no more than it was told it may. */
#include "data/source/spool.h"
#include "data/source/table.h"
#include "data/source/tar.h"
#include "data/source/values.h"
#include "data/testing.h"

#include "file/npy.h"

#include <stdlib.h>

/* ---- memory ---- */

static void put_sources(const test_scratch *s) {
    assay_ctx *ctx = test_ctx(1);
    buf b = buf_make(ctx), packed = buf_make(ctx);
    static const int64_t images[] = {3, 2, 2}, labels[] = {3};
    put_in(s, "csv/1.jpg", "x", 1);
    put_in(s, "csv/2.jpg", "x", 1);
    buf_str(&b,
            "path,label,split,n,note\n1.jpg,dog,train,1,\"a, b\"\n2.jpg,cat,test,2,c\n");
    put_buf(s, "csv/t.csv", &b);
    buf_str(
        &b,
        "{\"path\": \"1.jpg\", \"label\": 1, \"n\": 2, \"text\": \"x\", \"l\": []}\n"
        "{\"path\": \"2.jpg\", \"label\": 0, \"n\": 3, \"text\": \"y\", \"l\": {}}\n");
    put_buf(s, "csv/t.jsonl", &b);
    for (int k = 0; k < 3; k++) {
        char name[32];
        snprintf(name, sizeof name, "k%d.jpg", k);
        test_tar_text(&b, name, "x");
        snprintf(name, sizeof name, "k%d.cls", k);
        test_tar_text(&b, name, k == 1 ? "1" : "0");
        snprintf(name, sizeof name, "k%d.json", k);
        test_tar_text(&b, name, "{}");
        snprintf(name, sizeof name, "k%d.note.txt", k);
        test_tar_text(&b, name, "text");
    }
    test_tar_end(&b);
    put_in(s, "a.tar", b.data, b.len);
    gzip_stored(&packed, b.data, b.len);
    put_buf(s, "b.tar.gz", &packed);
    buf_free(&b);
    test_tar_text(&b, "labels.csv", "path,label,name\n1.jpg,1,dog\n2.jpg,0,cat\n");
    test_tar_text(&b, "1.jpg", "x");
    test_tar_text(&b, "2.jpg", "x");
    test_tar_end(&b);
    put_buf(s, "c.tar", &b);
    cifar100_records(&b, 3, 0);
    put_buf(s, "cifar/train.bin", &b);
    put_in(s, "npy/classes.txt", "a\nb\nc\n", 6);
    assert_ok(npy_put(ctx, test_in(s, "npy/images.npy").text, ASSAY_U8, 3, images,
                      "abcdefghijkl"));
    assert_ok(
        npy_put(ctx, test_in(s, "npy/labels.npy").text, ASSAY_U8, 1, labels, "\0\1\2"));
    assay_ctx_destroy(ctx);
}

/* Opens a source and fetches everything. */
static assay_status use(assay_ctx *ctx, const char *path) {
    test_source o;
    import_image im = {.ctx = ctx};
    import_cell cell = {.ctx = ctx};
    assay_status status = test_source_open(&o, ctx, path);
    for (size_t row = 0; status == ASSAY_OK && row < o.list.rows; row++) {
        if (!o.list.no_image)
            status = o.importer->fetch(o.state, &o.list, row, &im);
        for (size_t c = 0; c < o.list.columns && status == ASSAY_OK; c++)
            status = o.importer->fetch_cell(o.state, &o.list, row, c, &cell);
    }
    import_image_free(&im);
    import_cell_free(&cell);
    test_source_close(&o);
    return status;
}

static void memory_runs_out(void **unused) {
    (void)unused;
    static const char *const sources[] = {"csv/t.csv", "csv/t.jsonl", "a.tar", "b.tar.gz",
                                          "c.tar",     "cifar",       "npy"};
    test_scratch s = test_scratch_begin();
    put_sources(&s);
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        long left, n = 0;
        assay_ctx *ctx = test_ctx_failing(&left);
        test_path path = test_in(&s, sources[i]);
        /* FORMAT: detection takes a folder that it can't list for none of its kind */
        for (assay_status status = ASSAY_E_NOMEM; status != ASSAY_OK && n < 5000; n++) {
            left = n;
            status = use(ctx, path.text);
            if (status != ASSAY_OK && status != ASSAY_E_FORMAT)
                assert_fails(ASSAY_E_NOMEM, status);
            left = LONG_MAX;
        }
        assert_true(n > 5 && n < 5000);
        assay_ctx_destroy(ctx);
    }
    test_scratch_end(&s);
}

/* ---- packed files ---- */

static assay_status endless(void *from, void *dst, size_t n, size_t *got) {
    uint64_t *read = from;
    memset(dst, 7, n);
    *got = n;
    *read += n;
    return ASSAY_OK;
}

static void unpacking_is_bounded(void **unused) {
    (void)unused;
    spool s;
    uint64_t read = 0;
    assert_fails(ASSAY_E_FORMAT, spool_fill(&s, endless, &read, 300000, "bomb.gz"));
    assert_non_null(strstr(assay_last_error()->message, "more than 300000 bytes"));
    assert_string_equal(assay_last_error()->where, "bomb.gz");
    assert_int_equal(s.bytes, 300000);
    assert_true(read < 300000 + (1 << 17));
    spool_close(&s);
    /* a folder that can't be written to */
    test_scratch t = test_scratch_begin();
    char *cache = getenv("ASSAY_CACHE"), *kept = cache ? strdup(cache) : NULL;
    assert_int_equal(setenv("ASSAY_CACHE", test_in(&t, "absent").text, 1), 0);
    assert_fails(ASSAY_E_INVALID, spool_fill(&s, endless, &read, 10, "x.gz"));
    assert_non_null(strstr(assay_last_error()->where, "absent"));
    assert_non_null(strstr(assay_last_error()->help, "TMPDIR"));
    spool_close(&s);
    /* nothing stays where it can be written to */
    assert_int_equal(setenv("ASSAY_CACHE", t.folder, 1), 0);
    assert_fails(ASSAY_E_FORMAT, spool_fill(&s, endless, &read, 10, "x.gz"));
    assay_ctx *ctx = test_ctx(1);
    assert_int_equal(test_count_files(ctx, &t), 0);
    spool_close(&s);
    if (kept)
        assert_int_equal(setenv("ASSAY_CACHE", kept, 1), 0);
    else
        assert_int_equal(unsetenv("ASSAY_CACHE"), 0);
    free(kept);
    test_scratch_end(&t);
    assay_ctx_destroy(ctx);
}

/* ---- tar ---- */

static void fix_sum(uint8_t *h) {
    unsigned sum = 0;
    memset(h + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++)
        sum += h[i];
    snprintf((char *)h + 148, 8, "%06o", sum);
}

static void tar_refused(buf *b, const char *what) {
    tar_member m;
    bool more;
    tar_reader r = tar_begin(b->data, b->len);
    assay_status status;
    do
        status = tar_next(&r, &m, &more);
    while (status == ASSAY_OK && more);
    assert_fails(ASSAY_E_FORMAT, status);
    if (strstr(assay_last_error()->message, what) == NULL)
        fail_msg("'%s', expected '%s'", assay_last_error()->message, what);
    buf_clear(b);
}

static void tar_claims(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    buf b = buf_make(ctx);
    /* GNU's binary sizes: one that passes 63 bits, one larger than the file */
    test_tar_header(&b, "x", '0', 0);
    memset(b.data + 124, 0xff, 12);
    fix_sum((uint8_t *)b.data);
    tar_refused(&b, "size is not a number");
    test_tar_header(&b, "x", '0', 0);
    memset(b.data + 124, 0, 12);
    b.data[124] = (char)0x80;
    b.data[128] = 0x7f;
    fix_sum((uint8_t *)b.data);
    tar_refused(&b, "ends early");
    test_tar_header(&b, "x", '0', 0);
    memcpy(b.data + 124, "7z", 2);
    fix_sum((uint8_t *)b.data);
    tar_refused(&b, "size is not a number");
    /* pax: sizes and lengths that are not what they say */
    static const char *const records[] = {"28 size=99999999999999999999\n",
                                          "9 size=x\n",
                                          "99 path=a\n",
                                          "0 path=a\n",
                                          "9path=a\n",
                                          "9 nothing\n",
                                          "11 path=ab"};
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        test_tar_text(&b, "pax", records[i]);
        b.data[156] = 'x';
        fix_sum((uint8_t *)b.data);
        test_tar_text(&b, "x", "y");
        tar_refused(&b, "pax header");
    }
    /* headers about headers of a megabyte, and names without end */
    char *large = calloc(1, (1 << 20) + 512);
    memset(large, 'n', (1 << 20) + 1);
    test_tar_header(&b, "long", 'L', (1 << 20) + 1);
    buf_add(&b, large, (1 << 20) + 512);
    tar_refused(&b, "more than 1 MB");
    test_tar_header(&b, "long", 'L', 5000);
    buf_add(&b, large, 5120);
    tar_refused(&b, "4,095 bytes");
    free(large);
    test_tar_header(&b, "", '0', 0);
    tar_refused(&b, "without a name");
    buf_free(&b);
    assay_ctx_destroy(ctx);
}

/* ---- words ---- */

static void words(void **unused) {
    (void)unused;
    int64_t i;
    double d;
    static const char *const whole[] = {"0", "-0", "+7", "9223372036854775807",
                                        "-9223372036854775808"};
    static const char *const none[] = {"",
                                       "-",
                                       "1.0",
                                       "1 ",
                                       "0x1",
                                       "9223372036854775808",
                                       "-9223372036854775809",
                                       "99999999999999999999"};
    for (size_t k = 0; k < 5; k++)
        assert_true(value_int(&i, whole[k], strlen(whole[k])) &&
                    i == strtoll(whole[k], NULL, 10));
    for (size_t k = 0; k < 8; k++)
        assert_false(value_int(&i, none[k], strlen(none[k])));
    static const char *const number[] = {"1", "-.5", "2.", "1e3", "1E-3", "+1.5e+2"};
    static const char *const no[] = {"",    ".",   "e1",  "1e", "1e+",
                                     "nan", "inf", "0x1", "1 "};
    for (size_t k = 0; k < 6; k++)
        assert_true(value_number(&d, number[k], strlen(number[k])) &&
                    d == strtod(number[k], NULL));
    for (size_t k = 0; k < 9; k++)
        assert_false(value_number(&d, no[k], strlen(no[k])));
    char out[IMPORT_PATH_BYTES], name[8];
    assert_ok(value_path(out, ".//a/./b//c", 11));
    assert_string_equal(out, "a/b/c");
    assert_fails(ASSAY_E_INVALID, value_path(out, "a/..", 4));
    assert_fails(ASSAY_E_INVALID, value_path(out, "a\0b", 3));
    assert_fails(ASSAY_E_INVALID, value_path(out, "./", 2));
    assert_ok(value_path(out, "..a/b..", 7));
    value_file_name(name, sizeof name, "../x");
    assert_string_equal(name, "_._x");
    value_file_name(name, sizeof name, "");
    assert_string_equal(name, "_");
    value_file_name(name, sizeof name, "abcdef\xc3\xa9"); /* not cut inside a character */
    assert_string_equal(name, "abcdef");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(unpacking_is_bounded),
        cmocka_unit_test(tar_claims),
        cmocka_unit_test(words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

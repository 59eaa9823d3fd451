/* Lists of rows: what is in them, and what is none. */
#include "data/augment/row_set.h"

#include "base/testing.h"

static void lists(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    row_set s;
    assert_ok(row_set_read(&s, ctx, " 30, 5,10:20 12:25,0"));
    assert_int_equal(s.n, 4); /* 0, 5, 10:25, 30 */
    for (uint64_t row = 0; row < 40; row++)
        assert_int_equal(row_set_has(&s, row),
                         row == 0 || row == 5 || row == 30 || (row >= 10 && row < 25));
    row_set_free(&s);
    assert_ok(row_set_read(&s, ctx, "18446744073709551614"));
    assert_true(row_set_has(&s, UINT64_MAX - 1));
    assert_false(row_set_has(&s, UINT64_MAX));
    row_set_free(&s);
    static const char *const bad[] = {"",   " ",  "5:5",   "7:3",
                                      ":5", "5:", "1:2:3", "18446744073709551616"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_fails(ASSAY_E_INVALID, row_set_read(&s, ctx, bad[i]));
        assert_int_equal(s.n, 0);
    }
    assay_ctx_destroy(ctx);
}

static void files(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch scratch = test_scratch_begin();
    test_path path = test_in(&scratch, "rows.txt");
    static const char good[] = "# chosen by hand\n3\n5:8 # three\r\n100";
    row_set s;
    test_put(path.text, good, sizeof good - 1);
    assert_ok(row_set_read(&s, ctx, path.text));
    for (uint64_t row = 0; row < 110; row++)
        assert_int_equal(row_set_has(&s, row),
                         row == 3 || (row >= 5 && row < 8) || row == 100);
    row_set_free(&s);
    test_put(path.text, "3\nfour\n", 7);
    assert_fails(ASSAY_E_INVALID, row_set_read(&s, ctx, path.text));
    assert_non_null(strstr(assay_last_error()->message, "four"));
    test_put(path.text, "3\n\0", 3);
    assert_fails(ASSAY_E_FORMAT, row_set_read(&s, ctx, path.text));
    assert_fails(ASSAY_E_NOTFOUND, row_set_read(&s, ctx, test_in(&scratch, "none").text));
    test_scratch_end(&scratch);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(lists), cmocka_unit_test(files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

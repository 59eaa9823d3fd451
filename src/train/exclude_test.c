/* exclude.txt: what it excludes, whose it is, and every way of being malformed. */
#include "base/testing.h"
#include "train/exclude.h"

#define SHA   "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define OTHER "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HEAD  "# assay-exclude 1  dataset=sha256:" SHA "  rows=12\n"
#define COLS  "row\tsplit\treason\tscore\tid\n"

enum { ROWS = 12, TRAIN = 8 };
static const exclude_for of = {SHA, ROWS, TRAIN, "photos/"};

static assay_status read_text(const char *text, size_t n, uint8_t active[TRAIN]) {
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_path p = test_in(&s, "exclude.txt");
    test_put(p.text, text, n);
    memset(active, 1, TRAIN);
    assay_status status = exclude_read(ctx, p.text, &of, active);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
    return status;
}

static assay_status read_string(const char *text, uint8_t active[TRAIN]) {
    return read_text(text, strlen(text), active);
}

static void rows_are_cleared(void **state) {
    (void)state;
    uint8_t a[TRAIN];
    assert_ok(read_string(HEAD COLS "3\ttrain\tcopy\t1.00\tcat/3.jpg\n"
                                    "# a remark\n\n"
                                    "0\ttrain\tlabel\t0.97\tdog/0.jpg\r\n"
                                    "3\ttrain\tcopy\t1.00\tcat/3.jpg\n"
                                    "11\ttest\tcopy\t1.00\tcat/11.jpg\n"
                                    "7",
                          a));
    const uint8_t want[TRAIN] = {0, 1, 1, 0, 1, 1, 1, 0};
    assert_memory_equal(a, want, TRAIN);
    assert_ok(read_string(HEAD, a));
    assert_ok(read_string(HEAD COLS, a));
    assert_ok(
        read_string("# assay-exclude 1  dataset=sha256:" SHA "  rows=12\r\n" COLS, a));
    assert_int_equal(a[0], 1);
}

static void another_dataset(void **state) {
    (void)state;
    uint8_t a[TRAIN];
    assert_fails(
        ASSAY_E_INVALID,
        read_string("# assay-exclude 1  dataset=sha256:" OTHER "  rows=16\n" COLS, a));
    const assay_error *e = assay_last_error();
    assert_string_equal(e->message, "exclude.txt belongs to another dataset");
    assert_string_equal(
        e->where, "made for sha256:ff112233.. (16 rows), this is sha256:00112233.. (12)");
    assert_string_equal(e->help, "run 'assay audit photos/ --resume' for a new one");
    assert_fails(ASSAY_E_INVALID,
                 read_string("# assay-exclude 1  dataset=sha256:" SHA "  rows=13\n", a));
}

static void malformed(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "\n",
        "row\tsplit\n",
        "# assay-exclude\n",
        "# assay-exclude x dataset=sha256:" SHA " rows=12\n",
        "# assay-exclude 1 rows=12\n",
        "# assay-exclude 1 dataset=sha256:0011 rows=12\n",
        "# assay-exclude 1 dataset=sha256:" SHA "00 rows=12\n",
        "# assay-exclude 1 dataset=sha256:" SHA "\n",
        "# assay-exclude 1 dataset=sha256:" SHA " rows=\n",
        "# assay-exclude 1 dataset=sha256:" SHA " rows=99999999999999999999999\n",
        HEAD "3\ttrain\tcopy\t1.00\tx\n",
        HEAD COLS "x\ttrain\n",
        HEAD COLS "-1\ttrain\n",
        HEAD COLS "3 train\n",
        HEAD COLS "12\ttest\n",
        HEAD COLS "99999999999999999999\ttest\n",
    };
    uint8_t a[TRAIN];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_fails(ASSAY_E_FORMAT, read_string(bad[i], a));
        assert_non_null(strstr(assay_last_error()->where, "line "));
    }
    assert_fails(ASSAY_E_VERSION,
                 read_string("# assay-exclude 2 dataset=sha256:" SHA " rows=12\n", a));
    assert_fails(ASSAY_E_FORMAT, read_text(HEAD COLS "1\0", sizeof HEAD COLS "1\0", a));
}

static void line_number(void **state) {
    (void)state;
    uint8_t a[TRAIN];
    assert_fails(ASSAY_E_FORMAT, read_string(HEAD COLS "1\ttrain\n\nzwei\ttrain\n", a));
    assert_non_null(strstr(assay_last_error()->where, "exclude.txt: line 5"));
}

static void absent(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    uint8_t a[TRAIN];
    assert_fails(ASSAY_E_NOTFOUND, exclude_read(ctx, "/nonexistent/exclude.txt", &of, a));
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_cleared), cmocka_unit_test(another_dataset),
        cmocka_unit_test(malformed),        cmocka_unit_test(line_number),
        cmocka_unit_test(absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

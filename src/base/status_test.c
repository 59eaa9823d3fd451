/* The error record: what is kept, cut and carried. */
#include "base/options.h"
#include "base/status.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_set_where_help(void **state) {
    (void)state;
    assert_int_equal(err_set(ASSAY_E_FORMAT, "byte %d is wrong", 7), ASSAY_E_FORMAT);
    assert_string_equal(assay_last_error()->message, "byte 7 is wrong");
    assert_string_equal(assay_last_error()->where, "");
    assert_string_equal(assay_last_error()->help, "");
    err_where("sample %d", 3);
    err_where("file.beton");
    assert_string_equal(assay_last_error()->where, "file.beton: sample 3");
    err_help("do this");
    err_help("or that");
    assert_string_equal(assay_last_error()->help, "do this");
    assert_int_equal(assay_last_error()->status, ASSAY_E_FORMAT);
    /* The record may be an argument to itself. */
    const assay_error *e = assay_last_error();
    assert_int_equal(err_set(ASSAY_E_IO, "again: %s", e->message), ASSAY_E_IO);
    assert_string_equal(assay_last_error()->message, "again: byte 7 is wrong");
    assert_string_equal(assay_last_error()->help, "");
}

static void test_errno(void **state) {
    (void)state;
    assert_int_equal(err_errno(ASSAY_E_IO, ENOENT, "can't open %s", "x"), ASSAY_E_IO);
    assert_string_equal(assay_last_error()->message,
                        "can't open x: No such file or directory");
    assert_int_equal(err_errno(ASSAY_E_IO, ENOSPC, "can't write"), ASSAY_E_NOSPC);
    assert_int_equal(err_errno(ASSAY_E_IO, EDQUOT, "can't write"), ASSAY_E_NOSPC);
    assert_int_equal(err_errno(ASSAY_E_IO, ENOMEM, "can't map"), ASSAY_E_NOMEM);
    assert_int_equal(assay_last_error()->status, ASSAY_E_NOMEM);
}

static void test_long_texts_are_cut(void **state) {
    (void)state;
    char text[3000];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    err_set(ASSAY_E_IO, "%s", text);
    assert_int_equal(strlen(assay_last_error()->message), 511);
    err_where("%s", text);
    err_where("front");
    assert_int_equal(strlen(assay_last_error()->where), 511);
    assert_memory_equal(assay_last_error()->where, "front: aaa", 10);
    /* Never in the middle of a character: 255 times two bytes fit into 511. */
    for (size_t i = 0; i + 1 < sizeof text - 1; i += 2)
        memcpy(text + i, "\xC3\xA4", 2);
    err_set(ASSAY_E_IO, "%s", text);
    assert_int_equal(strlen(assay_last_error()->message), 510);
}

static void test_save_restore(void **state) {
    (void)state;
    err_record kept;
    err_set(ASSAY_E_SHAPE, "first");
    err_where("here");
    err_help("help");
    err_save(&kept);
    err_set(ASSAY_E_IO, "second");
    err_restore(&kept);
    assert_int_equal(assay_last_error()->status, ASSAY_E_SHAPE);
    assert_string_equal(assay_last_error()->message, "first");
    assert_string_equal(assay_last_error()->where, "here");
    assert_string_equal(assay_last_error()->help, "help");
}

static assay_status fails_in_place(int *freed) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(ASSAY_OK);
    ASSAY_TRY_AT(err_set(ASSAY_E_NUMERIC, "NaN"), "row %d", 2);
    *freed = -1;
done:
    ++*freed;
    return status;
}

static void test_try(void **state) {
    (void)state;
    int freed = 0;
    assert_int_equal(fails_in_place(&freed), ASSAY_E_NUMERIC);
    assert_int_equal(freed, 1);
    assert_string_equal(assay_last_error()->where, "row 2");
}

static void test_names(void **state) {
    (void)state;
    for (int s = ASSAY_E_INTERNAL; s <= ASSAY_OK; s++)
        assert_string_not_equal(assay_status_name((assay_status)s), "UNKNOWN");
    assert_string_equal(assay_status_name((assay_status)1), "UNKNOWN");
    assert_string_equal(assay_status_name(ASSAY_E_FORMAT), "FORMAT");
    assert_string_equal(assay_version(), ASSAY_VERSION);
}

static void test_options(void **state) {
    (void)state;
    typedef struct now {
        size_t struct_size;
        int a, b;
    } now;
    struct older {
        size_t struct_size;
        int a;
    } older = {offsetof(now, b), 5};
    struct newer {
        now known;
        int c, d;
    } newer = {{sizeof newer, 6, 7}, 0, 0};
    now o = {sizeof o, 1, 2};
    assert_int_equal(options_take(&o, sizeof o, NULL, "now"), ASSAY_OK);
    assert_int_equal(o.a, 1);
    assert_int_equal(options_take(&o, sizeof o, &older, "now"), ASSAY_OK);
    assert_int_equal(o.a, 5);
    assert_int_equal(o.b, 2); /* the default stayed */
    assert_int_equal(o.struct_size, sizeof o);
    assert_int_equal(options_take(&o, sizeof o, &newer, "now"), ASSAY_OK);
    assert_int_equal(o.b, 7);
    newer.d = 1;
    assert_int_equal(options_take(&o, sizeof o, &newer, "now"), ASSAY_E_INVALID);
    newer.known.struct_size = 0;
    assert_int_equal(options_take(&o, sizeof o, &newer, "now"), ASSAY_E_INVALID);
    assert_non_null(strstr(assay_last_error()->message, "struct_size"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_where_help),
        cmocka_unit_test(test_errno),
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_save_restore),
        cmocka_unit_test(test_try),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

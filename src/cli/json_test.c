/* Writing small documents, and looking into the library's. */
#include "cli/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_write(void **state) {
    (void)state;
    text t = {0};
    json_open(&t, NULL);
    json_string(&t, "schema", "x/1");
    json_open(&t, "inner");
    json_string(&t, "path", "a\"b\\c\n\x01\x7f");
    json_string(&t, "latin", "caf\xe9 \xc3\xa9 \xe2\x82 \xed\xa0\x80");
    json_close(&t);
    json_uint(&t, "n", UINT64_MAX);
    json_real(&t, "half", 0.5);
    json_real(&t, "none", NAN);
    json_raw(&t, "raw", "[1, 2]\n");
    json_close(&t);
    assert_string_equal(
        text_str(&t),
        "{\"schema\": \"x/1\", \"inner\": {\"path\": \"a\\\"b\\\\c\\n\\u0001"
        "\\u007f\", \"latin\": \"caf\\ufffd \xc3\xa9 \\ufffd\\ufffd "
        "\\ufffd\\ufffd\\ufffd\"}, \"n\": 18446744073709551615, "
        "\"half\": 0.5, \"none\": null, \"raw\": [1, 2]}");
    text_free(&t);
}

static void words_are(json_view v, const char *want) {
    text t = {0};
    json_words(&t, v);
    assert_string_equal(text_str(&t), want);
    text_free(&t);
}

static void test_look(void **state) {
    (void)state;
    static const char document[] =
        " { \"a\" : 12 , \"s\": \"x\\u00e9\\\"\\n\\ud83d\\ude00\\/\", \"deep\": "
        "{\"list\": [1, "
        "[2, 3], {\"k\": null}, \"]}\"]}, \"yes\": true, \"neg\": -1.5e2, \"\\u0061b\": "
        "7, "
        "\"none\": null, \"empty\": [], \"hollow\": {} } ";
    json_view all = json_look(document);
    assert_int_equal(json_whole(json_member(all, "a"), 0), 12);
    assert_true(json_number(json_member(all, "neg"), 0) == -150);
    assert_int_equal(json_whole(json_member(all, "neg"), 4), 4);
    assert_int_equal(json_whole(json_member(all, "ab"), 0), 7);
    assert_true(json_true(json_member(all, "yes")));
    assert_false(json_true(json_member(all, "a")));
    assert_false(json_has(json_member(all, "none")));
    assert_false(json_has(json_member(all, "absent")));
    assert_int_equal(json_count(all), 9);
    assert_int_equal(json_count(json_member(all, "empty")), 0);
    assert_int_equal(json_count(json_member(all, "hollow")), 0);
    words_are(json_member(all, "s"), "x\xc3\xa9\"?\xf0\x9f\x98\x80/");
    words_are(json_member(all, "a"), "12");
    words_are(json_member(all, "absent"), "");

    json_view list = json_member(json_member(all, "deep"), "list"), v = {NULL, NULL};
    assert_int_equal(json_count(list), 4);
    assert_true(json_next(list, &v, NULL));
    assert_int_equal(json_whole(v, 0), 1);
    assert_true(json_next(list, &v, NULL));
    assert_int_equal(json_count(v), 2);
    assert_true(json_next(list, &v, NULL));
    assert_true(json_next(list, &v, NULL));
    words_are(v, "]}");
    assert_false(json_next(list, &v, NULL));
}

/* Every beginning of a document: absent values, nothing read outside (the sanitizer
 * watches). */
static void test_cut(void **state) {
    (void)state;
    static const char document[] =
        "{\"a\": [1, {\"b\": \"x\\u00e9\\\"y\"}], \"c\": {\"d\": -1.5, \"e\": [[]]}}";
    for (size_t n = 0; n < sizeof document - 1; n++) {
        char *cut = malloc(n + 1);
        assert_non_null(cut);
        memcpy(cut, document, n);
        cut[n] = '\0';
        json_view all = json_look(cut);
        assert_null(all.at);
        assert_int_equal(json_count(json_member(all, "a")), 0);
        free(cut);
    }
    assert_int_equal(json_count(json_look("{\"a\" 1}")), 0);
    assert_int_equal(json_count(json_look("{1: 2}")), 0);
    words_are(json_look("\"\\u12\""), "?"); /* what is there of the digits */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_look),
        cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

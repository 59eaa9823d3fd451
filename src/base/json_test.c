/* JSON out and in: bytes that stay the same, round trips, and what is refused. */
#include "base/json.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int make_ctx(void **state) {
    return assay_ctx_create((assay_ctx **)state, NULL) == ASSAY_OK ? 0 : -1;
}

static int drop_ctx(void **state) {
    assay_ctx_destroy(*state);
    return 0;
}

static void write_all(json_out *j) {
    json_obj(j);
    json_kstr(j, "name", "a \"b\" \\ </script>");
    json_kint(j, "n", INT64_MIN);
    json_knum(j, "x", 0.25);
    json_kbool(j, "yes", true);
    json_key(j, "list");
    json_arr(j);
    json_u64(j, 7);
    json_none(j);
    json_arr(j);
    json_arr_end(j);
    json_obj(j);
    json_obj_end(j);
    json_arr_end(j);
    json_obj_end(j);
}

static void test_layout(void **state) {
    buf b = buf_make(*state);
    json_out j = json_out_make(&b, 0);
    write_all(&j);
    assert_string_equal(b.data, "{\"name\":\"a \\\"b\\\" \\\\ \\u003c/script>\","
                                "\"n\":-9223372036854775808,\"x\":0.25,\"yes\":true,"
                                "\"list\":[7,null,[],{}]}");
    buf_clear(&b);
    j = json_out_make(&b, 2);
    write_all(&j);
    assert_string_equal(b.data, "{\n"
                                "  \"name\": \"a \\\"b\\\" \\\\ \\u003c/script>\",\n"
                                "  \"n\": -9223372036854775808,\n"
                                "  \"x\": 0.25,\n"
                                "  \"yes\": true,\n"
                                "  \"list\": [\n"
                                "    7,\n"
                                "    null,\n"
                                "    [],\n"
                                "    {}\n"
                                "  ]\n"
                                "}");
    buf_free(&b);
}

static void expect_str(assay_ctx *ctx, const char *text, const char *quoted) {
    buf b = buf_make(ctx);
    json_out j = json_out_make(&b, 0);
    json_str(&j, text);
    assert_string_equal(b.data, quoted);
    json_doc *doc; /* whatever came in, what goes out is JSON */
    assert_int_equal(json_parse(&doc, ctx, b.data, b.len), ASSAY_OK);
    json_doc_destroy(doc);
    buf_free(&b);
}

static void test_strings(void **state) {
    expect_str(*state, "", "\"\"");
    expect_str(*state, "\x01\t\n\r\x1f", "\"\\u0001\\t\\n\\u000d\\u001f\"");
    expect_str(*state, "\xC3\xA4 \xF0\x9F\x90\x88", "\"\xC3\xA4 \xF0\x9F\x90\x88\"");
    expect_str(*state, "a\xFFz", "\"a\xEF\xBF\xBDz\"");
    expect_str(*state, "\xC3", "\"\xEF\xBF\xBD\"");                 /* cut off */
    expect_str(*state, "\xC0\xAF", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""); /* overlong */
    expect_str(*state, "\xED\xA0\x80",
               "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""); /* surrogate */
    expect_str(*state, "\xF4\x90\x80\x80",
               "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""); /* too large */
    expect_str(*state, "\xE2\x80\xA8\xE2\x80\xA9\xE2\x80\xAA",
               "\"\\u2028\\u2029\xE2\x80\xAA\"");
}

static void expect_num(assay_ctx *ctx, double v, const char *text) {
    buf b = buf_make(ctx);
    json_out j = json_out_make(&b, 0);
    json_num(&j, v);
    assert_string_equal(b.data, text);
    buf_free(&b);
}

static void check_numbers(assay_ctx *ctx) {
    expect_num(ctx, 0, "0");
    expect_num(ctx, -3, "-3");
    expect_num(ctx, 1e6, "1000000");
    expect_num(ctx, 123456789012345.0, "123456789012345");
    expect_num(ctx, 1e15, "1e+15");
    expect_num(ctx, 0.1, "0.1");
    expect_num(ctx, (double)0.1f, "0.1");
    expect_num(ctx, (double)16777217, "16777217");
    expect_num(ctx, 1.0 / 3, "0.3333333333333333");
    expect_num(ctx, (double)(1.0f / 3), "0.33333334");
    expect_num(ctx, 5e-324, "4.94066e-324");
    expect_num(ctx, 1.7976931348623157e308, "1.7976931348623157e+308");
    expect_num(ctx, (double)NAN, "null");
    expect_num(ctx, -(double)INFINITY, "null");
}

static void test_numbers(void **state) {
    check_numbers(*state);
    /* Locales with a decimal comma, as far as they are installed. */
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "ps_AF.UTF-8"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (setlocale(LC_NUMERIC, names[i]))
            check_numbers(*state);
    assert_non_null(setlocale(LC_NUMERIC, "C"));
}

static void test_round_trip(void **state) {
    buf b = buf_make(*state);
    json_out j = json_out_make(&b, 2);
    write_all(&j);
    json_doc *doc;
    assert_int_equal(json_parse(&doc, *state, b.data, b.len), ASSAY_OK);
    const json_val *root = json_root(doc);
    assert_true(json_is_obj(root));
    assert_int_equal(json_len(root), 5);
    assert_string_equal(json_get_str(json_get(root, "name"), NULL),
                        "a \"b\" \\ </script>");
    assert_true(json_get_int(json_get(root, "n"), 0) == INT64_MIN);
    assert_true(json_get_num(json_get(root, "x"), 0) == 0.25);
    assert_true(json_get_bool(json_get(root, "yes"), false));
    const json_val *list = json_get(root, "list"), *v;
    assert_true(json_is_arr(list));
    assert_int_equal(json_len(list), 4);
    assert_int_equal(json_get_int(json_at(list, 0), 0), 7);
    assert_null(json_at(list, 4));
    assert_int_equal(json_len(json_at(list, 2)), 0);
    /* keys in file order */
    static const char *const keys[] = {"name", "n", "x", "yes", "list"};
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(json_key_at(root, i, &v), keys[i]);
        assert_ptr_equal(v, json_get(root, keys[i]));
    }
    assert_null(json_key_at(root, 5, &v));
    assert_null(v);
    json_doc_destroy(doc);
    buf_free(&b);
}

static void test_fallbacks(void **state) {
    json_doc *doc;
    const char text[] =
        "{\"s\":\"x\",\"i\":3,\"f\":2.5,\"w\":1e3,\"big\":1e300,\"z\":null}";
    assert_int_equal(json_parse(&doc, *state, text, sizeof text - 1), ASSAY_OK);
    const json_val *r = json_root(doc);
    assert_int_equal(json_get_int(json_get(r, "s"), -1), -1);
    assert_int_equal(json_get_int(json_get(r, "f"), -1), -1);
    assert_int_equal(json_get_int(json_get(r, "big"), -1), -1);
    assert_int_equal(json_get_int(json_get(r, "w"), -1), 1000);
    assert_true(json_get_num(json_get(r, "i"), -1) == 3);
    assert_string_equal(json_get_str(json_get(r, "i"), "none"), "none");
    assert_true(json_get_bool(json_get(r, "z"), true));
    assert_null(json_get(r, "absent"));
    assert_null(json_get(NULL, "x"));
    assert_null(json_at(r, 0)); /* not an array */
    assert_int_equal(json_len(NULL), 0);
    assert_false(json_is_num(NULL));
    assert_true(json_get_num(NULL, 9) == 9);
    assert_null(json_root(NULL));
    json_doc_destroy(doc);
    json_doc_destroy(NULL);
}

static void test_bad_input(void **state) {
    static const struct {
        const char *text, *where;
    } bad[] = {
        {"", "line 1"},      {"{", "line 1"},           {"{\"a\":1,\n\"b\" 2}", "line 2"},
        {"[1,]", "line 1"},  {"{\"a\":1,\"a\":2}", ""}, {"\"\xFF\"", "line 1"},
        {"nul", "line 1"},   {"1 2", "line 1"},         {"[01]", "line 1"},
        {"\"\\u0000\"", ""}, {"\"\\ud800\"", ""},       {"[99999999999999999999]", ""},
        {"[1e999]", ""},     {"\"a\nb\"", ""},          {"]", "line 1"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_doc *doc;
        assert_int_equal(json_parse(&doc, *state, bad[i].text, strlen(bad[i].text)),
                         ASSAY_E_FORMAT);
        assert_null(doc);
        assert_non_null(strstr(assay_last_error()->where, bad[i].where));
    }
    /* Every cut of a good text is refused, and never read past its end. */
    const char good[] = "{\"a\":[1,2.5e3,\"\\u00e4\\n\",{\"b\":false}]}";
    for (size_t n = 0; n < sizeof good - 1; n++) {
        char *cut = malloc(n + 1);
        assert_non_null(cut);
        memcpy(cut, good, n);
        json_doc *doc;
        assert_int_equal(json_parse(&doc, *state, cut, n), ASSAY_E_FORMAT);
        free(cut);
    }
}

static void test_depth(void **state) {
    char text[600];
    json_doc *doc;
    for (int depth = 127; depth <= 129; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        assert_int_equal(json_parse(&doc, *state, text, (size_t)depth * 2),
                         depth <= 128 ? ASSAY_OK : ASSAY_E_FORMAT);
        json_doc_destroy(doc);
    }
    assert_non_null(strstr(assay_last_error()->message, "deep"));
    /* Brackets within strings don't count. */
    memset(text, '[', 400);
    text[0] = text[399] = '"';
    assert_int_equal(json_parse(&doc, *state, text, 400), ASSAY_OK);
    json_doc_destroy(doc);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),    cmocka_unit_test(test_strings),
        cmocka_unit_test(test_numbers),   cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_fallbacks), cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, make_ctx, drop_ctx);
}

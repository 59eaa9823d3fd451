/* Tables of labelled sentences: headers, names and numbers of classes, tokens of a row,
 * and what is refused, with its line. */
#include "data/text/sentences.h"

#include "base/testing.h"

enum { PAD = 256, START = 257 };

static assay_status
read_text(sentences *s, assay_ctx *ctx, const char *name, const char *text, size_t n) {
    test_scratch scratch = test_scratch_begin();
    test_path p = test_in(&scratch, name);
    test_put(p.text, text, n);
    assay_status status = sentences_read(s, ctx, p.text);
    test_scratch_end(&scratch);
    return status;
}

#define READ(s, ctx, name, text) read_text(s, ctx, name, text, sizeof(text) - 1)

static void row_is(const sentences *s, size_t row, const char *text, int label) {
    size_t n = s->begin[row + 1] - s->begin[row];
    assert_int_equal(n, strlen(text));
    assert_memory_equal(s->text.data + s->begin[row], text, n);
    assert_int_equal(s->label[row], label);
}

static void tables_are_read(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    sentences s;
    assert_ok(READ(&s, ctx, "a.tsv", "a \"fine\" film\t1\nnot so, fine\t0\r\n\nno\t3"));
    assert_int_equal(s.rows, 3);
    assert_int_equal(s.classes, 4); /* labels are numbers: 2 may come elsewhere */
    assert_string_equal(s.class_name[3], "3");
    row_is(&s, 0, "a \"fine\" film", 1);
    row_is(&s, 1, "not so, fine", 0);
    row_is(&s, 2, "no", 3);
    assert_int_equal(strlen(s.sha256), 64);
    sentences_free(&s);
    assert_ok(
        READ(&s, ctx, "a.csv", "label,id,sentence\nup,1,\"x, y\"\ndown,2,z\nup,3,w\n"));
    assert_int_equal(s.rows, 3);
    assert_int_equal(s.classes, 2);
    assert_string_equal(s.class_name[0], "down");
    row_is(&s, 0, "x, y", 1);
    row_is(&s, 1, "z", 0);
    row_is(&s, 2, "w", 1);
    sentences_free(&s);
    assay_ctx_destroy(ctx);
}

static void rows_become_tokens(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    sentences s;
    tokenizer *t;
    const uint32_t rows[] = {2, 0};
    int32_t in[2 * 4];
    const int32_t want[2 * 4] = {START, 'e', PAD, PAD, START, 'a', 'b', 'c'};
    assert_ok(READ(&s, ctx, "a.tsv", "abcd\t0\nxyz\t1\ne\t0\n"));
    assert_ok(tokenizer_train(&t, ctx, (tokenizer_wish){.kind = TOKENS_BYTE},
                              (const uint8_t *)"", 0));
    assert_ok(sentences_cut(&s, t, 4, PAD, START));
    assert_int_equal(s.longer, 1);
    sentences_feed(in, &s, rows, 2);
    assert_memory_equal(in, want, sizeof want);
    tokenizer_destroy(t);
    sentences_free(&s);
    assay_ctx_destroy(ctx);
}

static void bad_tables_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
    } bad[] = {{"a\t1\nb\n", "without a label"},
               {"a\t1\n\t0\n", "empty text"},
               {"a\t1\nb\t\n", "empty label"},
               {"a\t1\n\xFF\t0\n", "UTF-8"},
               {"", "no line"},
               {"text\tlabel\n", "no line"},
               {"a\t1\nb\t1000\n", NULL},
               {"a\tx\nb\tx\n", "one label"},
               {"a\t0\nb\t0\n", "one label"}};
    assay_ctx *ctx = test_ctx(1);
    sentences s;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assay_status status =
            read_text(&s, ctx, "a.tsv", bad[i].text, strlen(bad[i].text));
        if (!bad[i].says) { /* a number that is too large is a name */
            assert_ok(status);
            assert_string_equal(s.class_name[s.label[1]], "1000");
            sentences_free(&s);
            continue;
        }
        assert_int_equal(status, ASSAY_E_FORMAT);
        assert_non_null(strstr(assay_last_error()->message, bad[i].says));
        if (i < 4)
            assert_non_null(strstr(assay_last_error()->where, "line 2"));
    }
    assert_int_equal(sentences_read(&s, ctx, "/nonexistent.tsv"), ASSAY_E_NOTFOUND);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_read),
        cmocka_unit_test(rows_become_tokens),
        cmocka_unit_test(bad_tables_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

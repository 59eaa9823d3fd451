/* Sentences through assay_train and assay_eval: what is learnt, that the bytes depend
 * neither on threads nor on interruptions, and what is refused. */
#include "train/testing.h"

#include "train/sentences.h"

enum { ROWS = 240 };

/* Which of two words stands in it decides the label. */
static test_path table_put(const test_scratch *s, const char *name, uint32_t stream) {
    static const char *const words[] = {"a", "the", "film", "is", "so"};
    test_path p = test_in(s, name);
    char text[ROWS * 40] = "";
    size_t n = 0;
    for (uint64_t i = 0; i < ROWS; i++) {
        rng r = rng_at(5, RNG_TEST, stream, i);
        int good = (int)rng_below(&r, 2), at = (int)rng_below(&r, 4);
        for (int w = 0; w < 4; w++)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s ",
                                  w == at ? good ? "fine" : "dull"
                                          : words[rng_below(&r, 5)]);
        n += (size_t)snprintf(text + n, sizeof text - n, "!\t%d\n", good);
    }
    test_put(p.text, text, n);
    return p;
}

#define BASE "model=bert-tiny context=12 batch=16 lr=0.001 precision=f32 tokens=bpe:270 "

static assay_train_options options_make(const char *settings) {
    assay_train_options o = ASSAY_TRAIN_OPTIONS_INIT;
    o.seed = 3;
    o.settings = settings;
    return o;
}

static void learns_and_is_tested(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(2);
    test_scratch s = test_scratch_begin();
    test_path src = table_put(&s, "a.tsv", 0), dev = table_put(&s, "b.tsv", 1);
    test_path out = test_in(&s, "run");
    assay_train_options o = options_make(BASE "epochs=4");
    assay_train_result r;
    assay_eval_result e;
    assert_ok(assay_train(ctx, src.text, out.text, &o, &r));
    assert_int_equal(r.train_rows + r.test_rows, ROWS);
    assert_true(r.test_rows > 0 && r.accuracy > 0.9);
    assert_ok(assay_eval(ctx, out.text, src.text, "test", &e));
    assert_true(e.rows == r.test_rows && e.accuracy == r.accuracy && e.loss == r.loss);
    assert_ok(assay_eval(ctx, out.text, src.text, "train", &e));
    assert_int_equal(e.rows, r.train_rows);
    assert_ok(assay_eval(ctx, out.text, dev.text, "test", &e)); /* another file: all */
    assert_true(e.rows == ROWS && e.accuracy > 0.9);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void threads_do_not_matter(void **state) {
    (void)state;
    test_scratch s = test_scratch_begin();
    test_path src = table_put(&s, "a.tsv", 0);
    test_path out[2] = {test_in(&s, "one"), test_in(&s, "three")};
    for (int i = 0; i < 2; i++) {
        assay_ctx *ctx = test_ctx(i ? 3 : 1);
        assay_train_options o = options_make(BASE "epochs=1");
        assert_ok(assay_train(ctx, src.text, out[i].text, &o, NULL));
        if (i)
            test_same_file(ctx, out[0].text, out[1].text, "model.safetensors");
        assay_ctx_destroy(ctx);
    }
    test_scratch_end(&s);
}

static void what_does_not_fit_is_refused(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_path src = table_put(&s, "a.tsv", 0), other = test_in(&s, "o.tsv");
    test_path out = test_in(&s, "run"), bad = test_in(&s, "bad");
    assay_train_options o = options_make(BASE "epochs=1");
    assay_eval_result e;
    char *text;
    size_t bytes;
    assert_ok(assay_train(ctx, src.text, out.text, &o, NULL));
    test_put(other.text, "x\t0\ny\tmaybe\n", 12);
    assert_int_equal(assay_eval(ctx, out.text, other.text, NULL, &e), ASSAY_E_SHAPE);
    assert_non_null(strstr(assay_last_error()->message, "maybe"));
    assert_int_equal(assay_generate(ctx, out.text, NULL, &text, &bytes),
                     ASSAY_E_UNSUPPORTED);
    o.limit = 5;
    assert_int_equal(assay_train(ctx, src.text, bad.text, &o, NULL), ASSAY_E_UNSUPPORTED);
    test_put(other.text, "x\t0\ny\n", 6);
    o.limit = 0;
    assert_int_equal(assay_train(ctx, other.text, bad.text, &o, NULL), ASSAY_E_FORMAT);
    assert_non_null(strstr(assay_last_error()->where, "line 2"));
    o.settings = "model=bert-tiny context=12 mixup=0.2";
    assert_int_equal(assay_train(ctx, src.text, bad.text, &o, NULL), ASSAY_E_UNSUPPORTED);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns_and_is_tested),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

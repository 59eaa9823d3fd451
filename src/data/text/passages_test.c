/* Passages: every token but the first is asked for once, at its place, behind the right
 * ones; prompts are read alone. */
#include "data/text/passages.h"

#include "base/testing.h"

enum { CONTEXT = 8 };

typedef struct fixture {
    assay_ctx *ctx;
    tokenizer *t;
    token_list l;
    passages p;
} fixture;

static void setup(fixture *f, const char *how, const char *text) {
    tokenizer_wish wish;
    *f = (fixture){.ctx = test_ctx(1)};
    assert_ok(tokenizer_wish_of(&wish, how));
    assert_ok(tokenizer_train(&f->t, f->ctx, wish, (const uint8_t *)text, strlen(text)));
    assert_ok(tokenizer_encode(f->t, &f->l, (const uint8_t *)text, strlen(text)));
    passages_make(&f->p, f->ctx, CONTEXT);
}

static void teardown(fixture *f) {
    passages_free(&f->p);
    token_list_free(&f->l);
    tokenizer_destroy(f->t);
    assay_ctx_destroy(f->ctx);
}

/* Windows from `first` on ask for tokens prompt (at least 1) to n - 1, each once and in
 * order, and each sees those before it. */
static void
check(const fixture *f, const char *text, size_t first, size_t prompt, size_t again) {
    size_t at = prompt > 1 ? prompt : 1, n = f->l.count;
    uint64_t byte = tokenizer_span(f->t, f->l.token, at);
    for (size_t w = first; w < f->p.count; w++) {
        const uint32_t row = (uint32_t)w;
        const passage_window *p = &f->p.window[w];
        int32_t in[CONTEXT], labels[CONTEXT];
        passages_feed(in, labels, &f->p, &row, 1);
        assert_true(p->count <= CONTEXT && p->skip < p->count);
        assert_int_equal(p->byte, byte);
        assert_true(n - 1 <= CONTEXT || p->skip == (at - 1 < again ? at - 1 : again));
        for (size_t i = 0; i < CONTEXT; i++) {
            size_t place = at + i - p->skip; /* of the token that i is asked for */
            bool asked = i >= p->skip && i < p->count;
            assert_int_equal(labels[i], asked ? (int)f->l.token[place] : -1);
            assert_int_equal(in[i], i < p->count ? (int)f->l.token[place - 1] : 0);
        }
        assert_int_equal(passage_asked(&f->p, w), p->count - p->skip);
        at += p->count - p->skip;
        byte += p->bytes;
    }
    assert_int_equal(at, n);
    assert_int_equal(byte, strlen(text));
}

static void each_token_is_asked_for_once(void **state) {
    (void)state;
    static const char text[] = "na\xC3\xAFve caf\xC3\xA9s, the there these the them";
    static const char *const kinds[] = {"byte", "char", "bpe:262"};
    for (int k = 0; k < 3; k++) {
        fixture f;
        setup(&f, kinds[k], text);
        for (size_t prompt = 0; prompt < f.l.count; prompt += 3)
            for (size_t again = 0; again < CONTEXT; again += 3) {
                size_t first = f.p.count;
                assert_ok(passages_add(&f.p, f.t, f.l.token, f.l.count, prompt, again));
                check(&f, text, first, prompt, again);
            }
        teardown(&f);
    }
}

static void one_window_is_shown_whole(void **state) {
    (void)state;
    fixture f;
    setup(&f, "byte", "abcdefghi"); /* a context and what follows it */
    assert_ok(passages_add(&f.p, f.t, f.l.token, f.l.count, 7, 0));
    assert_int_equal(f.p.count, 1);
    assert_int_equal(f.p.window[0].skip, 6);
    assert_int_equal(f.p.window[0].count, 8);
    check(&f, "abcdefghi", 0, 7, 6);
    teardown(&f);
}

static void what_has_nothing_to_ask_is_refused(void **state) {
    (void)state;
    fixture f;
    setup(&f, "byte", "abc");
    assert_int_equal(passages_add(&f.p, f.t, f.l.token, 1, 0, 0), ASSAY_E_SHAPE);
    assert_int_equal(passages_add(&f.p, f.t, f.l.token, 3, 3, 0), ASSAY_E_SHAPE);
    assert_int_equal(passages_add(&f.p, f.t, f.l.token, 0, 0, 0), ASSAY_E_SHAPE);
    assert_int_equal(f.p.count, 0);
    assert_int_equal(f.p.text.count, 0);
    teardown(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_token_is_asked_for_once),
        cmocka_unit_test(one_window_is_shown_whole),
        cmocka_unit_test(what_has_nothing_to_ask_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

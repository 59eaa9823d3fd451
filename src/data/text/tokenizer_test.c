/* Tokens: round trips of every kind, merges beside a plain learner that recounts
 * everything, vocabularies through JSON and back, and hostile ones. */
#include "base/rng.h"
#include "base/testing.h"
#include "data/text/tokenizer_inside.h"
#include "data/text/utf8.h"

static const char *const SAMPLE =
    "Before we proceed any further, hear me speak.\n\nSpeak, speak.\n"
    "You are all resolved rather to die than to famish?   Resolved. resolved.\n"
    "\t1607, 1608 and 16071608; naïve cafés, 東京 \xF0\x9F\x8E\xAD!\n"
    "aaaa aaaaaaa aaa the then there these the the them other their they";

static tokenizer *train(assay_ctx *ctx, const char *how, const char *text, size_t n) {
    tokenizer_wish wish;
    tokenizer *t;
    assert_ok(tokenizer_wish_of(&wish, how));
    assert_ok(tokenizer_train(&t, ctx, wish, (const uint8_t *)text, n));
    return t;
}

static void round_trip(const tokenizer *t, const uint8_t *text, size_t n) {
    token_list l = {0};
    size_t at = 0;
    assert_ok(tokenizer_encode(t, &l, text, n));
    for (size_t i = 0; i < l.count; i++) {
        size_t bytes;
        const uint8_t *said = tokenizer_bytes(t, l.token[i], &bytes);
        assert_true(l.token[i] < tokenizer_count(t) && bytes >= 1 && at + bytes <= n);
        assert_memory_equal(said, text + at, bytes);
        at += bytes;
    }
    assert_int_equal(at, n);
    token_list_free(&l);
}

static void what_is_encoded_comes_back(void **state) {
    (void)state;
    static const char *const kinds[] = {"byte", "char", "bpe:257", "bpe:300",
                                        "bpe:65536"};
    assay_ctx *ctx = test_ctx(1);
    size_t n = strlen(SAMPLE);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        tokenizer *t = train(ctx, kinds[k], SAMPLE, n), *again;
        round_trip(t, (const uint8_t *)SAMPLE, n);
        buf json = buf_make(ctx), more = buf_make(ctx);
        assert_ok(tokenizer_write(t, &json));
        assert_ok(tokenizer_read(&again, ctx, json.data, json.len));
        assert_int_equal(tokenizer_count(again), tokenizer_count(t));
        assert_string_equal(tokenizer_name(again), tokenizer_name(t));
        assert_ok(tokenizer_write(again, &more));
        assert_string_equal(json.data, more.data);
        round_trip(again, (const uint8_t *)SAMPLE, n);
        uint8_t noise[1000];
        rng r = rng_at(3, RNG_TEST, 0, k);
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (uint8_t)rng_below(&r, i < 500 ? 256 : 3) + (i < 500 ? 0 : ' ');
        if (k != 1)
            round_trip(again, noise, sizeof noise);
        buf_free(&json);
        buf_free(&more);
        tokenizer_destroy(again);
        tokenizer_destroy(t);
    }
    assay_ctx_destroy(ctx);
}

static void counts(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    tokenizer *t = train(ctx, "char", "hello\n", 6);
    assert_int_equal(tokenizer_count(t), 5); /* \n e h l o */
    token_list l = {0};
    assert_ok(tokenizer_encode(t, &l, (const uint8_t *)"hole", 4));
    static const uint16_t wanted[] = {2, 4, 3, 1};
    assert_int_equal(l.count, 4);
    assert_memory_equal(l.token, wanted, sizeof wanted);
    assert_fails(ASSAY_E_FORMAT, tokenizer_encode(t, &l, (const uint8_t *)"help", 4));
    assert_non_null(strstr(assay_last_error()->message, "U+0070 (byte 3)"));
    assert_fails(ASSAY_E_FORMAT, tokenizer_encode(t, &l, (const uint8_t *)"h\xFF", 2));
    token_list_free(&l);
    tokenizer_destroy(t);
    t = train(ctx, "byte", "", 0);
    assert_int_equal(tokenizer_count(t), 256);
    tokenizer_destroy(t);
    t = train(ctx, "bpe:1000", "abc abc xyz", 11);
    assert_int_equal(tokenizer_count(t), 258); /* ab, abc; nothing else comes twice */
    tokenizer_destroy(t);
    tokenizer_wish wish = {TOKENS_CHAR, 0};
    assert_fails(ASSAY_E_FORMAT, tokenizer_train(&t, ctx, wish, (const uint8_t *)"", 0));
    assert_fails(ASSAY_E_FORMAT,
                 tokenizer_train(&t, ctx, wish, (const uint8_t *)"ab\xC0\xAF", 4));
    assert_non_null(strstr(assay_last_error()->message, "byte 2"));
    assay_ctx_destroy(ctx);
}

/* ---- a plain learner ---- */

enum { MOST = 4096 };

typedef struct plain {
    uint16_t token[MOST];
    bool first[MOST]; /* of a piece */
    size_t n;
} plain;

static token_pair plain_best(const plain *p, size_t *times) {
    token_pair best = {0, 0};
    *times = 0;
    for (size_t i = 0; i + 1 < p->n; i++) {
        size_t count = 0;
        if (p->first[i + 1])
            continue;
        token_pair here = {p->token[i], p->token[i + 1]};
        for (size_t k = 0; k + 1 < p->n; k++)
            count +=
                !p->first[k + 1] && p->token[k] == here.a && p->token[k + 1] == here.b;
        if (count > *times ||
            (count == *times && pair_key(here.a, here.b) < pair_key(best.a, best.b))) {
            *times = count;
            best = here;
        }
    }
    return best;
}

static void plain_join(plain *p, token_pair pair, uint16_t joined) {
    size_t to = 0;
    for (size_t i = 0; i < p->n; i++, to++) {
        bool both = i + 1 < p->n && !p->first[i + 1] && p->token[i] == pair.a &&
                    p->token[i + 1] == pair.b;
        p->token[to] = both ? joined : p->token[i];
        p->first[to] = p->first[i];
        i += both;
    }
    p->n = to;
}

static void merges_are_those_of_a_plain_learner(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    plain *p = calloc(1, sizeof *p);
    uint8_t text[MOST];
    assert_non_null(p);
    for (uint32_t trial = 0; trial < 4; trial++) {
        rng r = rng_at(11, RNG_TEST, trial, 0);
        size_t n = trial ? 600 : strlen(SAMPLE);
        for (size_t i = 0; i < n; i++)
            text[i] = trial ? (uint8_t) "aab bc "[rng_below(&r, 4 + trial)]
                            : (uint8_t)SAMPLE[i];
        p->n = n;
        for (size_t at = 0, piece; at < n; at += piece) {
            piece = bpe_piece(text + at, n - at);
            for (size_t i = 0; i < piece; i++) {
                p->token[at + i] = text[at + i];
                p->first[at + i] = i == 0;
            }
        }
        token_pair *merge;
        size_t merges, times;
        assert_ok(bpe_learn(&merge, &merges, ctx, 200, text, n));
        assert_true(merges > 10);
        for (size_t m = 0; m < merges; m++) {
            token_pair best = plain_best(p, &times);
            assert_true(times > 1);
            assert_int_equal(merge[m].a, best.a);
            assert_int_equal(merge[m].b, best.b);
            plain_join(p, best, (uint16_t)(BYTES + m));
        }
        (void)plain_best(p, &times);
        assert_true(merges == 200 || times <= 1);
        /* What was learnt cuts the text as the learner left it. */
        tokenizer *t;
        token_list l = {0};
        assert_ok(tokenizer_of_merges(&t, ctx, merge, merges));
        assert_ok(tokenizer_encode(t, &l, text, n));
        assert_int_equal(l.count, p->n);
        assert_memory_equal(l.token, p->token, l.count * sizeof *l.token);
        token_list_free(&l);
        tokenizer_destroy(t);
    }
    free(p);
    assay_ctx_destroy(ctx);
}

static void pieces(void **state) {
    (void)state;
    static const char text[] = "I am  it's 12ab,\n\n x";
    static const char *const wanted[] = {"I",   " am", " ", " it",  "'", "s",
                                         " 12", "ab",  ",", "\n\n", " x"};
    size_t at = 0;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        size_t n = bpe_piece((const uint8_t *)text + at, sizeof text - 1 - at);
        assert_int_equal(n, strlen(wanted[i]));
        assert_memory_equal(text + at, wanted[i], n);
        at += n;
    }
    assert_int_equal(at, sizeof text - 1);
    uint8_t spaces[100];
    memset(spaces, ' ', sizeof spaces);
    assert_int_equal(bpe_piece(spaces, sizeof spaces), TOKENIZER_PIECE);
    memset(spaces, 'x', sizeof spaces);
    assert_int_equal(bpe_piece(spaces, sizeof spaces), TOKENIZER_PIECE);
    assert_int_equal(bpe_piece(spaces, 1), 1);
}

static void characters(void **state) {
    (void)state;
    static const uint32_t good[] = {0,      'a',    0x7F,   0x80,    0x7FF,   0x800,
                                    0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF};
    static const char *const bad[] = {"\x80",         "\xC0\x80",     "\xC3",
                                      "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                                      "\xF8\x88\x80", "\xC3(",        "\xFF"};
    uint8_t bytes[UTF8_MOST];
    uint32_t c;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        size_t n = utf8_put(bytes, good[i]);
        assert_true(n >= 1);
        assert_int_equal(utf8_get(&c, bytes, n), n);
        assert_int_equal(c, good[i]);
        assert_int_equal(utf8_get(&c, bytes, n - 1), 0);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(utf8_get(&c, (const uint8_t *)bad[i], strlen(bad[i])), 0);
    assert_int_equal(utf8_put(bytes, 0xD800), 0);
    assert_int_equal(utf8_put(bytes, 0x110000), 0);
}

static void hostile_vocabularies(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "3",
        "{\"tokens\":\"word\"}",
        "{\"tokens\":[]}",
        "{\"tokens\":\"char\"}",
        "{\"tokens\":\"char\",\"characters\":[]}",
        "{\"tokens\":\"char\",\"characters\":{}}",
        "{\"tokens\":\"char\",\"characters\":[2,1]}",
        "{\"tokens\":\"char\",\"characters\":[1,1]}",
        "{\"tokens\":\"char\",\"characters\":[55296]}",
        "{\"tokens\":\"char\",\"characters\":[4294967296]}",
        "{\"tokens\":\"char\",\"characters\":[-1]}",
        "{\"tokens\":\"char\",\"characters\":[\"a\"]}",
        "{\"tokens\":\"bpe\"}",
        "{\"tokens\":\"bpe\",\"merges\":3}",
        "{\"tokens\":\"bpe\",\"merges\":[3]}",
        "{\"tokens\":\"bpe\",\"merges\":[[1]]}",
        "{\"tokens\":\"bpe\",\"merges\":[[1,2,3]]}",
        "{\"tokens\":\"bpe\",\"merges\":[[1,-2]]}",
        "{\"tokens\":\"bpe\",\"merges\":[[256,1]]}",
        "{\"tokens\":\"bpe\",\"merges\":[[1,65536]]}",
        "{\"tokens\":\"bpe\",\"merges\":[[1,2],[1,2]]}",
        "{\"tokens\":\"bpe\",\"merges\":[[97,97],[256,256],[257,257],[258,258],"
        "[259,259],[260,260],[261,261]]}"};
    assay_ctx *ctx = test_ctx(1);
    tokenizer *t;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_fails(ASSAY_E_FORMAT, tokenizer_read(&t, ctx, bad[i], strlen(bad[i])));
        assert_null(t);
    }
    static const char *const hows[] = {"",         "bytes",   "bpe",
                                       "bpe:",     "bpe:256", "bpe:65537",
                                       "bpe:300x", "bpe:-1",  "bpe:99999999999999999999"};
    tokenizer_wish wish;
    for (size_t i = 0; i < sizeof hows / sizeof *hows; i++) {
        assert_fails(ASSAY_E_INVALID, tokenizer_wish_of(&wish, hows[i]));
        assert_non_null(strstr(assay_last_error()->help, "bpe:N"));
    }
    assay_ctx_destroy(ctx);
}

static void without_memory(void **state) {
    (void)state;
    long left;
    assay_ctx *ctx = test_ctx_failing(&left);
    static const char *const kinds[] = {"byte", "char", "bpe:280"};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        tokenizer_wish wish;
        assert_ok(tokenizer_wish_of(&wish, kinds[k]));
        assay_status status = ASSAY_E_NOMEM;
        for (long allowed = 0; status != ASSAY_OK; allowed++) {
            tokenizer *t, *again = NULL;
            token_list l = {0};
            buf json = buf_make(ctx);
            left = allowed;
            status = tokenizer_train(&t, ctx, wish, (const uint8_t *)SAMPLE, 90);
            if (status == ASSAY_OK)
                status = tokenizer_write(t, &json);
            if (status == ASSAY_OK)
                status = tokenizer_read(&again, ctx, json.data, json.len);
            if (status == ASSAY_OK)
                status = tokenizer_encode(again, &l, (const uint8_t *)SAMPLE, 90);
            assert_true(status == ASSAY_OK || status == ASSAY_E_NOMEM);
            token_list_free(&l);
            buf_free(&json);
            tokenizer_destroy(again);
            tokenizer_destroy(t);
        }
        left = LONG_MAX;
    }
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_encoded_comes_back),
        cmocka_unit_test(counts),
        cmocka_unit_test(merges_are_those_of_a_plain_learner),
        cmocka_unit_test(pieces),
        cmocka_unit_test(characters),
        cmocka_unit_test(hostile_vocabularies),
        cmocka_unit_test(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

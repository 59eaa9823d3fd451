/* Attribution of text: a passage that stands in the training text is traced to the
 * windows that hold it; bytes do not depend on threads; what lies in a folder gives what
 * memory gives; what does not fit is refused. */
#include <assay/attribute.h>

#include "base/json.h"
#include "file/npy.h"
#include "train/testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONTEXT = 16, WORDS = 300, PLANTED = 3, ROWS = 40 };
#define SECRET "xylophones quarrel"

typedef struct fixture {
    test_scratch s;
    test_path text, run;
    size_t at[PLANTED]; /* where the secret begins */
} fixture;

/* Words at random, and thrice something that occurs nowhere else. */
static int setup(void **state) {
    static const char *const words[] = {"the ", "old ", "man ", "saw ", "a ", "red\n"};
    char text[WORDS * 5 + PLANTED * sizeof SECRET + 1] = "";
    size_t n = 0, planted = 0;
    assay_ctx *ctx = test_ctx(2);
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->s = test_scratch_begin();
    f->text = test_in(&f->s, "a.txt");
    f->run = test_in(&f->s, "run");
    for (uint64_t i = 0; i < WORDS; i++) {
        rng r = rng_at(5, RNG_TEST, 0, i);
        const char *word = words[rng_below(&r, 6)];
        if (i % 75 == 30 && planted < PLANTED) {
            f->at[planted++] = n;
            word = SECRET " ";
        }
        memcpy(text + n, word, strlen(word));
        n += strlen(word);
    }
    test_put(f->text.text, text, n);
    assay_train_options o = ASSAY_TRAIN_OPTIONS_INIT;
    o.seed = 3;
    o.settings = "model=gpt-tiny context=16 batch=8 lr=0.003 precision=f32 tokens=char "
                 "epochs=12";
    assay_train_result r;
    assert_ok(assay_train(ctx, f->text.text, f->run.text, &o, &r));
    assay_ctx_destroy(ctx);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    test_scratch_end(&f->s);
    free(f);
    return 0;
}

static assay_attribute_options options_of(const char *const *list) {
    assay_attribute_options o = ASSAY_ATTRIBUTE_OPTIONS_INIT;
    o.checkpoints = list;
    o.dim = 4096;
    o.top = PLANTED;
    return o;
}

/* Whether a row's bytes meet the secret. */
static bool meets(const fixture *f, const json_val *row) {
    size_t from = (size_t)json_get_int(json_get(row, "byte"), 0);
    size_t to = from + strlen(json_get_str(json_get(row, "text"), ""));
    for (int k = 0; k < PLANTED; k++)
        if (from < f->at[k] + strlen(SECRET) && f->at[k] < to)
            return true;
    return false;
}

static void a_passage_is_traced_to_its_windows(void **state) {
    static const char *const methods[] = {"kernel", "grad-dot"};
    static const int least[] = {PLANTED - 1, PLANTED - 1};
    const fixture *f = *state;
    assay_ctx *ctx = test_ctx(2);
    const char *const list[] = {f->run.text, NULL}, *const said[] = {SECRET, NULL};
    for (int k = 0; k < 2; k++) {
        assay_attribute_options o = options_of(list);
        char *json;
        json_doc *doc;
        int met = 0;
        o.method = methods[k];
        o.passages = said;
        assert_ok(assay_attribute(ctx, f->text.text, &o, &json));
        assert_ok(json_parse(&doc, ctx, json, strlen(json)));
        const json_val *t = json_at(json_get(json_root(doc), "targets"), 0);
        const json_val *helpful = json_get(t, "helpful");
        assert_string_equal(json_get_str(json_get(t, "kind"), ""), "given");
        assert_string_equal(json_get_str(json_get(t, "text"), ""), SECRET);
        assert_int_equal(json_get_int(json_get(t, "tokens"), 0), strlen(SECRET) - 1);
        assert_int_equal(json_len(helpful), PLANTED);
        for (size_t i = 0; i < PLANTED; i++)
            met += meets(f, json_at(helpful, i));
        assert_true(met >= least[k]);
        json_doc_destroy(doc);
        assay_string_free(ctx, json);
    }
    assay_ctx_destroy(ctx);
}

static void scores_take(
    const fixture *f, float *out, size_t n, int threads, assay_attribute_options o) {
    assay_ctx *ctx = test_ctx(threads);
    test_path path = test_in(&f->s, "scores.npy");
    npy_array a;
    char *json;
    o.scores = path.text;
    assert_ok(assay_attribute(ctx, f->text.text, &o, &json));
    assert_ok(npy_open(&a, ctx, path.text, false));
    assert_int_equal(a.dim[0] * a.dim[1], n);
    memcpy(out, a.data, n * sizeof *out);
    npy_close(&a);
    assay_string_free(ctx, json);
    assay_ctx_destroy(ctx);
}

static void threads_do_not_matter(void **state) {
    static float one[ROWS * 2], two[ROWS * 2];
    const fixture *f = *state;
    const char *const list[] = {f->run.text, NULL};
    /* the second fills three windows */
    const char *const said[] = {SECRET, "the old man saw a red man saw the old a", NULL};
    assay_attribute_options o = options_of(list);
    o.passages = said;
    o.rows = ROWS;
    scores_take(f, one, ROWS * 2, 1, o);
    scores_take(f, two, ROWS * 2, 3, o);
    assert_memory_equal(one, two, sizeof one);
}

static void a_folder_gives_what_memory_gives(void **state) {
    static float memory[ROWS * 2], folder[ROWS * 2];
    const fixture *f = *state;
    const char *const list[] = {f->run.text, NULL};
    assay_attribute_options o = options_of(list);
    test_path keep = test_in(&f->s, "keep");
    o.rows = ROWS;
    o.targets = 2; /* windows of what is held out */
    scores_take(f, memory, ROWS * 2, 2, o);
    o.keep = keep.text;
    scores_take(f, folder, ROWS * 2, 2, o);
    float most = 0;
    for (size_t i = 0; i < ROWS * 2; i++)
        most = fabsf(memory[i]) > most ? fabsf(memory[i]) : most;
    for (size_t i = 0; i < ROWS * 2; i++)
        assert_true(fabsf(memory[i] - folder[i]) <= 1e-5f * most);
}

static void a_model_writes_and_is_asked(void **state) {
    const fixture *f = *state;
    assay_ctx *ctx = test_ctx(2);
    const char *const list[] = {f->run.text, NULL};
    assay_attribute_options o = options_of(list);
    char *json;
    json_doc *doc;
    o.generate = 20;
    o.prompt = "the old ";
    o.rows = 20;
    assert_ok(assay_attribute(ctx, f->text.text, &o, &json));
    assert_ok(json_parse(&doc, ctx, json, strlen(json)));
    const json_val *t = json_at(json_get(json_root(doc), "targets"), 0);
    assert_string_equal(json_get_str(json_get(t, "kind"), ""), "generated");
    assert_string_equal(json_get_str(json_get(t, "prompt"), ""), "the old ");
    assert_int_equal(json_get_int(json_get(t, "tokens"), 0), 20);
    assert_int_equal(json_len(json_get(json_root(doc), "targets")), 1);
    json_doc_destroy(doc);
    assay_string_free(ctx, json);
    assay_ctx_destroy(ctx);
}

static void what_does_not_fit_is_refused(void **state) {
    const fixture *f = *state;
    assay_ctx *ctx = test_ctx(1);
    const char *const list[] = {f->run.text, NULL}, *const strange[] = {"QQQ", NULL};
    const char *const little[] = {"a", NULL};
    const char *const large[] = {"the old man saw a red man saw", NULL};
    assay_attribute_options o = options_of(list), p;
    test_path keep = test_in(&f->s, "keep");
    char *json;
    p = o;
    p.passages = strange;
    assert_int_equal(assay_attribute(ctx, f->text.text, &p, &json), ASSAY_E_FORMAT);
    p = o;
    p.passages = little;
    assert_int_equal(assay_attribute(ctx, f->text.text, &p, &json), ASSAY_E_SHAPE);
    p = o;
    p.prompt = "the ";
    assert_int_equal(assay_attribute(ctx, f->text.text, &p, &json), ASSAY_E_INVALID);
    p = o;
    p.rows = 1000000;
    assert_int_equal(assay_attribute(ctx, f->text.text, &p, &json), ASSAY_E_SHAPE);
    p = o;
    p.targets = 1000000;
    assert_int_equal(assay_attribute(ctx, f->text.text, &p, &json), ASSAY_E_SHAPE);
    p = o;
    p.method = "replay";
    p.targets = 2;
    assert_int_equal(assay_attribute(ctx, f->text.text, &p, &json), ASSAY_E_UNSUPPORTED);
    p = o;
    p.passages = large;
    p.keep = keep.text;
    assert_int_equal(assay_attribute(ctx, f->text.text, &p, &json), ASSAY_E_UNSUPPORTED);
    assert_null(json);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_passage_is_traced_to_its_windows),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(a_folder_gives_what_memory_gives),
        cmocka_unit_test(a_model_writes_and_is_asked),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

/* Texts through assay_train, assay_eval and assay_generate: what is learnt, that the
 * bytes depend neither on threads nor on interruptions, what a window holds, and what is
 * refused. */
#include "train/testing.h"

#include "file/safetensors.h"
#include "nn/exec.h"
#include "train/text.h"

#include <math.h>

enum { CONTEXT = 16, WORDS = 110 };

/* Words in an order that a model can learn in part. */
static test_path text_put(const test_scratch *s, const char *name) {
    static const char *const words[] = {"one ", "two ", "three ", "four\n"};
    test_path p = test_in(s, name);
    char text[WORDS * 6 + 1] = "";
    size_t n = 0;
    for (uint64_t i = 0; i < WORDS; i++) {
        rng r = rng_at(5, RNG_TEST, 0, i);
        const char *word = words[rng_below(&r, 8) ? i % 4 : rng_below(&r, 4)];
        memcpy(text + n, word, strlen(word));
        n += strlen(word);
    }
    test_put(p.text, text, n);
    return p;
}

static assay_train_options options_make(const char *settings) {
    assay_train_options o = ASSAY_TRAIN_OPTIONS_INIT;
    o.seed = 3;
    o.settings = settings;
    return o;
}

#define BASE "model=gpt-tiny context=16 batch=8 lr=0.003 precision=f32 "

static void learns_and_is_tested(void **state) {
    (void)state;
    static const char *const kinds[] = {"byte", "char", "bpe:262"};
    static const int vocabulary[] = {256, 11, 262};
    assay_ctx *ctx = test_ctx(2);
    test_scratch s = test_scratch_begin();
    test_path src = text_put(&s, "a.txt");
    for (size_t k = 0; k < 3; k++) {
        char settings[200], model[600], name[20];
        (void)snprintf(settings, sizeof settings, BASE "epochs=%d tokens=%s",
                       k == 1 ? 8 : 1, kinds[k]);
        (void)snprintf(name, sizeof name, "run%zu", k);
        test_path out = test_in(&s, name);
        assay_train_options o = options_make(settings);
        assay_train_result r;
        assert_ok(assay_train(ctx, src.text, out.text, &o, &r));
        assert_true(r.loss > 0 && r.accuracy >= 0 && r.gflop > 0);
        assert_true(r.bits_per_byte < 8);
        assert_true(k != 1 || (r.bits_per_byte < 2.5 && r.accuracy > 0.5));
        if (k < 2)
            assert_true(fabs(r.bits_per_byte - r.loss / log(2)) < 1e-9);
        else
            assert_true(r.bits_per_byte < r.loss / log(2));
        assay_eval_result e;
        assert_ok(assay_eval(ctx, out.text, src.text, NULL, &e));
        assert_true(e.loss == r.loss && e.accuracy == r.accuracy);
        assert_true(fabs(e.bits_per_byte - r.bits_per_byte) < 1e-12);
        assert_int_equal(e.tokens, r.test_tokens - 1);
        (void)snprintf(model, sizeof model, "%s/model.safetensors", out.text);
        assert_ok(assay_eval(ctx, model, src.text, "all", &e));
        assert_true(k == 2 || e.tokens == r.train_tokens + r.test_tokens - 1);
        trained_model m;
        assert_ok(model_load(&m, ctx, model));
        assert_int_equal(m.card.classes, vocabulary[k]);
        assert_int_equal(m.card.context, CONTEXT);
        assert_true(m.card.held_out > 0.0999 && m.card.held_out < 0.1001);
        model_free(&m);
    }
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static int stop_in_second_epoch(void *cookie, const assay_progress *p) {
    return *(int *)cookie && strcmp(p->phase, "training") == 0 && p->done > p->total / 2;
}

static void same_bytes(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(2);
    test_scratch s = test_scratch_begin();
    test_path src = text_put(&s, "a.txt"), a = test_in(&s, "a"), b = test_in(&s, "b");
    assay_train_options o = options_make(BASE "epochs=2 tokens=char");
    assert_ok(assay_train(ctx, src.text, a.text, &o, NULL));
    int stop = 1;
    assay_ctx_options co = ASSAY_CTX_OPTIONS_INIT;
    co.threads = 1;
    co.progress = stop_in_second_epoch;
    co.progress_cookie = &stop;
    assay_ctx *stopped;
    assert_ok(assay_ctx_create(&stopped, &co));
    assert_fails(ASSAY_E_CANCELLED, assay_train(stopped, src.text, b.text, &o, NULL));
    assay_ctx_resume(stopped);
    stop = 0;
    assert_ok(assay_train(stopped, src.text, b.text, &o, NULL));
    test_same_file(ctx, a.text, b.text, "model.safetensors");
    test_same_file(ctx, a.text, b.text, "metrics.jsonl");
    test_same_file(ctx, a.text, b.text, "run.json");
    char path[600];
    size_t n;
    (void)snprintf(path, sizeof path, "%s/metrics.jsonl", a.text);
    char *lines = (char *)test_get(ctx, path, &n);
    assert_non_null(strstr(lines, "\"epoch\":2"));
    assert_non_null(strstr(lines, "\"val_loss\":"));
    mem_free(ctx, lines);
    assay_ctx_destroy(stopped);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* ---- windows, and what is measured ---- */

typedef struct fixture {
    assay_ctx *ctx;
    text_data text;
    trained_model model;
    train_recipe recipe;
    train_job job;
} fixture;

static fixture fixture_make(int threads) {
    static const char words[] =
        "the quick brown fox jumps over the lazy dog, and the dog "
        "sleeps on while the fox is far away by now";
    fixture f = {.ctx = test_ctx(threads)};
    const assay_train_options o = options_make("batch=2 tokens=char context=16");
    tokenizer_wish wish = {TOKENS_CHAR, 0};
    corpus c = {.text = (uint8_t *)words, .bytes = sizeof words - 1};
    f.model.ctx = f.ctx;
    f.model.card.context = CONTEXT;
    assert_ok(tokenizer_train(&f.model.card.tokens, f.ctx, wish, c.text, c.bytes));
    f.model.card.classes = tokenizer_count(f.model.card.tokens);
    assert_ok(text_data_make(&f.text, &c, f.model.card.tokens, 0.2));
    assert_ok(train_recipe_make_text(&f.recipe, &o));
    f.job =
        (train_job){.n_rows = text_windows(&f.text, CONTEXT), .seed = 9, .wide = true};
    return f;
}

static void fixture_model(fixture *f) {
    const zoo_config config = model_card_config(&f->model.card, 0);
    assert_ok(zoo_build(&f->model.zoo, f->ctx, "gpt-tiny", &config));
    assert_ok(nn_weights_create(&f->model.weights, f->ctx, f->model.zoo.graph, 4));
}

static void fixture_end(fixture *f) {
    text_data_free(&f->text);
    model_free(&f->model);
    assay_ctx_destroy(f->ctx);
}

static void windows_are_of_the_training_part(void **state) {
    (void)state;
    fixture f = fixture_make(1);
    const train_data d = {.card = &f.model.card, .text = &f.text};
    batches b;
    assert_ok(batches_create(&b, f.ctx, &d, &f.recipe, &f.job));
    assert_int_equal(b.count, (int64_t)f.job.n_rows / 2);
    int32_t first[2 * CONTEXT];
    bool moved = false;
    for (uint32_t epoch = 0; epoch < 3; epoch++) {
        train_batch batch;
        assert_ok(batches_epoch(&b, epoch));
        for (int64_t i = 0; i < b.count; i++) {
            assert_ok(batches_next(&b, &batch));
            assert_int_equal(batch.n, 2);
            const int32_t *in = batch.inputs;
            for (size_t w = 0; w < 2; w++, in += CONTEXT) {
                const int32_t *labels = batch.labels + w * CONTEXT;
                size_t found = 0;
                for (size_t at = 0; at + CONTEXT < f.text.train.count; at++) {
                    bool here = true;
                    for (size_t t = 0; t < CONTEXT; t++)
                        here &= in[t] == f.text.train.token[at + t] &&
                                labels[t] == f.text.train.token[at + t + 1];
                    found += here;
                }
                assert_true(found >= 1);
            }
            if (i == 0 && epoch == 0)
                memcpy(first, batch.inputs, sizeof first);
            else
                moved |= memcmp(first, batch.inputs, sizeof first) != 0;
        }
        assert_ok(batches_next(&b, &batch));
        assert_int_equal(batch.n, 0);
    }
    assert_true(moved);
    train_batch again;
    assert_ok(batches_epoch(&b, 0));
    assert_ok(batches_next(&b, &again));
    assert_memory_equal(first, again.inputs, sizeof first);
    batches_destroy(&b);
    fixture_end(&f);
}

/* Beside one window at a time, and one token at a time within it. */
static void measured_in_windows_side_by_side(void **state) {
    (void)state;
    fixture f = fixture_make(2);
    fixture_model(&f);
    const token_list *l = &f.text.train;
    const zoo_model *z = &f.model.zoo;
    size_t classes = (size_t)f.model.card.classes, n = l->count;
    const nn_exec_options o = {.mode = NN_EVAL,
                               .batch = 1,
                               .keep = &z->logits,
                               .n_keep = 1,
                               .target = -1,
                               .dtype = ASSAY_F32,
                               .shards = 1};
    nn_exec *e;
    double loss = 0, right = 0;
    assert_true((n - 1) % CONTEXT != 0); /* the last window is not full */
    assert_ok(nn_exec_create(&e, f.ctx, z->graph, &f.model.weights, &o));
    for (size_t at = 0; at + 1 < n; at++) {
        size_t begin = at / CONTEXT * CONTEXT;
        int32_t *in = nn_exec_input(e, z->images), *labels = nn_exec_input(e, z->labels);
        for (size_t t = 0; t < CONTEXT; t++) {
            in[t] =
                begin + t <= at ? l->token[begin + t] : 1; /* what follows is hidden */
            labels[t] = 0;
        }
        assert_ok(nn_exec_forward(e, 1));
        const float *x = nn_exec_value(e, z->logits) + (at - begin) * classes;
        double sum = 0;
        size_t best = 0;
        for (size_t c = 0; c < classes; c++) {
            sum += exp((double)x[c]);
            best = x[c] > x[best] ? c : best;
        }
        loss += log(sum) - (double)x[l->token[at + 1]];
        right += best == l->token[at + 1];
    }
    nn_exec_destroy(e);
    train_measure m;
    assert_ok(text_measure(f.ctx, &f.model, l->token, n, &m));
    assert_true(fabs(m.loss - loss / (double)(n - 1)) < 1e-5);
    assert_true(fabs(m.accuracy - right / (double)(n - 1)) < 1e-12);
    assert_ok(text_measure(f.ctx, &f.model, l->token, 1, &m));
    assert_true(isnan(m.loss));
    fixture_end(&f);
}

/* ---- generating ---- */

static void generates(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_path src = text_put(&s, "a.txt"), out = test_in(&s, "out");
    assay_train_options o = options_make(BASE "epochs=1 tokens=char");
    assert_ok(assay_train(ctx, src.text, out.text, &o, NULL));
    assay_generate_options g = ASSAY_GENERATE_OPTIONS_INIT;
    char *a, *b;
    size_t n, m;
    g.prompt = "one two ";
    g.tokens = 15;
    assert_ok(assay_generate(ctx, out.text, &g, &a, &n));
    assert_ok(assay_generate(ctx, out.text, &g, &b, &m));
    assert_int_equal(n, 23);
    assert_int_equal(m, 23);
    assert_string_equal(a, b);
    assert_memory_equal(a, "one two ", 8);
    assay_string_free(ctx, b);
    g.seed = 1;
    assert_ok(assay_generate(ctx, out.text, &g, &b, &m));
    assert_string_not_equal(a, b);
    assay_string_free(ctx, a);
    assay_string_free(ctx, b);
    g.temperature = 0; /* the seed has no say */
    assert_ok(assay_generate(ctx, out.text, &g, &a, &n));
    g.seed = 2;
    assert_ok(assay_generate(ctx, out.text, &g, &b, &m));
    assert_string_equal(a, b);
    assay_string_free(ctx, a);
    assay_string_free(ctx, b);
    g.prompt = "";
    assert_ok(assay_generate(ctx, out.text, &g, &a, &n));
    assert_int_equal(n, 15);
    assay_string_free(ctx, a);

    g.prompt = "zebra";
    assert_fails(ASSAY_E_FORMAT, assay_generate(ctx, out.text, &g, &a, &n));
    g.prompt = "one";
    g.tokens = 0;
    assert_fails(ASSAY_E_INVALID, assay_generate(ctx, out.text, &g, &a, &n));
    g.tokens = 5;
    g.temperature = (double)NAN;
    assert_fails(ASSAY_E_INVALID, assay_generate(ctx, out.text, &g, &a, &n));
    g.temperature = 1;
    assert_fails(ASSAY_E_NOTFOUND, assay_generate(ctx, s.folder, &g, &a, &n));
    assert_null(a);
    assay_ctx_cancel(ctx);
    assert_fails(ASSAY_E_CANCELLED, assay_generate(ctx, out.text, &g, &a, &n));
    assay_ctx_resume(ctx);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* ---- model files ---- */

/* The file once more, with another value of a key, or without it. */
static void spoil(assay_ctx *ctx,
                  const st_file *f,
                  const char *path,
                  const char *key,
                  const char *value) {
    static const char *const keys[] = {"assay.model",
                                       "assay.context",
                                       "assay.held_out",
                                       "assay.tokens",
                                       "assay.label_smoothing",
                                       "assay.dataset_sha256",
                                       "assay.recipe",
                                       "assay.seed",
                                       "assay.key"};
    st_pair pair[16];
    st_tensor tensor[64];
    size_t pairs = 0;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *here = strcmp(keys[i], key) == 0 ? value : st_metadata(f, keys[i]);
        if (here)
            pair[pairs++] = (st_pair){keys[i], here};
    }
    assert_true(st_count(f) <= 64);
    for (size_t i = 0; i < st_count(f); i++)
        tensor[i] = st_at(f, i);
    assert_ok(st_put(ctx, path, tensor, st_count(f), pair, pairs));
}

static void hostile_model_files(void **state) {
    (void)state;
    static const struct {
        const char *key, *value;
        assay_status want;
    } changes[] = {
        {"assay.context", NULL, ASSAY_E_FORMAT},
        {"assay.context", "0", ASSAY_E_FORMAT},
        {"assay.context", "65537", ASSAY_E_FORMAT},
        {"assay.context", "17", ASSAY_E_SHAPE},
        {"assay.held_out", "1", ASSAY_E_FORMAT},
        {"assay.held_out", "nan", ASSAY_E_FORMAT},
        {"assay.held_out", NULL, ASSAY_E_FORMAT},
        {"assay.tokens", NULL, ASSAY_E_FORMAT},
        {"assay.tokens", "", ASSAY_E_FORMAT},
        {"assay.tokens", "{\"tokens\":\"char\",\"characters\":[1,1]}", ASSAY_E_FORMAT},
        {"assay.tokens", "{\"tokens\":\"byte\"}", ASSAY_E_SHAPE},
        {"assay.model", "cnn", ASSAY_E_SHAPE},
        {"assay.model", "bert-tiny", ASSAY_E_FORMAT},
    };
    fixture f = fixture_make(1);
    test_scratch s = test_scratch_begin();
    test_path good = test_in(&s, "good.safetensors"),
              bad = test_in(&s, "bad.safetensors");
    fixture_model(&f);
    memcpy(f.model.card.name, "gpt-tiny", 9);
    assert_ok(model_save(&f.model, good.text));
    trained_model m;
    assert_ok(model_load(&m, f.ctx, good.text));
    assert_int_equal(tokenizer_count(m.card.tokens), f.model.card.classes);
    model_free(&m);
    st_file *file;
    assert_ok(st_open(&file, f.ctx, good.text));
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        spoil(f.ctx, file, bad.text, changes[i].key, changes[i].value);
        assay_status got = model_load(&m, f.ctx, bad.text);
        if (got != changes[i].want)
            print_error("%s=%s: %s\n", changes[i].key,
                        changes[i].value ? changes[i].value : "(none)",
                        assay_last_error()->message);
        assert_int_equal(got, changes[i].want);
        model_free(&m);
    }
    st_close(file);
    test_scratch_end(&s);
    fixture_end(&f);
}

/* ---- sources ---- */

static void a_folder_is_its_files_in_order(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_path a = test_in(&s, "b.txt"), b = test_in(&s, "a.txt"), c = test_in(&s, "c.md");
    corpus all;
    assert_false(corpus_is(ctx, s.folder));
    assert_fails(ASSAY_E_NOTFOUND, corpus_read(&all, ctx, a.text));
    test_put(a.text, "second", 6);
    test_put(b.text, "first", 5);
    test_put(c.text, "third", 5);
    assert_true(corpus_is(ctx, s.folder) && corpus_is(ctx, a.text));
    assert_false(corpus_is(ctx, c.text));
    assert_ok(corpus_read(&all, ctx, s.folder));
    test_path images = test_in(&s, "data_batch_1.bin");
    test_put(images.text, "", 0);
    assert_false(corpus_is(ctx, s.folder));
    assert_int_equal(all.bytes, 11);
    assert_memory_equal(all.text, "firstsecond", 11);
    assert_int_equal(corpus_cut(&all, 0), 11);
    assert_int_equal(corpus_cut(&all, 0.5), 6);
    corpus_free(&all);
    test_put(a.text, "", 0);
    assert_fails(ASSAY_E_FORMAT, corpus_read(&all, ctx, a.text));
    corpus accents = {.text = (uint8_t *)"aa\xC3\xA9", .bytes = 4};
    assert_int_equal(corpus_cut(&accents, 0.26), 4); /* not within a character */
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void refused(assay_ctx *ctx,
                    assay_status code,
                    const char *src,
                    const char *out,
                    const char *settings,
                    const char *word) {
    assay_train_options o = options_make(settings);
    assert_fails(code, assay_train(ctx, src, out, &o, NULL));
    if (!strstr(assay_last_error()->message, word))
        print_error("%s: %s\n", settings, assay_last_error()->message);
    assert_non_null(strstr(assay_last_error()->message, word));
}

static void refusals(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_path src = text_put(&s, "a.txt"), out = test_in(&s, "out"),
              tiny = test_in(&s, "tiny.txt"), none = test_in(&s, "none");
    test_put(tiny.text, "abc", 3);
    assert_ok(os_mkdirs(none.text));
    refused(ctx, ASSAY_E_SHAPE, tiny.text, out.text, BASE, "no window of 16");
    refused(ctx, ASSAY_E_INVALID, src.text, out.text, BASE "tokens=word", "tokens");
    refused(ctx, ASSAY_E_INVALID, src.text, out.text, BASE "context=0", "context");
    refused(ctx, ASSAY_E_INVALID, src.text, out.text, BASE "held-out=1", "held-out");
    refused(ctx, ASSAY_E_INVALID, src.text, out.text, BASE "flip=on", "flip");
    refused(ctx, ASSAY_E_INVALID, src.text, out.text, BASE "validation=0.1",
            "validation");
    refused(ctx, ASSAY_E_INVALID, src.text, out.text, BASE "held-out=0 patience=2",
            "patience");
    refused(ctx, ASSAY_E_FORMAT, none.text, out.text, BASE, "reads a text");
    refused(ctx, ASSAY_E_UNSUPPORTED, src.text, out.text, "model=bert-tiny",
            "sequence one label");
    refused(ctx, ASSAY_E_NOTFOUND, "/nonexistent.txt", out.text, BASE, "");
    refused(ctx, ASSAY_E_UNSUPPORTED, src.text, out.text, "model=mlp", "this is a text");
    test_put(tiny.text, "\xFF\xFE broken text that is no UTF-8", 31);
    refused(ctx, ASSAY_E_FORMAT, tiny.text, out.text, BASE "tokens=char", "byte 0");
    assay_train_options o = options_make(BASE);
    o.members = 3;
    assert_fails(ASSAY_E_UNSUPPORTED, assay_train(ctx, src.text, out.text, &o, NULL));
    assert_non_null(strstr(assay_last_error()->message, "ensemble"));
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* A text without a part held out is trained on and has no test. */
static void nothing_held_out(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_path src = text_put(&s, "a.txt"), out = test_in(&s, "out");
    assay_train_options o = options_make(BASE "epochs=1 tokens=char held-out=0");
    assay_train_result r;
    assert_ok(assay_train(ctx, src.text, out.text, &o, &r));
    assert_int_equal(r.test_tokens, 0);
    assert_int_equal(r.test_rows, 0);
    assert_true(!(r.loss > 0) && !(r.bits_per_byte > 0));
    assay_eval_result e;
    assert_fails(ASSAY_E_NOTFOUND, assay_eval(ctx, out.text, src.text, "test", &e));
    assert_ok(assay_eval(ctx, out.text, src.text, "all", &e));
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns_and_is_tested),
        cmocka_unit_test(same_bytes),
        cmocka_unit_test(windows_are_of_the_training_part),
        cmocka_unit_test(measured_in_windows_side_by_side),
        cmocka_unit_test(generates),
        cmocka_unit_test(hostile_model_files),
        cmocka_unit_test(a_folder_is_its_files_in_order),
        cmocka_unit_test(refusals),
        cmocka_unit_test(nothing_held_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

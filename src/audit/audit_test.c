/* The audit from end to end on a small made-up data set: same bytes at any thread count
 * and after an interruption, options that redo only what hangs on them, bad input. */
#include "base/testing.h"

#include "audit/run.h"
#include "base/rng.h"

#include <math.h>

enum { SIDE = 28, TRAIN = 360, TEST = 90, CLASSES = 3 };

/* Class 0: horizontal bars; 1: vertical bars; 2: a disk; noise on all. */
static void draw(uint8_t *out, int label, uint64_t sample) {
    rng g = rng_at(1, RNG_TEST, 0, sample);
    int at = 6 + (int)rng_below(&g, 14);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            int dx = x - 14, dy = y - at;
            bool on = label == 0   ? abs(y - at) < 3
                      : label == 1 ? abs(x - at) < 3
                                   : dx * dx + dy * dy < 30;
            out[y * SIDE + x] = (uint8_t)(rng_below(&g, 60) + (on ? 150 : 10));
        }
}

static void put_idx(const test_scratch *s, const char *prefix, int n, uint64_t first) {
    size_t bytes = 16 + (size_t)n * SIDE * SIDE;
    uint8_t *im = calloc(bytes, 1), *lab = calloc(8 + (size_t)n, 1);
    const uint32_t head[4] = {0x803, (uint32_t)n, SIDE, SIDE};
    for (int i = 0; i < 16; i++)
        im[i] = (uint8_t)(head[i / 4] >> (24 - 8 * (i % 4)));
    for (int i = 0; i < 8; i++)
        lab[i] = (uint8_t)((i < 4 ? 0x801u : (uint32_t)n) >> (24 - 8 * (i % 4)));
    for (int i = 0; i < n; i++) {
        lab[8 + i] = (uint8_t)(i % CLASSES);
        draw(im + 16 + (size_t)i * SIDE * SIDE, i % CLASSES, first + (uint64_t)i);
    }
    char name[64];
    (void)snprintf(name, sizeof name, "%s-images-idx3-ubyte", prefix);
    test_put(test_in(s, name).text, im, bytes);
    (void)snprintf(name, sizeof name, "%s-labels-idx1-ubyte", prefix);
    test_put(test_in(s, name).text, lab, 8 + (size_t)n);
    free(im);
    free(lab);
}

typedef struct fixture {
    test_scratch data, out;
} fixture;

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    f->data = test_scratch_begin();
    f->out = test_scratch_begin();
    put_idx(&f->data, "train", TRAIN, 0);
    put_idx(&f->data, "t10k", TEST, 100000);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    test_scratch_end(&f->data);
    test_scratch_end(&f->out);
    free(f);
    return 0;
}

static const char *const plants[] = {"labels:5%", "copies:10", NULL};

static assay_audit_options small(void) {
    assay_audit_options o = ASSAY_AUDIT_OPTIONS_INIT;
    o.members = 3;
    o.epochs = 2;
    o.batch = 32;
    o.sketch = 64;
    o.flip = 0;
    o.plant = plants;
    return o;
}

static const char *const kept[] = {
    "run/member-0/model.safetensors",
    "run/member-1/model.safetensors",
    "run/member-2/model.safetensors",
    "run/predictions.safetensors",
    "run/attribution.safetensors",
    "run/checks.safetensors",
    "run/planted.csv",
    "run/member-0/features.npy",
};

static void same_files(assay_ctx *ctx, const char *a, const char *b) {
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        char path[512];
        size_t na, nb;
        (void)snprintf(path, sizeof path, "%s/%s", a, kept[i]);
        uint8_t *da = test_get(ctx, path, &na);
        (void)snprintf(path, sizeof path, "%s/%s", b, kept[i]);
        uint8_t *db = test_get(ctx, path, &nb);
        if (na != nb || memcmp(da, db, na) != 0)
            fail_msg("%s differs between %s and %s", kept[i], a, b);
        mem_free(ctx, da);
        mem_free(ctx, db);
    }
}

static void finds_what_is_planted(void **state) {
    fixture *f = *state;
    assay_ctx *ctx = test_ctx(2);
    assay_audit *a = NULL;
    assay_audit_options o = small();
    o.epochs = 4;
    test_path out = test_in(&f->out, "a");
    assert_ok(assay_audit_run(&a, ctx, f->data.folder, out.text, &o));
    assert_int_equal(a->train_rows, TRAIN);
    assert_int_equal(a->rows, TRAIN + TEST + 10);
    assert_int_equal(a->planted_rows, 10);
    assert_int_equal(a->n_plant, 2);
    assert_string_equal(a->plant[0].kind, "labels");
    assert_true(a->plant[0].auroc > 0.9);
    assert_true(a->plant[0].auroc >= a->plant[0].auroc_plain - 1e-9);
    assert_true(a->accuracy_ensemble > 0.9);
    assert_true(a->label_check);
    assert_int_equal(a->self_labels, 4);
    assert_true(isfinite(a->label_count));
    uint64_t in_confusion = 0;
    for (int i = 0; i < CLASSES * CLASSES; i++)
        in_confusion += a->confusion[i];
    assert_int_equal(in_confusion, TEST);
    for (size_t i = 0; i < a->n_errors; i++) {
        assert_true(a->error[i].row >= TRAIN && a->error[i].row < TRAIN + TEST);
        assert_int_not_equal(a->error[i].given, a->error[i].predicted);
        for (uint32_t j = 0; j < a->error[i].n_towards; j++)
            assert_true(a->error[i].towards[j].effect < 0 &&
                        a->error[i].towards[j].row < TRAIN);
    }
    assay_audit_destroy(a);
    assay_ctx_destroy(ctx);
}

static void same_bytes_at_any_thread_count(void **state) {
    fixture *f = *state;
    assay_audit_options o = small();
    test_path one = test_in(&f->out, "one"), two = test_in(&f->out, "two");
    assay_ctx *ctx = test_ctx(1);
    assay_audit *a = NULL;
    assert_ok(assay_audit_run(&a, ctx, f->data.folder, one.text, &o));
    assay_audit_destroy(a);
    assay_ctx_destroy(ctx);
    ctx = test_ctx(2);
    assert_ok(assay_audit_run(&a, ctx, f->data.folder, two.text, &o));
    assay_audit_destroy(a);
    same_files(ctx, one.text, two.text);
    assay_ctx_destroy(ctx);
}

typedef struct stopper {
    int after;
} stopper;

static int stop_after(void *cookie, const assay_progress *p) {
    stopper *s = cookie;
    (void)p;
    return s->after-- <= 0;
}

static void interrupted_audits_continue(void **state) {
    fixture *f = *state;
    assay_audit_options o = small();
    test_path whole = test_in(&f->out, "whole"), parts = test_in(&f->out, "parts");
    assay_ctx *plain = test_ctx(2);
    assay_audit *a = NULL;
    assert_ok(assay_audit_run(&a, plain, f->data.folder, whole.text, &o));
    assay_audit_destroy(a);
    int stops = 0;
    for (int round = 0; round < 40; round++) {
        stopper s = {round};
        assay_ctx_options co = ASSAY_CTX_OPTIONS_INIT;
        co.threads = 2;
        co.progress = stop_after;
        co.progress_cookie = &s;
        assay_ctx *ctx = NULL;
        assert_ok(assay_ctx_create(&ctx, &co));
        assay_status status = assay_audit_run(&a, ctx, f->data.folder, parts.text, &o);
        if (status == ASSAY_OK)
            assay_audit_destroy(a);
        else
            assert_int_equal(status, ASSAY_E_CANCELLED);
        assay_ctx_destroy(ctx);
        if (status == ASSAY_OK)
            break;
        stops++;
    }
    assert_true(stops > 2);
    same_files(plain, whole.text, parts.text);
    assay_ctx_destroy(plain);
}

static void a_changed_ridge_keeps_the_models(void **state) {
    fixture *f = *state;
    assay_ctx *ctx = test_ctx(2);
    assay_audit_options o = small();
    test_path out = test_in(&f->out, "r");
    assay_audit *a = NULL;
    size_t n, m;
    assert_ok(assay_audit_run(&a, ctx, f->data.folder, out.text, &o));
    assay_audit_destroy(a);
    test_path model = test_in(&f->out, "r/run/member-0/model.safetensors");
    test_path att = test_in(&f->out, "r/run/attribution.safetensors");
    uint8_t *before = test_get(ctx, model.text, &n),
            *att_before = test_get(ctx, att.text, &m);
    o.ridge = 10;
    assert_ok(assay_audit_run(&a, ctx, f->data.folder, out.text, &o));
    assay_audit_destroy(a);
    size_t n2, m2;
    uint8_t *after = test_get(ctx, model.text, &n2),
            *att_after = test_get(ctx, att.text, &m2);
    assert_int_equal(n, n2);
    assert_memory_equal(before, after, n);
    assert_true(m != m2 || memcmp(att_before, att_after, m) != 0);
    mem_free(ctx, before);
    mem_free(ctx, after);
    mem_free(ctx, att_before);
    mem_free(ctx, att_after);
    assay_ctx_destroy(ctx);
}

static void why_answers_and_checks_its_arguments(void **state) {
    fixture *f = *state;
    assay_ctx *ctx = test_ctx(2);
    assay_audit_options o = small();
    test_path out = test_in(&f->out, "w");
    char *json = NULL;
    json_doc *doc = NULL;
    assert_ok(assay_why(ctx, f->data.folder, out.text, &o, 7, 5, &json));
    assert_ok(json_parse(&doc, ctx, json, strlen(json)));
    const json_val *v = json_root(doc);
    assert_int_equal(json_get_int(json_get(v, "row"), -1), TRAIN + 7);
    assert_true(json_len(json_get(v, "for")) <= 5 && json_len(json_get(v, "for")) > 0);
    assert_true(json_get_num(json_get(json_at(json_get(v, "for"), 0), "effect"), 0) > 0);
    assert_true(json_get_num(json_get(json_at(json_get(v, "against"), 0), "effect"), 0) <
                0);
    json_doc_destroy(doc);
    assay_string_free(ctx, json);
    assert_fails(ASSAY_E_NOTFOUND,
                 assay_why(ctx, f->data.folder, out.text, &o, TEST, 5, &json));
    assert_fails(ASSAY_E_INVALID,
                 assay_why(ctx, f->data.folder, out.text, &o, 7, 0, &json));
    assay_ctx_destroy(ctx);
}

static void bad_options_are_named(void **state) {
    fixture *f = *state;
    assay_ctx *ctx = test_ctx(1);
    test_path out = test_in(&f->out, "b");
    assay_audit *a = NULL;
    assay_audit_options o = small();
    o.members = 4;
    assert_fails(ASSAY_E_INVALID, assay_audit_run(&a, ctx, f->data.folder, out.text, &o));
    assert_null(a);
    static const char *const bad[] = {"labels",     "labels:",      "labels:5x",
                                      "cats:5",     "labels:80%",   "copies:-3",
                                      "labels:nan", "copies:100000"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *const plant[] = {bad[i], NULL};
        o = small();
        o.plant = plant;
        assert_fails(ASSAY_E_INVALID,
                     assay_audit_run(&a, ctx, f->data.folder, out.text, &o));
        assert_true(assay_last_error()->help[0] != '\0');
    }
    o = small();
    assert_fails(ASSAY_E_NOTFOUND,
                 assay_audit_run(&a, ctx, "/nonexistent/data", out.text, &o));
    o.pred_probs = "/nonexistent/probs.npy";
    test_path none = test_in(&f->out, "none");
    assert_fails(ASSAY_E_NOTFOUND,
                 assay_audit_run(&a, ctx, f->data.folder, none.text, &o));
    assert_false(os_exists(none.text));
    assert_fails(ASSAY_E_NOTFOUND,
                 assay_audit_run(&a, ctx, f->data.folder, out.text, &o));
    assay_ctx_destroy(ctx);
}

static void own_probabilities_decide_the_label_check(void **state) {
    fixture *f = *state;
    assay_ctx *ctx = test_ctx(2);
    test_path out = test_in(&f->out, "p"), npy = test_in(&f->out, "probs.npy");
    float p[TRAIN][CLASSES];
    for (int i = 0; i < TRAIN; i++)
        for (int c = 0; c < CLASSES; c++)
            p[i][c] = c == i % CLASSES ? 0.98f : 0.01f;
    p[30][0] = 0.01f;
    p[30][2] = 0.98f;
    const int64_t dim[2] = {TRAIN, CLASSES};
    assert_ok(npy_put(ctx, npy.text, ASSAY_F32, 2, dim, p));
    assay_audit_options o = small();
    o.plant = NULL;
    o.pred_probs = npy.text;
    assay_audit *a = NULL;
    assert_ok(assay_audit_run(&a, ctx, f->data.folder, out.text, &o));
    assert_true(a->own_probs);
    size_t labels = 0;
    for (size_t i = 0; i < a->findings.count; i++)
        if (a->findings.item[i].kind == DETECT_LABEL) {
            assert_int_equal(a->findings.item[i].row, 30);
            assert_int_equal(a->findings.item[i].likely, 2);
            labels++;
        }
    assert_int_equal(labels, 1);
    assay_audit_destroy(a);
    p[3][1] = 7;
    assert_ok(npy_put(ctx, npy.text, ASSAY_F32, 2, dim, p));
    assert_fails(ASSAY_E_NUMERIC, assay_audit_run(&a, ctx, f->data.folder, out.text, &o));
    const int64_t wrong[2] = {CLASSES, TRAIN};
    assert_ok(npy_put(ctx, npy.text, ASSAY_F32, 2, wrong, p));
    assert_fails(ASSAY_E_SHAPE, assay_audit_run(&a, ctx, f->data.folder, out.text, &o));
    assay_ctx_destroy(ctx);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(finds_what_is_planted),
        T(same_bytes_at_any_thread_count),
        T(interrupted_audits_continue),
        T(a_changed_ridge_keeps_the_models),
        T(why_answers_and_checks_its_arguments),
        T(bad_options_are_named),
        T(own_probabilities_decide_the_label_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

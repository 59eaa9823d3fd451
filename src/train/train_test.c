/* assay_train and assay_eval from files on disk: what is written, that it is
 * reproducible, that it continues, what exclude.txt does, and what is refused. */
#include "train/testing_source.h"

#include "base/json.h"

#include <math.h>

static assay_train_options options_make(void) {
    assay_train_options o = ASSAY_TRAIN_OPTIONS_INIT;
    o.model = "mlp";
    o.epochs = 8;
    o.batch = 16;
    o.seed = 5;
    o.translate = 0;
    o.precision = "f32";
    return o;
}

static json_doc *read_json(assay_ctx *ctx, const test_path *out, const char *name) {
    char path[600];
    size_t n;
    (void)snprintf(path, sizeof path, "%s/%s", out->text, name);
    uint8_t *text = test_get(ctx, path, &n);
    json_doc *doc;
    assert_ok(json_parse(&doc, ctx, (char *)text, n));
    mem_free(ctx, text);
    return doc;
}

static void one_model(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(2);
    test_scratch s = test_scratch_begin();
    test_path src = source_make(&s, "src", TRAIN), out = test_in(&s, "out");
    assay_train_options o = options_make();
    assay_train_result r;
    assert_ok(assay_train(ctx, src.text, out.text, &o, &r));
    assert_int_equal(r.train_rows, TRAIN);
    assert_int_equal(r.test_rows, TEST);
    assert_int_equal(r.excluded, 0);
    assert_int_equal(r.members, 0);
    assert_true(r.accuracy > 0.9 && r.accuracy == r.accuracy_single);
    assert_true(r.loss > 0 && r.seconds > 0 && r.cpu_seconds > 0 && r.gflop > 0);
    assert_true(r.parameters > 1000);

    json_doc *run = read_json(ctx, &out, "run.json");
    const json_val *v = json_root(run);
    assert_string_equal(json_get_str(json_get(v, "schema"), ""), "assay-run-1");
    assert_true(json_get_bool(json_get(v, "finished"), false));
    assert_int_equal(strlen(json_get_str(json_get(v, "key"), "")), 64);
    assert_true(fabs(json_get_num(json_get(json_get(v, "accuracy"), "ensemble"), 0) -
                     r.accuracy) < 1e-6);
    json_doc_destroy(run);
    json_doc *timing = read_json(ctx, &out, "run/timing.json");
    v = json_root(timing);
    assert_true(json_get_num(json_get(json_get(v, "seconds"), "total"), 0) > 0);
    assert_true(json_get_num(json_get(json_get(v, "seconds"), "training"), 0) > 0);
    assert_true(json_get_num(json_get(v, "cpu_seconds"), 0) > 0);
    assert_true(json_get_num(json_get(v, "peak_bytes"), 0) > 0);
    json_doc_destroy(timing);

    assay_eval_result e;
    assert_ok(assay_eval(ctx, out.text, src.text, NULL, &e));
    assert_true(e.accuracy == r.accuracy && fabs(e.loss - r.loss) < 1e-9);
    assert_int_equal(e.rows, TEST);
    assert_int_equal(e.members, 1);
    char model[600];
    (void)snprintf(model, sizeof model, "%s/model.safetensors", out.text);
    assay_eval_options views = ASSAY_EVAL_OPTIONS_INIT;
    views.tta = "none"; /* as it was trained */
    double loss = e.loss;
    assert_ok(assay_eval_with(ctx, model, src.text, &views, &e));
    assert_true(fabs(e.loss - loss) < 1e-12);
    views.tta = "mirror-shift"; /* the class is a corner: mirrors say another */
    assert_ok(assay_eval_with(ctx, model, src.text, &views, &e));
    assert_true(e.loss > loss + 0.01);
    views.tta = "sideways";
    assert_fails(ASSAY_E_INVALID, assay_eval_with(ctx, model, src.text, &views, &e));
    assert_ok(assay_eval(ctx, model, src.text, "all", &e));
    assert_int_equal(e.rows, TRAIN + TEST);
    assert_ok(assay_eval(ctx, model, src.text, "train", &e));
    assert_int_equal(e.rows, TRAIN);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* A model file opened to run on arrays: what it says of itself, equal rows for equal
 * pixels, and what it refuses. */
static void opened_to_run(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_path src = source_make(&s, "src", TRAIN), out = test_in(&s, "run");
    assay_train_options o = options_make();
    assay_train_result r;
    assay_model *m;
    assay_tensor *x, *y;
    char path[600];
    assert_ok(assay_train(ctx, src.text, out.text, &o, &r));
    (void)snprintf(path, sizeof path, "%s/model.safetensors", out.text);
    assert_ok(assay_model_open_trained(&m, ctx, path, NULL));
    assay_model_value in = assay_model_input(m, 0), logits = assay_model_output(m, 0);
    assert_string_equal(logits.name, "logits");
    assert_int_equal(in.ndim, 4);
    assert_int_equal(in.dim[0], -1);
    in.dim[0] = 3;
    assert_ok(assay_tensor_create(&x, ctx, ASSAY_F32, 4, in.dim, ASSAY_ROW_MAJOR));
    for (int64_t i = 0; i < assay_tensor_count(x); i++)
        ((float *)assay_tensor_data(x))[i] = 0.25f;
    assert_ok(assay_model_run(m, (const assay_tensor *const *)&x, &y));
    int64_t classes = assay_tensor_dims(y)[1];
    const float *v = assay_tensor_data(y);
    assert_int_equal(assay_tensor_dims(y)[0], 3);
    for (int64_t k = 0; k < classes; k++)
        assert_true(v[k] == v[classes + k] && v[k] == v[2 * classes + k] && v[k] == v[k]);
    assay_tensor_unref(x);
    assay_tensor_unref(y);
    assay_model_close(m);
    assert_fails(ASSAY_E_NOTFOUND, assay_model_open_trained(&m, ctx, "absent", NULL));
    assert_null(m);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void an_ensemble(void **state) {
    (void)state;
    assay_ctx *one = test_ctx(1), *two = test_ctx(2);
    test_scratch s = test_scratch_begin();
    test_path src = source_make(&s, "src", TRAIN), a = test_in(&s, "a"),
              b = test_in(&s, "b");
    assay_train_options o = options_make();
    o.members = 3;
    assay_train_result r, again;
    assert_ok(assay_train(one, src.text, a.text, &o, &r));
    assert_ok(assay_train(two, src.text, b.text, &o, &again));
    assert_true(r.accuracy == again.accuracy && r.loss == again.loss);
    assert_int_equal(r.members, 3);
    static const char *const files[] = {
        "run.json", "member-0/model.safetensors", "member-0/metrics.jsonl",
        "member-2/model.safetensors", "member-2/metrics.jsonl"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        test_same_file(one, a.text, b.text, files[i]);
    assay_eval_result e;
    assert_ok(assay_eval(two, a.text, src.text, "test", &e));
    assert_true(e.accuracy == r.accuracy);
    assert_int_equal(e.members, 3);
    test_scratch_end(&s);
    assay_ctx_destroy(one);
    assay_ctx_destroy(two);
}

typedef struct counter {
    int left;
} counter;

static int count_down(void *cookie, const assay_progress *p) {
    counter *c = cookie;
    return strcmp(p->phase, "training") == 0 && --c->left <= 0;
}

static void interrupted(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_path src = source_make(&s, "src", TRAIN), a = test_in(&s, "a"),
              b = test_in(&s, "b");
    assay_train_options o = options_make();
    o.epochs = 30;
    assert_ok(assay_train(ctx, src.text, a.text, &o, NULL));
    counter c = {1};
    assay_ctx_options co = ASSAY_CTX_OPTIONS_INIT;
    co.threads = 1;
    co.progress = count_down;
    co.progress_cookie = &c;
    assay_ctx *stopped;
    assert_ok(assay_ctx_create(&stopped, &co));
    assert_fails(ASSAY_E_CANCELLED, assay_train(stopped, src.text, b.text, &o, NULL));
    assay_eval_result e;
    assert_fails(ASSAY_E_NOTFOUND, assay_eval(ctx, b.text, src.text, NULL, &e));
    assert_non_null(strstr(assay_last_error()->message, "not finished"));
    assay_ctx_resume(stopped);
    c.left = 1000000;
    assert_ok(assay_train(stopped, src.text, b.text, &o, NULL));
    test_same_file(ctx, a.text, b.text, "model.safetensors");
    test_same_file(ctx, a.text, b.text, "metrics.jsonl");
    test_same_file(ctx, a.text, b.text, "run.json");
    o.no_resume = 1; /* once more from the start: the same again */
    assay_train_result r;
    assert_ok(assay_train(ctx, src.text, b.text, &o, &r));
    assert_true(r.gflop > 0);
    test_same_file(ctx, a.text, b.text, "model.safetensors");
    assay_ctx_destroy(stopped);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void limits_and_excludes(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_path src = source_make(&s, "src", TRAIN),
              other = source_make(&s, "other", TRAIN - 7);
    test_path out = test_in(&s, "out"), list = test_in(&s, "exclude.txt");
    assay_train_options o = options_make();
    assay_train_result r;
    o.epochs = 1;
    assert_ok(assay_train(ctx, src.text, out.text, &o, &r));
    json_doc *run = read_json(ctx, &out, "run.json");
    char text[400];
    (void)snprintf(
        text, sizeof text,
        "# assay-exclude 1  dataset=sha256:%s  rows=%d\nrow\tsplit\treason\tscore\tid\n"
        "3\ttrain\tcopy\t1.00\tx\n7\ttrain\tcopy\t1.00\ty\n130\ttest\tcopy\t1.00\tz\n",
        json_get_str(json_get(json_get(json_root(run), "dataset"), "sha256"), ""),
        TRAIN + TEST);
    json_doc_destroy(run);
    test_put(list.text, text, strlen(text));
    o.exclude = list.text;
    assert_ok(assay_train(ctx, src.text, out.text, &o, &r));
    assert_int_equal(r.excluded, 2);
    assert_int_equal(r.train_rows, TRAIN - 2);
    assert_true(r.gflop > 0); /* trained anew */
    assert_fails(ASSAY_E_INVALID, assay_train(ctx, other.text, out.text, &o, &r));
    assert_string_equal(assay_last_error()->message,
                        "exclude.txt belongs to another dataset");
    o.exclude = NULL;
    o.limit = 32;
    test_path limited = test_in(&s, "limited");
    assert_ok(assay_train(ctx, src.text, limited.text, &o, &r));
    assert_int_equal(r.train_rows, 32);
    assert_int_equal(r.test_rows, 32);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void refusals(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_path src = source_make(&s, "src", TRAIN), out = test_in(&s, "out");
    assay_train_result r;
    assay_train_options o = options_make();
    o.members = 4;
    assert_fails(ASSAY_E_INVALID, assay_train(ctx, src.text, out.text, &o, &r));
    o = options_make();
    o.size = 3;
    assert_fails(ASSAY_E_INVALID, assay_train(ctx, src.text, out.text, &o, &r));
    o = options_make();
    o.limit = -1;
    assert_fails(ASSAY_E_INVALID, assay_train(ctx, src.text, out.text, &o, &r));
    o = options_make();
    o.struct_size = 1;
    assert_fails(ASSAY_E_INVALID, assay_train(ctx, src.text, out.text, &o, &r));
    o = options_make();
    o.model = "resnet";
    assert_fails(ASSAY_E_INVALID, assay_train(ctx, src.text, out.text, &o, &r));
    o = options_make();
    assert_fails(ASSAY_E_NOTFOUND, assay_train(ctx, "/nonexistent", out.text, &o, &r));
    assert_int_not_equal(assay_train(ctx, src.text, "/proc/nope", &o, &r), ASSAY_OK);
    assay_eval_result e;
    assert_fails(ASSAY_E_INVALID, assay_eval(ctx, out.text, src.text, "validation", &e));
    assert_fails(ASSAY_E_NOTFOUND,
                 assay_eval(ctx, "/nonexistent.safetensors", src.text, NULL, &e));
    test_path fake = test_in(&s, "fake");
    assert_ok(os_mkdirs(fake.text));
    assert_fails(ASSAY_E_NOTFOUND, assay_eval(ctx, fake.text, src.text, NULL, &e));
    char path[600];
    (void)snprintf(path, sizeof path, "%s/run.json", fake.text);
    test_put(path, "{\"schema\":\"x\"}", 14);
    assert_fails(ASSAY_E_FORMAT, assay_eval(ctx, fake.text, src.text, NULL, &e));
    test_put(path, "{", 1);
    assert_fails(ASSAY_E_FORMAT, assay_eval(ctx, fake.text, src.text, NULL, &e));
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_model),   cmocka_unit_test(an_ensemble),
        cmocka_unit_test(interrupted), cmocka_unit_test(limits_and_excludes),
        cmocka_unit_test(refusals),    cmocka_unit_test(opened_to_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

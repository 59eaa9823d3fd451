/* The regime's signs: swings that are known, and a log that is written without moving the
 * weights. */
#include "train/regime.h"

#include "base/json.h"
#include "train/testing.h"

#include <math.h>

static void swings(void **state) {
    (void)state;
    regime_log r = {0};
    assert_true(regime_swing(&r) == 0);
    const double loss[] = {3, 1, 3, 1, 2}; /* changes 2, 2, 2, 1; mean 2 */
    for (size_t i = 0; i < sizeof loss / sizeof *loss; i++)
        regime_step(&r, loss[i]);
    assert_true(fabs(regime_swing(&r) - sqrt(13.0 / 4) / 2) < 1e-12);
    assert_string_equal(regime_name(0.1, 0, 9.9), "small");
    assert_string_equal(regime_name(0.1, 0, 10.1), "large");
    assert_string_equal(regime_name(0.1, 0.9, 18.9), "small");
}

static void plateaus(void **state) {
    (void)state;
    const double loss[] = {3, 2, 1.5, 1.49, 1.495, 1.486, 1.4, 0.5};
    epoch_metrics m[8] = {{0}};
    for (int e = 0; e < 8; e++)
        m[e].loss = loss[e];
    for (int done = 0; done < 6; done++)
        assert_int_equal(regime_plateau(m, done), -1);
    for (int done = 6; done <= 8; done++)
        assert_int_equal(regime_plateau(m, done), 6);
    m[5].loss = 1.47; /* a hundredth below 1.49 */
    assert_int_equal(regime_plateau(m, 8), -1);
}

/* A run that plateaus at once: the rates of its epochs. */
static void the_switch_is_found(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    toy *t = toy_make(ctx, 96, "cnn");
    trained_model m = {.ctx = ctx};
    assert_ok(settings_set(&t->recipe, "schedule=two-regime auto-switch=on lr=1e-9 "
                                       "epochs=6 precision=f32 small-steps=0.5"));
    test_path dir = test_in(&s, "run");
    train_job job = {
        .dir = dir.text, .rows = t->rows, .n_rows = t->n, .seed = 3, .result = &m};
    assert_ok(train_one(ctx, &t->data, &t->recipe, &job));
    char path[600];
    size_t n;
    (void)snprintf(path, sizeof path, "%s/metrics.jsonl", dir.text);
    char *text = (char *)test_get(ctx, path, &n), *line = text;
    for (int e = 0; e < 6; e++) { /* the first sets the least, three do not gain on it */
        json_doc *doc;
        size_t len = strcspn(line, "\n");
        assert_ok(json_parse(&doc, ctx, line, len));
        double rate = json_get_num(json_get(json_root(doc), "lr"), 0);
        assert_true(fabs(rate - (e < 4 ? 1e-9 : 5e-10)) < 1e-15);
        json_doc_destroy(doc);
        line += len + 1;
    }
    mem_free(ctx, text);
    model_free(&m);
    toy_free(t);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* The last line of metrics.jsonl. */
static json_doc *last_line(assay_ctx *ctx, const char *dir) {
    char path[600];
    (void)snprintf(path, sizeof path, "%s/metrics.jsonl", dir);
    size_t n;
    char *text = (char *)test_get(ctx, path, &n);
    size_t begin = n - 1;
    while (begin > 0 && text[begin - 1] != '\n')
        begin--;
    json_doc *doc;
    assert_ok(json_parse(&doc, ctx, text + begin, n - begin));
    mem_free(ctx, text);
    return doc;
}

static void the_log_moves_nothing(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    toy *t = toy_make(ctx, 96, "cnn");
    trained_model m[2] = {{.ctx = ctx}, {.ctx = ctx}};
    (void)snprintf(t->recipe.precision, sizeof t->recipe.precision, "f32");
    for (int on = 0; on < 2; on++) {
        test_path dir = test_in(&s, on ? "on" : "off");
        t->recipe.log_regime = on;
        train_job job = {.dir = dir.text,
                         .rows = t->rows,
                         .n_rows = t->n,
                         .seed = 3,
                         .result = &m[on]};
        assert_ok(train_one(ctx, &t->data, &t->recipe, &job));
        json_doc *doc = last_line(ctx, dir.text);
        const json_val *v = json_root(doc);
        assert_int_equal(json_get(v, "curvature") != NULL, on);
        if (on) {
            double curvature = json_get_num(json_get(v, "curvature"), 0);
            double product = json_get_num(json_get(v, "rate_times_curvature"), 0);
            assert_true(curvature > 0 && json_get_num(json_get(v, "swing"), 0) > 0);
            assert_true(fabs(product - curvature * json_get_num(json_get(v, "lr"), 0)) <
                        1e-6 * product);
        }
        json_doc_destroy(doc);
    }
    const nn_graph *g = m[0].zoo.graph;
    assert_memory_equal(m[0].weights.params, m[1].weights.params,
                        nn_graph_param_floats(g) * sizeof(float));
    assert_memory_equal(m[0].weights.buffers, m[1].weights.buffers,
                        nn_graph_buffer_floats(g) * sizeof(float));
    model_free(&m[0]);
    model_free(&m[1]);
    toy_free(t);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(swings),
        cmocka_unit_test(plateaus),
        cmocka_unit_test(the_switch_is_found),
        cmocka_unit_test(the_log_moves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Small models arrive at the weights that the general path arrives at; other recipes take
 * that one. */
#include "train/testing.h"
#include "train/tiny.h"

enum { ROWS = 120 };

static trained_model trained(assay_ctx *ctx, toy *t, const char *settings, bool wide) {
    trained_model m = {.ctx = ctx};
    train_recipe r = t->recipe;
    assert_ok(settings_set(&r, settings));
    train_job job = {
        .rows = t->rows, .n_rows = t->n, .seed = 5, .wide = wide, .result = &m};
    assert_ok(train_one(ctx, &t->data, &r, &job));
    assert_true(job.gflop > 0);
    return m;
}

/* A job that is alone never takes the short way. */
static void same_weights(void **state) {
    (void)state;
    static const char *const settings[] = {
        "model=mlp-24-16 batch=30", "model=mlp-33 label_smoothing=0 weight_decay=0",
        "model=mlp-16-16-16 nesterov=off momentum=0.5 translate=0",
        "model=mlp-40 batch=7 flip=1 schedule=cosine",
        "model=mlp-20 schedule=wsd warmup=0 decay_share=0.5 nesterov=off"};
    assay_ctx *ctx = test_ctx(1);
    toy *t = toy_make(ctx, ROWS, "mlp");
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        trained_model a = trained(ctx, t, settings[i], false);
        trained_model b = trained(ctx, t, settings[i], true);
        size_t n = nn_graph_param_floats(a.zoo.graph);
        assert_memory_equal(a.weights.params, b.weights.params, n * sizeof(float));
        model_free(&a);
        model_free(&b);
    }
    toy_free(t);
    assay_ctx_destroy(ctx);
}

static bool fits(assay_ctx *ctx, const toy *t, const char *settings, int channels) {
    train_recipe r = t->recipe;
    zoo_model z;
    const zoo_config config = {
        .classes = 3, .channels = channels, .height = 8, .width = 8};
    assert_ok(settings_set(&r, settings));
    assert_ok(zoo_build(&z, ctx, r.model, &config));
    bool out = tiny_fits(&r, &z);
    zoo_destroy(&z);
    return out;
}

static void which_recipes(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    toy *t = toy_make(ctx, ROWS, "mlp");
    assert_string_equal(t->recipe.precision, "f32"); /* chosen for it everywhere */
    assert_true(fits(ctx, t, "", 1));
    assert_true(fits(ctx, t, "nesterov=off epochs=3 lr=1 model=mlp-5-5-5", 1));
    assert_true(fits(ctx, t, "schedule=wsd warmup=0.1 decay_share=0.5 edge=reflect", 1));
    assert_false(fits(ctx, t, "schedule=two-regime", 1));
    assert_false(fits(ctx, t, "ema=0.99", 1));
    assert_false(fits(ctx, t, "clip=1", 1));
    assert_false(fits(ctx, t, "freeze=fc1.*", 1));
    assert_false(fits(ctx, t, "", 3));
    assert_false(fits(ctx, t, "model=cnn", 1));
    assert_false(fits(ctx, t, "precision=bf16", 1));
    assert_false(fits(ctx, t, "optimizer=adamw", 1));
    assert_false(fits(ctx, t, "decoupled=on", 1));
    assert_false(fits(ctx, t, "model=mlp-4000-4000", 1));
    toy_free(t);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_weights),
        cmocka_unit_test(which_recipes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Rows held out, and stopping early: how many are held, that a run ends when nothing
 * better comes, and that it ends with the best weights. */
#include "train/batches.h"
#include "train/testing.h"

#include <math.h>

enum { ROWS = 120, EPOCHS = 30, PATIENCE = 3 };

/* The losses on what was held out, by epoch. */
static int losses(assay_ctx *ctx, const char *dir, double out[EPOCHS]) {
    char path[600];
    size_t bytes;
    int n = 0;
    (void)snprintf(path, sizeof path, "%.500s/metrics.jsonl", dir);
    uint8_t *text = test_get(ctx, path, &bytes);
    char *copy = calloc(bytes + 1, 1);
    assert_non_null(copy);
    memcpy(copy, text, bytes);
    for (char *p = copy; (p = strstr(p, "\"val_loss\":")) != NULL; n++) {
        assert_true(n < EPOCHS);
        p += strlen("\"val_loss\":");
        out[n] = strtod(p, NULL);
    }
    free(copy);
    mem_free(ctx, text);
    return n;
}

static void ends_with_the_best(void **state) {
    (void)state;
    static const char *const settings[] = {"", "ema=0.8"};
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    for (size_t k = 0; k < sizeof settings / sizeof *settings; k++) {
        toy *t = toy_make(ctx, ROWS, "cnn");
        char dir[600];
        double loss[EPOCHS];
        trained_model m = {0};
        (void)snprintf(dir, sizeof dir, "%.500s/%zu", s.folder, k);
        assert_ok(settings_set(&t->recipe,
                               "validation=0.25 patience=3 schedule=constant lr=0.2"));
        assert_ok(settings_set(&t->recipe, settings[k]));
        t->recipe.epochs = EPOCHS;
        train_job job = {
            .dir = dir, .rows = t->rows, .n_rows = ROWS, .seed = 2, .result = &m};
        assert_ok(train_one(ctx, &t->data, &t->recipe, &job));
        int n = losses(ctx, dir, loss), best = 0;
        for (int e = 1; e < n; e++)
            best = loss[e] < loss[best] ? e : best;
        assert_true(n == EPOCHS || n == best + 1 + PATIENCE);
        assert_true(n < EPOCHS); /* it is easy: the best comes soon */
        batches b;
        train_measure held;
        assert_ok(batches_create(&b, ctx, &t->data, &t->recipe, &job));
        assert_ok(batches_measure(&b, &m, &held));
        assert_true(fabs(held.loss - loss[best]) < 1e-6 * (1 + loss[best]));
        batches_destroy(&b);
        model_free(&m);
        toy_free(t);
    }
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* So many are held out, the others make up the batches. */
static void holds_rows_out(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    toy *t = toy_make(ctx, ROWS, "mlp");
    assert_ok(settings_set(&t->recipe, "validation=0.25 batch=10"));
    assert_int_equal(batches_held(&t->recipe, ROWS), ROWS / 4);
    assert_int_equal(train_images(&t->recipe, ROWS), ROWS * t->recipe.epochs);
    train_job job = {.rows = t->rows, .n_rows = ROWS, .seed = 2};
    batches b;
    train_batch got;
    size_t seen = 0;
    assert_ok(batches_create(&b, ctx, &t->data, &t->recipe, &job));
    assert_int_equal(b.count, ROWS * 3 / 4 / 10);
    assert_ok(batches_epoch(&b, 0));
    for (int64_t i = 0; i < b.count; i++) {
        assert_ok(batches_next(&b, &got));
        seen += (size_t)got.n;
    }
    assert_int_equal(seen, ROWS * 3 / 4);
    batches_destroy(&b);
    toy_free(t);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_with_the_best),
        cmocka_unit_test(holds_rows_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

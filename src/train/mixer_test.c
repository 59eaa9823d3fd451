/* Mixed batches: images are what labels and shares say, the same for the same seed, epoch
 * and place; a model learns from them by the loss of both labels. */
#include "train/mixer.h"

#include "train/testing.h"

#include <math.h>

enum { N = 6, SIDE = 8, EACH = SIDE * SIDE };

/* Image i is i everywhere, so that a mixed pixel tells its shares. */
static void mixes_as_told(const char *kind) {
    assay_ctx *ctx = test_ctx(1);
    float images[N][EACH], mixed[N][EACH];
    int32_t labels[N];
    mixer m;
    for (int i = 0; i < N; i++) {
        labels[i] = i % 4;
        for (int p = 0; p < EACH; p++)
            images[i][p] = (float)i;
    }
    assert_ok(mixer_create(&m, ctx, kind, 1, SIDE, 1, 4, N, 3));
    bool any = false;
    for (uint64_t batch = 0; batch < 5; batch++) {
        mixer_mix(&m, 2, batch, &images[0][0], labels, N);
        memcpy(mixed, m.mixed, sizeof mixed);
        for (int i = 0; i < N; i++) {
            int before = i ? i - 1 : N - 1;
            double sum = 0, share = (double)m.share[i];
            for (int p = 0; p < EACH; p++)
                sum += (double)mixed[i][p] / EACH;
            assert_int_equal(m.other[i], labels[before]);
            assert_true(share >= 0 && share <= 1);
            assert_true(fabs(sum - share * i - (1 - share) * before) < 1e-4);
            any |= share < 0.99;
        }
        mixer_mix(&m, 2, batch, &images[0][0], labels, N);
        assert_memory_equal(mixed, m.mixed, sizeof mixed);
    }
    assert_true(any);
    mixer_mix(&m, 3, 4, &images[0][0], labels, N);
    assert_memory_not_equal(mixed, m.mixed, sizeof mixed);
    mixer_destroy(&m);
    assay_ctx_destroy(ctx);
}

static void images_and_labels_agree(void **state) {
    (void)state;
    mixes_as_told("mixup");
    mixes_as_told("cutmix");
}

/* The model that mixed batches make is another one, and knows the classes. */
static void a_model_learns(void **state) {
    (void)state;
    static const char *const settings[] = {"mixup=0.2", "cutmix=0.2"};
    assay_ctx *ctx = test_ctx(1);
    for (size_t k = 0; k < 2; k++) {
        toy *t = toy_make(ctx, 200, "cnn");
        trained_model m = {0};
        float *logits = calloc(200 * TOY_CLASSES, sizeof *logits);
        size_t right = 0;
        assert_non_null(logits);
        t->recipe.epochs = 12;
        assert_ok(settings_set(&t->recipe, settings[k]));
        train_job job = {.rows = t->rows, .n_rows = 200, .seed = 1, .result = &m};
        assert_ok(train_one(ctx, &t->data, &t->recipe, &job));
        assert_ok(
            train_predict(ctx, &m, &t->pixels, NULL, 200, VIEWS_PLAIN, logits, NULL));
        for (size_t i = 0; i < 200; i++) {
            int best = 0;
            for (int c = 1; c < TOY_CLASSES; c++)
                if (logits[i * TOY_CLASSES + (size_t)c] >
                    logits[i * TOY_CLASSES + (size_t)best])
                    best = c;
            right += best == t->labels[i];
        }
        assert_true(right > 180);
        free(logits);
        model_free(&m);
        toy_free(t);
    }
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_and_labels_agree),
        cmocka_unit_test(a_model_learns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

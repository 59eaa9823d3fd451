/* Prediction: a trained toy is right, rows are independent of their company and of the
 * threads, and the mirror averages. */
#include "train/testing.h"

#include <math.h>

enum { ROWS = 300 };

typedef struct fixture {
    assay_ctx *ctx;
    toy *t;
    trained_model m;
} fixture;

static fixture begin(const char *model, int threads) {
    fixture f = {.ctx = test_ctx(threads)};
    f.t = toy_make(f.ctx, ROWS, model);
    f.t->recipe.epochs = 6;
    train_job job = {
        .rows = f.t->rows, .n_rows = ROWS, .seed = 3, .identity = "x", .result = &f.m};
    assert_ok(train_fleet(f.ctx, &f.t->data, &f.t->recipe, &job, 1));
    return f;
}

static void end(fixture *f) {
    model_free(&f->m);
    toy_free(f->t);
    assay_ctx_destroy(f->ctx);
}

static double accuracy(const fixture *f, const float *logits) {
    double right = 0;
    for (size_t i = 0; i < ROWS; i++) {
        int best = 0;
        for (int c = 1; c < TOY_CLASSES; c++)
            best = logits[i * TOY_CLASSES + (size_t)c] >
                           logits[i * TOY_CLASSES + (size_t)best]
                       ? c
                       : best;
        right += best == f->t->labels[i];
    }
    return right / ROWS;
}

static void learns_and_tells(void **state) {
    (void)state;
    for (size_t i = 0; i < TOY_MODELS; i++) {
        fixture f = begin(toy_model(i), 1);
        float *logits = calloc(ROWS * TOY_CLASSES, sizeof *logits);
        size_t width = model_penultimate_width(&f.m);
        float *features = calloc(ROWS * width, sizeof *features);
        assert_true(logits && features);
        assert_ok(train_predict(f.ctx, &f.m, &f.t->pixels, NULL, ROWS, false, logits,
                                features));
        assert_true(accuracy(&f, logits) > 0.95);
        double sum = 0;
        for (size_t k = 0; k < ROWS * width; k++)
            sum += fabs((double)features[k]);
        assert_true(sum > 0);
        free(features);
        free(logits);
        end(&f);
    }
}

static void threads_do_not_matter(void **state) {
    (void)state;
    float *a = calloc(ROWS * TOY_CLASSES, sizeof *a),
          *b = calloc(ROWS * TOY_CLASSES, sizeof *b);
    assert_true(a && b);
    fixture one = begin("cnn", 1), two = begin("cnn", 2);
    assert_ok(train_predict(one.ctx, &one.m, &one.t->pixels, NULL, ROWS, true, a, NULL));
    assert_ok(train_predict(two.ctx, &two.m, &two.t->pixels, NULL, ROWS, true, b, NULL));
    assert_memory_equal(a, b, ROWS * TOY_CLASSES * sizeof *a);
    end(&one);
    end(&two);
    free(a);
    free(b);
}

static void rows_select(void **state) {
    (void)state;
    fixture f = begin("mlp", 1);
    float *all = calloc(ROWS * TOY_CLASSES, sizeof *all), some[3 * TOY_CLASSES];
    assert_non_null(all);
    const uint32_t rows[3] = {299, 0, 17};
    assert_ok(train_predict(f.ctx, &f.m, &f.t->pixels, NULL, ROWS, false, all, NULL));
    assert_ok(train_predict(f.ctx, &f.m, &f.t->pixels, rows, 3, false, some, NULL));
    for (size_t i = 0; i < 3; i++)
        for (size_t c = 0; c < TOY_CLASSES; c++)
            assert_true(fabs((double)some[i * TOY_CLASSES + c] -
                             (double)all[rows[i] * TOY_CLASSES + c]) < 1e-4);
    assert_ok(train_predict(f.ctx, &f.m, &f.t->pixels, rows, 0, false, some, NULL));
    free(all);
    end(&f);
}

/* The mean over an image and its mirror is the same for both. */
static void mirror_averages(void **state) {
    (void)state;
    fixture f = begin("mlp", 1);
    uint8_t pair[2][TOY_SIDE][TOY_SIDE];
    memcpy(pair[0], f.t->pixels.data, sizeof pair[0]);
    for (int y = 0; y < TOY_SIDE; y++)
        for (int x = 0; x < TOY_SIDE; x++)
            pair[1][y][x] = pair[0][y][TOY_SIDE - 1 - x];
    const npy_array pixels = {.dtype = ASSAY_U8,
                              .ndim = 4,
                              .dim = {2, TOY_SIDE, TOY_SIDE, 1},
                              .data = &pair[0][0][0],
                              .bytes = sizeof pair};
    float plain[2 * TOY_CLASSES], mean[2 * TOY_CLASSES];
    assert_ok(train_predict(f.ctx, &f.m, &pixels, NULL, 2, false, plain, NULL));
    assert_ok(train_predict(f.ctx, &f.m, &pixels, NULL, 2, true, mean, NULL));
    double z[2] = {0, 0};
    for (int i = 0; i < 2; i++)
        for (int c = 0; c < TOY_CLASSES; c++)
            z[i] += exp((double)plain[i * TOY_CLASSES + c]);
    for (int c = 0; c < TOY_CLASSES; c++) {
        double want = 0.5 * ((double)plain[c] - log(z[0]) +
                             (double)plain[TOY_CLASSES + c] - log(z[1]));
        assert_true(fabs((double)mean[c] - want) < 1e-4);
        assert_true(fabs((double)mean[TOY_CLASSES + c] - want) < 1e-4);
    }
    end(&f);
}

/* Six views by hand, one plain judgement each: weights 1/4, 1/4 and four times 1/8. */
static void shifts_average(void **state) {
    (void)state;
    enum { VIEWS = 6, LAST = TOY_SIDE - 1 };
    static const int shift[VIEWS] = {0, 0, -1, -1, 1, 1};
    fixture f = begin("cnn", 1);
    uint8_t shown[VIEWS][TOY_SIDE][TOY_SIDE];
    const uint8_t *source = f.t->pixels.data;
    for (int v = 0; v < VIEWS; v++)
        for (int y = 0; y < TOY_SIDE; y++)
            for (int x = 0; x < TOY_SIDE; x++) {
                int fy = abs(y + shift[v]), fx = abs((v % 2 ? LAST - x : x) + shift[v]);
                fy = fy > LAST ? 2 * LAST - fy : fy;
                fx = fx > LAST ? 2 * LAST - fx : fx;
                shown[v][y][x] = source[fy * TOY_SIDE + fx];
            }
    const npy_array pixels = {.dtype = ASSAY_U8,
                              .ndim = 4,
                              .dim = {VIEWS, TOY_SIDE, TOY_SIDE, 1},
                              .data = &shown[0][0][0],
                              .bytes = sizeof shown};
    float plain[VIEWS * TOY_CLASSES], mean[VIEWS * TOY_CLASSES];
    double want[TOY_CLASSES] = {0};
    assert_ok(train_predict(f.ctx, &f.m, &pixels, NULL, VIEWS, VIEWS_PLAIN, plain, NULL));
    assert_ok(
        train_predict(f.ctx, &f.m, &pixels, NULL, 1, VIEWS_MIRROR_SHIFT, mean, NULL));
    for (int v = 0; v < VIEWS; v++) {
        double z = 0;
        for (int c = 0; c < TOY_CLASSES; c++)
            z += exp((double)plain[v * TOY_CLASSES + c]);
        for (int c = 0; c < TOY_CLASSES; c++)
            want[c] +=
                (v < 2 ? 0.25 : 0.125) * ((double)plain[v * TOY_CLASSES + c] - log(z));
    }
    for (int c = 0; c < TOY_CLASSES; c++)
        assert_true(fabs((double)mean[c] - want[c]) < 1e-4);
    end(&f);
}

/* The recipe's word, or what it was trained on. */
static void views_of_a_card(void **state) {
    (void)state;
    static const struct {
        const char *line;
        predict_views views;
    } cases[] = {
        {"", VIEWS_PLAIN},
        {"model=cnn flip=0", VIEWS_PLAIN},
        {"model=cnn flip=1 translate=1", VIEWS_MIRROR},
        {"flip=1 tta=none", VIEWS_PLAIN},
        {"flip=0 tta=mirror-shift", VIEWS_MIRROR_SHIFT},
        {"flip=1 tta=sideways", VIEWS_MIRROR},
        {"noflip=1", VIEWS_PLAIN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        model_card c = {.size = 1};
        (void)snprintf(c.recipe, sizeof c.recipe, "%s", cases[i].line);
        assert_int_equal(predict_views_of(&c), cases[i].views);
    }
}

static void wrong_pixels(void **state) {
    (void)state;
    fixture f = begin("mlp", 1);
    float logits[TOY_CLASSES];
    npy_array other = f.t->pixels;
    other.dim[1] = 11;
    assert_fails(ASSAY_E_SHAPE,
                 train_predict(f.ctx, &f.m, &other, NULL, 1, false, logits, NULL));
    const uint32_t row = ROWS;
    assert_fails(ASSAY_E_SHAPE,
                 train_predict(f.ctx, &f.m, &f.t->pixels, &row, 1, false, logits, NULL));
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns_and_tells), cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(rows_select),      cmocka_unit_test(shifts_average),
        cmocka_unit_test(views_of_a_card),  cmocka_unit_test(mirror_averages),
        cmocka_unit_test(wrong_pixels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

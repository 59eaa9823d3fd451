/* A small labelled set of images in memory, for the tests of this room. */
#ifndef TRAIN_TESTING_H
#define TRAIN_TESTING_H

#include "base/rng.h"
#include "base/testing.h"
#include "train/trainer.h"

enum { TOY_SIDE = 12, TOY_CLASSES = 4, TOY_MODELS = 2 };

/* Models small enough to be trained in a test. */
static inline const char *toy_model(size_t i) {
    static const char *const names[TOY_MODELS] = {"cnn", "mlp"};
    return names[i];
}

/* Noise with a bright spot whose corner says the class. */
typedef struct toy {
    npy_array pixels;
    int32_t *labels;
    uint32_t *rows; /* 0, 1, 2... */
    model_card card;
    train_data data;
    train_recipe recipe;
    size_t n;
} toy;

static inline toy *toy_make(assay_ctx *ctx, size_t n, const char *model) {
    toy *t = calloc(1, sizeof *t);
    assert_non_null(t);
    size_t each = (size_t)TOY_SIDE * TOY_SIDE;
    uint8_t *pixel = calloc(n, each);
    t->labels = calloc(n, sizeof *t->labels);
    t->rows = calloc(n, sizeof *t->rows);
    assert_true(pixel && t->labels && t->rows);
    for (size_t i = 0; i < n; i++) {
        rng r = rng_at(7, RNG_TEST, 0, i);
        t->labels[i] = (int32_t)rng_below(&r, TOY_CLASSES);
        t->rows[i] = (uint32_t)i;
        for (size_t p = 0; p < each; p++)
            pixel[i * each + p] = (uint8_t)rng_below(&r, 120);
        size_t x = t->labels[i] % 2 ? 7 : 2, y = t->labels[i] / 2 ? 7 : 2;
        for (size_t p = 0; p < 9; p++)
            pixel[i * each + (y + p / 3) * TOY_SIDE + x + p % 3] = 220;
    }
    t->n = n;
    t->pixels = (npy_array){.dtype = ASSAY_U8,
                            .ndim = 4,
                            .dim = {(int64_t)n, TOY_SIDE, TOY_SIDE, 1},
                            .data = pixel,
                            .bytes = n * each};
    t->card = (model_card){.size = TOY_SIDE,
                           .channels = 1,
                           .classes = TOY_CLASSES,
                           .dataset_sha256 = "0123456789abcdef"};
    dataset_statistics(&t->pixels, n, t->card.mean, t->card.std);
    t->data = (train_data){
        .pixels = &t->pixels, .labels = t->labels, .card = &t->card};
    assay_train_options o = ASSAY_TRAIN_OPTIONS_INIT;
    o.model = model;
    o.epochs = 3;
    o.batch = 32;
    o.translate = 1;
    assert_ok(train_recipe_make(&t->recipe, &o, n, TOY_SIDE, false));
    (void)ctx;
    return t;
}

static inline void toy_free(toy *t) {
    free(t->pixels.data);
    free(t->labels);
    free(t->rows);
    free(t);
}

#endif

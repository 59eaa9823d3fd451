/* Digits-like data must say no, data that is its own mirror yes, and ignorance no. */
#include "base/rng.h"
#include "base/testing.h"
#include "train/trainer.h"

enum { SIDE = 16, ROWS = 300 };

/* Seven-segment digits: strokes at left and right are not the same thing. */
static bool segment_lit(int digit, int segment) {
    static const uint8_t lit[10] = {0x77, 0x24, 0x5d, 0x6d, 0x2e,
                                    0x6b, 0x7b, 0x25, 0x7f, 0x6f};
    return lit[digit] >> segment & 1;
}

static void digit_draw(uint8_t *pixel, int digit, int dx, int dy) {
    /* top, left upper, right upper, middle, left lower, right lower, bottom: x, y, w, h
     */
    static const int at[7][4] = {{4, 2, 7, 2}, {4, 2, 2, 6}, {9, 2, 2, 6}, {4, 7, 7, 2},
                                 {4, 7, 2, 7}, {9, 7, 2, 7}, {4, 12, 7, 2}};
    for (int s = 0; s < 7; s++)
        for (int i = 0; segment_lit(digit, s) && i < at[s][2] * at[s][3]; i++) {
            int x = at[s][0] + i % at[s][2] + dx, y = at[s][1] + i / at[s][2] + dy;
            pixel[y * SIDE + x] = 230;
        }
}

typedef enum kind { DIGITS, SYMMETRIC, NOISE } kind;

static void draw(uint8_t *pixel, kind k, int32_t label, uint64_t i) {
    rng r = rng_at(5, RNG_TEST, (uint32_t)k, i);
    if (k == DIGITS)
        digit_draw(pixel, label, (int)rng_below(&r, 3) - 1, (int)rng_below(&r, 3) - 1);
    for (int p = 0; p < SIDE * SIDE; p++) {
        int x = p % SIDE, y = p / SIDE;
        if (k == SYMMETRIC && x < SIDE / 2 && (x + 2 * y + label) % (label + 3) == 0) {
            pixel[p] = 200;
            pixel[y * SIDE + SIDE - 1 - x] = 200;
        }
        pixel[p] = (uint8_t)(pixel[p] + rng_below(&r, k == NOISE ? 256 : 25));
    }
}

static bool ask(kind k, int threads) {
    assay_ctx *ctx = test_ctx(threads);
    uint8_t *pixel = calloc(ROWS, (size_t)SIDE * SIDE);
    int32_t *labels = calloc(ROWS, sizeof *labels);
    assert_true(pixel && labels);
    for (uint64_t i = 0; i < ROWS; i++) {
        labels[i] = (int32_t)(i % 10);
        draw(pixel + i * SIDE * SIDE, k, labels[i], i);
    }
    const npy_array pixels = {.dtype = ASSAY_U8,
                              .ndim = 4,
                              .dim = {ROWS, SIDE, SIDE, 1},
                              .data = pixel,
                              .bytes = (size_t)ROWS * SIDE * SIDE};
    bool out;
    assert_ok(data_bears_flip(ctx, &pixels, labels, ROWS, 10, 1, &out));
    free(labels);
    free(pixel);
    assay_ctx_destroy(ctx);
    return out;
}

static void digits_do_not(void **state) {
    (void)state;
    assert_false(ask(DIGITS, 1));
    assert_false(ask(DIGITS, 2));
}

static void symmetric_do(void **state) {
    (void)state;
    assert_true(ask(SYMMETRIC, 1));
    assert_true(ask(SYMMETRIC, 2));
}

static void noise_does_not(void **state) {
    (void)state;
    assert_false(ask(NOISE, 1));
}

static void too_little_to_say(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    uint8_t pixel[3 * 64] = {0};
    const int32_t labels[3] = {0, 1, 0};
    const npy_array pixels = {.dtype = ASSAY_U8,
                              .ndim = 4,
                              .dim = {3, 8, 8, 1},
                              .data = pixel,
                              .bytes = sizeof pixel};
    bool out = true;
    assert_ok(data_bears_flip(ctx, &pixels, labels, 0, 2, 0, &out));
    assert_false(out);
    assert_ok(data_bears_flip(ctx, &pixels, labels, 1, 2, 0, &out));
    assert_false(out);
    assert_ok(data_bears_flip(ctx, &pixels, labels, 3, 2, 0, &out));
    assert_false(out);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_do_not),
        cmocka_unit_test(symmetric_do),
        cmocka_unit_test(noise_does_not),
        cmocka_unit_test(too_little_to_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

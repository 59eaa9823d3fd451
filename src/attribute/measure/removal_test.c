/* Trainings without rows: planted rows matter, bytes do not depend on threads, finished
 * blocks are found again, bad input is refused. */
#include "attribute/measure/removal.h"

#include "attribute/study/testing.h"

#include <math.h>

static const att_recipe recipe = {
    .epochs = 8, .batch = LITTLE_BATCH, .rate = .05, .momentum = .9, .hold = .5};
enum { SEEDS = 3, SETS = 34 /* more than a block */, PLANTED = 5 };
#define STEPS 30

static double mean(const float *x) {
    double sum = 0;
    for (int i = 0; i < SEEDS; i++)
        sum += (double)x[i] / SEEDS;
    return sum;
}

static void order_is_by_score_then_place(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    const float x[] = {1, 9, 3, 9, 3, 9, 1, 9, 4, 9}; /* every other one: 1 3 3 1 4 */
    const uint32_t want[] = {4, 1, 2, 0, 3};
    uint32_t got[5];
    assert_ok(removal_order(got, ctx, x, 2, 5));
    assert_memory_equal(got, want, sizeof got);
    assay_ctx_destroy(ctx);
}

/* The target is noise without its class's mark: only five copies of it among the rows say
 * what it is. Without them the margin falls; without five others it does not. */
static void planted_rows_matter(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    little *x = little_make(ctx, NULL, &recipe);
    const size_t each = (size_t)TOY_SIDE * TOY_SIDE;
    uint8_t *pixel = x->toy->pixels.data;
    static const uint32_t copies[] = {3, 14, 25, 36, 47}, others[] = {4, 15, 26, 37, 48};
    float out[3][SEEDS];
    for (size_t p = 0; p < each; p++)
        pixel[x->targets[0] * each + p] = p % 7 < 3 ? 200 : 20;
    for (int i = 0; i < PLANTED; i++) {
        memcpy(pixel + copies[i] * each, pixel + x->targets[0] * each, each);
        x->toy->labels[copies[i]] = x->toy->labels[x->targets[0]];
    }
    const removal set[] = {{0, copies, 0}, {0, copies, PLANTED}, {0, others, PLANTED}};
    assert_ok(removal_measure(out[0], &x->study, set, 3, SEEDS, 100, STEPS, NULL));
    double without = mean(out[1]) - mean(out[0]), random = mean(out[2]) - mean(out[0]);
    assert_true(without < -1);
    assert_true(without < random - 1);
    little_free(x);
    assay_ctx_destroy(ctx);
}

static void threads_and_kept_blocks_give_the_same(void **state) {
    (void)state;
    static float out[3][SETS * SEEDS];
    static uint32_t places[SETS + 4];
    removal set[SETS];
    test_scratch s = test_scratch_begin();
    test_path keep = test_in(&s, "keep");
    for (uint32_t i = 0; i < SETS + 4; i++)
        places[i] = i;
    for (size_t i = 0; i < SETS; i++)
        set[i] = (removal){i % LITTLE_TARGETS, places + i, 1 + i % 4};
    for (int run = 0; run < 3; run++) {
        assay_ctx *ctx = test_ctx(run == 1 ? 3 : 1);
        little *x = little_make(ctx, NULL, &recipe);
        assert_ok(removal_measure(out[run], &x->study, set, SETS, SEEDS, 100, STEPS,
                                  run ? keep.text : NULL));
        little_free(x);
        assay_ctx_destroy(ctx);
    }
    assert_memory_equal(out[0], out[1], sizeof out[0]);
    assert_memory_equal(out[0], out[2], sizeof out[0]);
    test_scratch_end(&s);
}

/* A folder that holds margins is believed: other labels under the same hash of the data
 * change nothing; other rows, seeds or steps have names of their own. */
static void kept_blocks_are_used(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    little *x = little_make(ctx, NULL, &recipe);
    test_scratch s = test_scratch_begin();
    test_path keep = test_in(&s, "keep");
    static const uint32_t places[] = {1, 2, 3};
    const removal set = {2, places, 2}, other = {2, places, 3};
    float first[SEEDS], again[SEEDS], third[SEEDS];
    assert_ok(removal_measure(first, &x->study, &set, 1, SEEDS, 100, STEPS, keep.text));
    for (size_t i = 0; i < LITTLE_ROWS; i++)
        x->toy->labels[i] = 0;
    assert_ok(removal_measure(again, &x->study, &set, 1, SEEDS, 100, STEPS, keep.text));
    assert_memory_equal(first, again, sizeof first);
    assert_ok(removal_measure(third, &x->study, &other, 1, SEEDS, 100, STEPS, keep.text));
    assert_memory_not_equal(first, third, sizeof first);
    assert_ok(removal_measure(third, &x->study, &set, 1, SEEDS, 101, STEPS, keep.text));
    assert_memory_not_equal(first, third, sizeof first);
    test_scratch_end(&s);
    little_free(x);
    assay_ctx_destroy(ctx);
}

static void too_many_rows_are_refused(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    little *x = little_make(ctx, NULL, &recipe);
    uint32_t places[LITTLE_ROWS];
    float out[1];
    for (uint32_t i = 0; i < LITTLE_ROWS; i++)
        places[i] = i;
    removal set = {0, places, LITTLE_ROWS - LITTLE_BATCH};
    assert_ok(removal_measure(out, &x->study, &set, 1, 1, 100, STEPS, NULL));
    assert_true(isfinite(out[0]));
    set.count++;
    assert_fails(ASSAY_E_INVALID,
                 removal_measure(out, &x->study, &set, 1, 1, 100, STEPS, NULL));
    assert_non_null(strstr(assay_last_error()->help, "at most 50"));
    little_free(x);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_by_score_then_place),
        cmocka_unit_test(planted_rows_matter),
        cmocka_unit_test(threads_and_kept_blocks_give_the_same),
        cmocka_unit_test(kept_blocks_are_used),
        cmocka_unit_test(too_many_rows_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

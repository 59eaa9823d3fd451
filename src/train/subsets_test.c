/* Balance: every row unseen by exactly a third, every class split evenly, and the seed
 * decides. */
#include "base/rng.h"
#include "base/testing.h"
#include "train/trainer.h"

enum { ROWS = 1003, CLASSES = 7 };

static int32_t *labels_make(void) {
    int32_t *labels = calloc(ROWS, sizeof *labels);
    assert_non_null(labels);
    for (size_t i = 0; i < ROWS; i++) {
        rng r = rng_at(1, RNG_TEST, 0, i);
        /* unequal classes; class 5 has no rows, class 6 one */
        labels[i] = i == 500 ? 6 : (int32_t)(rng_below(&r, 5) * rng_below(&r, 5) / 4);
    }
    return labels;
}

static void
check_balance(assay_ctx *ctx, const int32_t *labels, int members, uint64_t seed) {
    uint8_t *seen = malloc((size_t)members * ROWS);
    assert_non_null(seen);
    assert_ok(train_subsets(ctx, labels, ROWS, CLASSES, members, seed, seen));
    for (size_t i = 0; i < ROWS; i++) {
        for (int block = 0; block < members / 3; block++) {
            int unseen = 0;
            for (int m = 3 * block; m < 3 * block + 3; m++)
                unseen += !seen[(size_t)m * ROWS + i];
            assert_int_equal(unseen, 1);
        }
    }
    for (int block = 0; block < members / 3; block++) {
        int all[3] = {0};
        for (int c = 0; c < CLASSES; c++) {
            int left[3] = {0};
            for (size_t i = 0; i < ROWS; i++)
                for (size_t m = 0; m < 3; m++)
                    left[m] +=
                        labels[i] == c && !seen[((size_t)block * 3 + m) * ROWS + i];
            for (int m = 0; m < 3; m++) {
                all[m] += left[m];
                assert_in_range(left[m] - left[(m + 1) % 3] + 1, 0, 2);
            }
        }
        for (int m = 0; m < 3; m++)
            assert_in_range(all[m] - all[(m + 1) % 3] + 1, 0, 2);
    }
    free(seen);
}

static void balanced(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    int32_t *labels = labels_make();
    for (int members = 3; members <= 12; members += 3)
        check_balance(ctx, labels, members, (uint64_t)members);
    free(labels);
    assay_ctx_destroy(ctx);
}

static void seeds_and_blocks_differ(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    int32_t *labels = labels_make();
    uint8_t *a = malloc(6 * ROWS), *b = malloc(6 * ROWS);
    assert_true(a && b);
    assert_ok(train_subsets(ctx, labels, ROWS, CLASSES, 6, 1, a));
    assert_ok(train_subsets(ctx, labels, ROWS, CLASSES, 6, 1, b));
    assert_memory_equal(a, b, 6 * ROWS);
    assert_ok(train_subsets(ctx, labels, ROWS, CLASSES, 6, 2, b));
    assert_memory_not_equal(a, b, 6 * ROWS);
    /* Two blocks are two draws: a row's partners change. */
    assert_memory_not_equal(a, a + 3 * ROWS, 3 * ROWS);
    free(a);
    free(b);
    free(labels);
    assay_ctx_destroy(ctx);
}

static void bad_input(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    int32_t labels[] = {0, 1, 2};
    uint8_t seen[12];
    assert_fails(ASSAY_E_INVALID, train_subsets(ctx, labels, 3, 3, 0, 0, seen));
    assert_fails(ASSAY_E_INVALID, train_subsets(ctx, labels, 3, 3, 4, 0, seen));
    assert_fails(ASSAY_E_FORMAT, train_subsets(ctx, labels, 3, 2, 3, 0, seen));
    labels[1] = -1;
    assert_fails(ASSAY_E_FORMAT, train_subsets(ctx, labels, 3, 3, 3, 0, seen));
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(balanced),
        cmocka_unit_test(seeds_and_blocks_differ),
        cmocka_unit_test(bad_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Ranks and correlations against worked examples; the bootstrap against itself. */
#include "attribute/measure/stats.h"

#include "base/rng.h"
#include "base/testing.h"

#include <math.h>

static void ranks_share_ties(void **state) {
    (void)state;
    const float x[] = {3, 9, 1, 9, 9, 2, 8, 9, 0, 9}; /* every other one: 3 1 9 8 0 */
    const float tied[] = {5, 7, 5, 1, 7, 7};
    const double want[] = {0, -1, 2, 1, -2}, want_tied[] = {-1, 1.5, -1, -2.5, 1.5, 1.5};
    double got[6];
    uint32_t order[12];
    stat_ranks(got, x, 2, 5, order);
    for (int i = 0; i < 5; i++)
        assert_true(got[i] == want[i]);
    stat_ranks(got, tied, 1, 6, order);
    for (int i = 0; i < 6; i++)
        assert_true(got[i] == want_tied[i]);
}

static void spearman_of_known_columns(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    /* SciPy: spearmanr([1,2,3,4,5], [5,6,7,8,7]) = 0.820782681668123 */
    const float a[] = {1, 2, 3, 4, 5}, b[] = {5, 6, 7, 8, 7}, flat[] = {2, 2, 2, 2, 2};
    double r;
    assert_ok(stat_spearman(&r, ctx, a, b, 1, 5));
    assert_true(fabs(r - 0.820782681668123) < 1e-12);
    assert_ok(stat_spearman(&r, ctx, a, flat, 1, 5));
    assert_true(r == 0);
    assay_ctx_destroy(ctx);
}

enum { ROWS = 40, COLUMNS = 30, SEEDS = 4 };

/* Signal of variance 1, and noise of variance `noise` per seed. */
static void fill(float *x, double noise) {
    for (int s = 0; s < SEEDS; s++)
        for (int i = 0; i < ROWS * COLUMNS; i++) {
            rng signal = rng_at(1, RNG_TEST, 0, (uint64_t)i);
            rng own = rng_at(2, RNG_TEST, (uint32_t)s, (uint64_t)i);
            x[s * ROWS * COLUMNS + i] =
                (float)(rng_normal(&signal) + sqrt(noise) * rng_normal(&own));
        }
}

static void reliability_is_share_of_signal(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(2);
    static float x[SEEDS * ROWS * COLUMNS];
    double r;
    fill(x, 2); /* of the mean of four: 1 / (1 + 2/4) = .667 */
    assert_ok(stat_reliability(&r, ctx, x, SEEDS, ROWS, COLUMNS));
    assert_true(r > .58 && r < .72); /* ranks lose a little */
    assert_ok(stat_reliability(&r, ctx, x, 1, ROWS, COLUMNS));
    assert_true(r == 0);
    assert_ok(stat_reliability(&r, ctx, x, 3, ROWS, COLUMNS));
    assert_true(r > .48 && r < .68); /* 1 / (1 + 2/3) = .6 */
    assay_ctx_destroy(ctx);
}

static void intervals_do_not_depend_on_threads(void **state) {
    (void)state;
    static float x[SEEDS * ROWS * COLUMNS];
    stat_lds lds[2];
    fill(x, 1);
    for (int threads = 1; threads <= 2; threads++) {
        assay_ctx *ctx = test_ctx(threads);
        assert_ok(stat_lds_measure(&lds[threads - 1], ctx, x, x + ROWS * COLUMNS, ROWS,
                                   COLUMNS, 50, 3));
        assay_ctx_destroy(ctx);
    }
    assert_memory_equal(&lds[0], &lds[1], sizeof lds[0]);
    assert_true(lds[0].mean > .3 && lds[0].mean < .6); /* .5 */
    assert_true(lds[0].by_subsets > .01 && lds[0].by_subsets < .1);
    assert_true(lds[0].by_targets > .01 && lds[0].by_targets < .1);
    assert_true(lds[0].by_both > lds[0].by_targets);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_share_ties),
        cmocka_unit_test(spearman_of_known_columns),
        cmocka_unit_test(reliability_is_share_of_signal),
        cmocka_unit_test(intervals_do_not_depend_on_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

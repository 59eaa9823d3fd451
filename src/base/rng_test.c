/* Random numbers: Random123's known answers, and that what is drawn is what it says. */
#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* From Random123's kat_vectors, "philox4x32 10". */
static void test_known_answers(void **state) {
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } kat[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof kat / sizeof *kat; i++) {
        uint32_t out[4];
        rng_philox4x32(out, kat[i].counter, kat[i].key);
        assert_memory_equal(out, kat[i].out, sizeof out);
    }
}

static void test_cursor_is_the_blocks(void **state) {
    (void)state;
    rng r = rng_at(42, RNG_TEST, 3, UINT64_C(1) << 40);
    for (uint32_t draw = 0; draw < 5; draw++) {
        uint32_t w[4];
        rng_philox(w, 42, RNG_TEST, 3, UINT64_C(1) << 40, draw);
        for (int i = 0; i < 4; i++)
            assert_int_equal(rng_u32(&r), w[i]);
    }
    /* Every part of the address matters. */
    const rng other[] = {
        rng_at(43, RNG_TEST, 3, 5),
        rng_at(42, RNG_INIT, 3, 5),
        rng_at(42, RNG_TEST, 4, 5),
        rng_at(42, RNG_TEST, 3, 6),
        rng_at(42, RNG_TEST, 3, 5),
        rng_at(42 + (1ull << 32), RNG_TEST, 3, 5),
        rng_at(42, RNG_TEST, 3, 5 + (1ull << 32)),
    };
    uint64_t first[7];
    for (int i = 0; i < 7; i++) {
        rng copy = other[i];
        first[i] = rng_u64(&copy);
        for (int k = 0; k < i; k++)
            assert_true(first[i] != first[k]);
    }
}

/* Bytes that files depend on: a change here is a change of every seeded result. */
static void test_frozen(void **state) {
    (void)state;
    rng r = rng_at(1, RNG_ORDER, 2, 3);
    uint64_t u = rng_u64(&r);
    rng_perm p = rng_perm_make(60000, 1, RNG_ORDER, 2);
    assert_true(u == 0xb99e0206565c1b7a);
    assert_int_equal(rng_perm_at(&p, 0), 42166);
    assert_int_equal(rng_perm_at(&p, 59999), 16497);
}

static void test_uniform_below_normal(void **state) {
    (void)state;
    enum { N = 100000 };
    rng r = rng_at(7, RNG_TEST, 0, 0);
    double sum = 0, square = 0;
    for (int i = 0; i < N; i++) {
        double u = rng_uniform(&r);
        assert_true(u >= 0 && u < 1);
        sum += u;
        square += u * u;
    }
    assert_true(fabs(sum / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
    assert_true(fabs(square / N - 1.0 / 3) < 5 * sqrt(4.0 / 45 / N));

    const uint64_t sizes[] = {1, 2, 3, 10, 1000};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        double count[1000] = {0}, chi = 0, n = (double)sizes[k];
        for (int i = 0; i < N; i++) {
            uint64_t v = rng_below(&r, sizes[k]);
            assert_true(v < sizes[k]);
            count[v]++;
        }
        for (uint64_t v = 0; v < sizes[k]; v++)
            chi += (count[v] - N / n) * (count[v] - N / n) / (N / n);
        assert_true(chi < n - 1 + 6 * sqrt(2 * n));
    }
    const uint64_t big = (UINT64_C(1) << 63) + 1; /* half of all draws are refused */
    for (int i = 0; i < 1000; i++)
        assert_true(rng_below(&r, big) < big);

    double m1 = 0, m2 = 0, m4 = 0;
    for (int i = 0; i < N; i++) {
        double z = rng_normal(&r);
        m1 += z;
        m2 += z * z;
        m4 += z * z * z * z;
    }
    assert_true(fabs(m1 / N) < 5 * sqrt(1.0 / N));
    assert_true(fabs(m2 / N - 1) < 5 * sqrt(2.0 / N));
    assert_true(fabs(m4 / N - 3) < 5 * sqrt(96.0 / N));
}

static void test_permutation(void **state) {
    (void)state;
    static const uint64_t sizes[] = {1, 2, 3, 5, 16, 255, 256, 257, 1000, 60000, 65537};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        uint64_t n = sizes[k];
        uint8_t *seen = calloc(n, 1);
        assert_non_null(seen);
        rng_perm p = rng_perm_make(n, 5, RNG_ORDER, 1);
        uint64_t moved = 0;
        for (uint64_t i = 0; i < n; i++) {
            uint64_t to = rng_perm_at(&p, i);
            assert_true(to < n && !seen[to]);
            seen[to] = 1;
            moved += to != i;
        }
        if (n > 100)
            assert_true(moved > n - 20);
        free(seen);
    }
    /* As large as it gets: stays inside, and neighbours part. */
    rng_perm p = rng_perm_make(UINT64_MAX, 5, RNG_ORDER, 1);
    assert_true(rng_perm_at(&p, 0) != rng_perm_at(&p, 1));
}

/* All 6 orders of 3 things, and all places of 10, come up evenly over seeds and epochs.
 */
static void test_permutation_is_fair(void **state) {
    (void)state;
    enum { TRIALS = 6000 };
    double order[6] = {0}, place[10][10] = {{0}}, chi3 = 0, chi10 = 0;
    for (uint32_t t = 0; t < TRIALS; t++) {
        rng_perm p = rng_perm_make(3, t / 10, RNG_ORDER, t % 10);
        uint64_t a = rng_perm_at(&p, 0), b = rng_perm_at(&p, 1);
        order[a * 2 + (b > a ? b - 1 : b)]++;
        p = rng_perm_make(10, t / 10, RNG_ORDER, t % 10);
        for (uint64_t i = 0; i < 10; i++)
            place[i][rng_perm_at(&p, i)]++;
    }
    for (int i = 0; i < 6; i++)
        chi3 += (order[i] - TRIALS / 6.0) * (order[i] - TRIALS / 6.0) / (TRIALS / 6.0);
    for (int i = 0; i < 100; i++) {
        double d = place[i / 10][i % 10] - TRIALS / 10.0;
        chi10 += d * d / (TRIALS / 10.0);
    }
    assert_true(chi3 < 5 + 5 * sqrt(10.0));
    assert_true(chi10 <
                90 + 5 * sqrt(180.0)); /* a little less than 81 degrees of freedom */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers), cmocka_unit_test(test_cursor_is_the_blocks),
        cmocka_unit_test(test_frozen),        cmocka_unit_test(test_uniform_below_normal),
        cmocka_unit_test(test_permutation),   cmocka_unit_test(test_permutation_is_fair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Pieces that live together never overlap, and those that do not share. */
#include "nn/memplan.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void check_apart(const mem_piece *p, int n, size_t total) {
    for (int i = 0; i < n; i++) {
        assert_int_equal(p[i].offset % 64, 0);
        assert_true(p[i].offset + p[i].bytes <= total);
        for (int j = 0; j < i; j++) {
            bool together = p[i].begin <= p[j].end && p[j].begin <= p[i].end;
            bool apart = p[i].offset + p[i].bytes <= p[j].offset ||
                         p[j].offset + p[j].bytes <= p[i].offset;
            assert_true(!together || apart);
        }
    }
}

static void chain_needs_two_places(void **state) {
    (void)state;
    mem_piece p[6];
    int order[6];
    size_t total;
    for (int i = 0; i < 6; i++)
        p[i] = (mem_piece){.bytes = 1000, .begin = i, .end = i + 1};
    memplan_place(p, 6, order, &total);
    check_apart(p, 6, total);
    assert_int_equal(total, 2 * 1024);
}

static void random_pieces_keep_apart(void **state) {
    (void)state;
    for (uint64_t trial = 0; trial < 50; trial++) {
        mem_piece p[60];
        int order[60];
        size_t total;
        rng r = rng_at(4, RNG_TEST, 0, trial);
        for (int i = 0; i < 60; i++) {
            int begin = (int)rng_below(&r, 40);
            p[i] = (mem_piece){.bytes = (size_t)rng_below(&r, 5000) + 1,
                               .begin = begin,
                               .end = begin + (int)rng_below(&r, 12)};
        }
        memplan_place(p, 60, order, &total);
        check_apart(p, 60, total);
    }
}

static void nothing_needs_nothing(void **state) {
    (void)state;
    size_t total = 1;
    memplan_place(NULL, 0, NULL, &total);
    assert_int_equal(total, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chain_needs_two_places),
        cmocka_unit_test(random_pieces_keep_apart),
        cmocka_unit_test(nothing_needs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

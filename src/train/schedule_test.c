/* The shapes of the schedules: where they peak, that they end low, and that names lead to
 * them. */
#include "base/testing.h"
#include "train/schedule.h"

#include <math.h>

static void shapes(void **state) {
    (void)state;
    static const struct {
        const char *name;
        double start, fifth, half, end;
    } want[] = {
        {"one-cycle", 0, 1, 0.625, 0}, {"cosine", 1, 0.9045084972, 0.5, 0},
        {"linear", 1, 0.8, 0.5, 0},    {"step", 1, 1, 0.1, 0.01},
        {"constant", 1, 1, 1, 1},
    };
    assert_int_equal(schedule_count(), sizeof want / sizeof *want);
    for (size_t i = 0; i < schedule_count(); i++) {
        const train_schedule *s = schedule_find(want[i].name);
        assert_non_null(s);
        assert_true(fabs(s->at(0) - want[i].start) < 1e-9);
        assert_true(fabs(s->at(0.2) - want[i].fifth) < 1e-9);
        assert_true(fabs(s->at(0.5) - want[i].half) < 1e-9);
        assert_true(fabs(s->at(1) - want[i].end) < 1e-9);
    }
}

static void rates_stay_in_bounds(void **state) {
    (void)state;
    for (size_t i = 0; i < schedule_count(); i++) {
        for (int64_t step = 0; step < 10; step++) {
            double r = schedule_rate(schedule_at(i), 0.4, 0, step, 10);
            assert_true(r > 0 && r <= 0.4);
        }
        assert_true(schedule_rate(schedule_at(i), 0.4, 0, 0, 1) > 0);
    }
}

static void one_cycle_rises_then_falls(void **state) {
    (void)state;
    const train_schedule *s = schedule_find("one-cycle");
    double before = 0;
    for (int64_t step = 0; step < 20; step++) {
        double r = schedule_rate(s, 1, 0, step, 100);
        assert_true(r > before);
        before = r;
    }
    for (int64_t step = 20; step < 100; step++) {
        double r = schedule_rate(s, 1, 0, step, 100);
        assert_true(r < before || step == 20);
        before = r;
    }
}

static void a_warm_up_comes_first(void **state) {
    (void)state;
    const train_schedule *s = schedule_find("cosine");
    for (int64_t step = 0; step < 20; step++)
        assert_true(fabs(schedule_rate(s, 2, 0.2, step, 100) -
                         2 * ((double)step + 0.5) / 20) < 1e-12);
    for (int64_t step = 20; step < 100; step++)
        assert_true(fabs(schedule_rate(s, 2, 0.2, step, 100) -
                         schedule_rate(s, 2, 0, step - 20, 80)) < 1e-12);
}

static void unknown_names(void **state) {
    (void)state;
    assert_null(schedule_find(""));
    assert_null(schedule_find("one-cycl"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),
        cmocka_unit_test(rates_stay_in_bounds),
        cmocka_unit_test(one_cycle_rises_then_falls),
        cmocka_unit_test(a_warm_up_comes_first),
        cmocka_unit_test(unknown_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The shapes of the schedules: where they peak, that they end low, what momentum goes
 * with them, and that names lead to them. */
#include "base/testing.h"
#include "train/schedule.h"

#include <math.h>

static const schedule_options plain = {.rate = 0.4,
                                       .momentum = 0.9,
                                       .decay = 0.2,
                                       .switch_at = 0.8,
                                       .large_momentum = 0.1,
                                       .small = 0.25};

static schedule_options of(const train_schedule *s) {
    schedule_options o = plain;
    o.warmup = s->warmup;
    return o;
}

/* A run of 1,000 steps: rates over the peak at its beginning, at places of it, at its
 * end. */
static void shapes(void **state) {
    (void)state;
    static const struct {
        const char *name;
        double start, tenth, half, late, end;
    } want[] = {
        {"one-cycle", .0025, .5025, .624375, .124375, .000625},
        {"cosine", .99999938, .97528497, .49921460, .02422963, 6.1685e-7},
        {"linear", .9995, .8995, .4995, .0995, .0005},
        {"step", 1, 1, .1, .01, .01},
        {"wsd", .01, 1, 1, .4975, .0025},
        {"two-regime", 1, 1, 1, .25, .25},
        {"constant", 1, 1, 1, 1, 1},
    };
    assert_int_equal(schedule_count(), sizeof want / sizeof *want);
    for (size_t i = 0; i < schedule_count(); i++) {
        const train_schedule *s = schedule_find(want[i].name);
        assert_non_null(s);
        const schedule_options o = of(s);
        const int64_t at[] = {0, 100, 500, 900, 999};
        const double share[] = {want[i].start, want[i].tenth, want[i].half, want[i].late,
                                want[i].end};
        for (size_t k = 0; k < sizeof at / sizeof *at; k++)
            assert_true(fabs(schedule_pace(s, &o, at[k], 1000).rate / 0.4 - share[k]) <
                        1e-6);
    }
}

static void rates_stay_in_bounds(void **state) {
    (void)state;
    for (size_t i = 0; i < schedule_count(); i++) {
        const schedule_options o = of(schedule_at(i));
        for (int64_t step = 0; step < 10; step++) {
            double r = schedule_pace(schedule_at(i), &o, step, 10).rate;
            assert_true(r > 0 && r <= 0.4);
        }
        assert_true(schedule_pace(schedule_at(i), &o, 0, 1).rate > 0);
    }
}

static void a_warm_up_rises_straight(void **state) {
    (void)state;
    for (size_t i = 0; i < schedule_count(); i++) {
        schedule_options o = plain;
        o.warmup = 0.3;
        double before = 0;
        for (int64_t step = 0; step < 30; step++) {
            double r = schedule_pace(schedule_at(i), &o, step, 100).rate;
            assert_true(r > before && fabs(r - 0.4 * ((double)step + 0.5) / 30) < 1e-12);
            before = r;
        }
        for (int64_t step = 30; step < 100; step++) { /* never up again */
            double r = schedule_pace(schedule_at(i), &o, step, 100).rate;
            assert_true(r <= before || step == 30);
            before = r;
        }
    }
}

static void momentum_follows_the_regime(void **state) {
    (void)state;
    const train_schedule *two = schedule_find("two-regime");
    for (int64_t step = 0; step < 100; step++) {
        assert_true(schedule_pace(two, &plain, step, 100).momentum ==
                    (step < 80 ? 0.1 : 0.9));
        assert_true(schedule_pace(schedule_find("cosine"), &plain, step, 100).momentum ==
                    0.9);
    }
}

static void options_come_from_the_recipe(void **state) {
    (void)state;
    train_recipe r;
    settings_initial(&r);
    assert_ok(settings_set(&r, "lr=0.3 momentum=0.5 switch-at=0.6 large-momentum=0.2 "
                               "decay-share=0.7 small-steps=0.05"));
    schedule_options o = schedule_options_of(schedule_find("one-cycle"), &r);
    assert_true(o.rate == 0.3 && o.momentum == 0.5 && o.warmup == 0.2 && o.decay == 0.7);
    assert_true(o.switch_at == 0.6 && o.large_momentum == 0.2 && o.small == 0.05);
    assert_ok(setting_set(&r, "warmup", "0"));
    assert_true(schedule_options_of(schedule_find("one-cycle"), &r).warmup == 0);
    assert_fails(ASSAY_E_INVALID, setting_set(&r, "warmup", "1"));
    assert_fails(ASSAY_E_INVALID, setting_set(&r, "switch-at", "1.5"));
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
        cmocka_unit_test(a_warm_up_rises_straight),
        cmocka_unit_test(momentum_follows_the_regime),
        cmocka_unit_test(options_come_from_the_recipe),
        cmocka_unit_test(unknown_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

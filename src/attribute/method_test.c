/* What holds of every method, and what becomes of an ensemble's sums. */
#include "attribute/method.h"

#include "attribute/study/testing.h"

#include <math.h>

static const att_recipe recipe = {
    .epochs = 2, .batch = LITTLE_BATCH, .rate = .02, .momentum = .9, .hold = .5};

/* Every method: finite scores, the same at any number of threads, and not all nought. */
static void no_method_depends_on_threads(const zoo_model_def *def, bool may_refuse) {
    const att_settings settings = ATT_SETTINGS_INIT;
    enum { CELLS = LITTLE_ROWS * LITTLE_TARGETS };
    for (size_t i = 0; i < att_method_count(); i++) {
        static float scores[2][CELLS], weight[2][LITTLE_ROWS], out[2][CELLS];
        const att_method *method = att_method_at(i);
        bool refused = false;
        for (int run = 0; run < 2; run++) {
            assay_ctx *ctx = test_ctx(run + 1);
            little *x = little_make(ctx, def, &recipe);
            const att_member m = little_member(x);
            att_sum sum = {scores[run], weight[run]};
            memset(scores[run], 0, sizeof scores[run]);
            memset(weight[run], 0, sizeof weight[run]);
            assay_status status = method->score(&sum, &m, &settings);
            if (status == ASSAY_E_UNSUPPORTED && may_refuse) {
                assert_string_equal(method->name, "replay");
                refused = true;
                little_free(x);
                assay_ctx_destroy(ctx);
                break;
            }
            assert_ok(status);
            assert_ok(att_sum_finish(out[run], ctx, &sum, method, &settings, 1,
                                     LITTLE_ROWS, LITTLE_TARGETS));
            little_free(x);
            assay_ctx_destroy(ctx);
        }
        if (refused)
            continue;
        double size = 0;
        for (size_t c = 0; c < CELLS; c++)
            size += fabs((double)out[0][c]);
        if (memcmp(out[0], out[1], sizeof out[0]) != 0 || !(size > 0))
            fail_msg("method %s", method->name);
    }
}

static void methods_do_not_depend_on_threads(void **state) {
    (void)state;
    no_method_depends_on_threads(NULL, false);
}

static void nor_on_convolutions(void **state) {
    (void)state;
    no_method_depends_on_threads(&little_conv, false);
}

/* Running statistics come with the member; replay, which would have to go through them,
 * says that it does not. */
static void nor_with_batch_norm(void **state) {
    (void)state;
    no_method_depends_on_threads(&little_norm, true);
}

/* Self-influence is the diagonal of scores with the rows as targets, weight and all, at
 * one thread and at two. */
static void self_is_the_diagonal_of(const zoo_model_def *def,
                                    const att_settings *settings,
                                    const char *only) {
    enum { CELLS = LITTLE_ROWS * LITTLE_ROWS };
    size_t with = 0;
    for (size_t i = 0; i < att_method_count(); i++) {
        static float scores[CELLS], weight[LITTLE_ROWS];
        static float self[2][LITTLE_ROWS], own[2][LITTLE_ROWS];
        const att_method *method = att_method_at(i);
        if (!method->self || (only && strcmp(method->name, only) != 0))
            continue;
        with++;
        for (int run = 0; run < 2; run++) {
            assay_ctx *ctx = test_ctx(run + 1);
            little *x = little_make(ctx, def, &recipe);
            const att_member m = little_member(x);
            att_sum alone = {self[run], own[run]}, sum = {scores, weight};
            memset(self[run], 0, sizeof self[run]);
            memset(own[run], 0, sizeof own[run]);
            assert_ok(method->self(&alone, &m, settings));
            if (run == 0) {
                memset(scores, 0, sizeof scores);
                memset(weight, 0, sizeof weight);
                x->study.targets = x->study.rows;
                x->study.n_targets = LITTLE_ROWS;
                assert_ok(method->score(&sum, &m, settings));
            }
            little_free(x);
            assay_ctx_destroy(ctx);
        }
        assert_memory_equal(self[0], self[1], sizeof self[0]);
        assert_memory_equal(own[0], weight, sizeof weight);
        double most = 0;
        for (size_t r = 0; r < LITTLE_ROWS; r++)
            most = fmax(most, fabs((double)scores[r * LITTLE_ROWS + r]));
        for (size_t r = 0; r < LITTLE_ROWS; r++) {
            double want = (double)scores[r * LITTLE_ROWS + r];
            if (!(fabs((double)self[0][r] - want) <= 2e-4 * fabs(want) + 1e-6 * most))
                fail_msg("method %s, row %zu: %g, not %g", method->name, r,
                         (double)self[0][r], want);
        }
        assert_true(most > 0);
    }
    assert_true(only ? with == 1 : with >= 5);
}

static void self_is_the_diagonal(void **state) {
    (void)state;
    att_settings settings = ATT_SETTINGS_INIT;
    self_is_the_diagonal_of(NULL, &settings, NULL);
    self_is_the_diagonal_of(&little_conv, &settings, NULL);
    settings.dim = 32; /* fewer than rows: trak solves the other way */
    self_is_the_diagonal_of(NULL, &settings, "trak");
    settings.traker = true;
    settings.ridge = 1e-3;
    self_is_the_diagonal_of(NULL, &settings, "trak");
}

static void scores_are_never_silently_nan(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    const att_settings settings = ATT_SETTINGS_INIT;
    float scores[2] = {1, NAN}, out[2];
    const att_sum sum = {scores, NULL};
    const att_method method = {.name = "broken"};
    assert_fails(ASSAY_E_NUMERIC,
                 att_sum_finish(out, ctx, &sum, &method, &settings, 1, 2, 1));
    assert_non_null(strstr(assay_last_error()->where, "row 1"));
    assay_ctx_destroy(ctx);
}

/* At each checkpoint grad-dot, times the sum of the rates since the one before: with one
 * checkpoint at the run's end, with three at steps that are found by hand. */
static void tracin_sums_grad_dot(void **state) {
    (void)state;
    enum { CELLS = LITTLE_ROWS * LITTLE_TARGETS };
    static float got[CELLS], dot[CELLS], weight[LITTLE_ROWS], none[LITTLE_ROWS];
    static double want[CELLS];
    assay_ctx *ctx = test_ctx(1);
    little *x = little_make(ctx, NULL, &recipe);
    const att_member m = little_member(x);
    att_member at = m;
    att_settings settings = ATT_SETTINGS_INIT;
    att_trainer *trainer;
    at.params = calloc(nn_graph_param_floats(x->model.graph), sizeof *at.params);
    assert_non_null(at.params);
    assert_int_equal(x->run.steps, 12);
    for (int checkpoints = 1; checkpoints <= 3; checkpoints += 2) {
        double off = 0, size = 0;
        memset(got, 0, sizeof got);
        memset(want, 0, sizeof want);
        assert_ok(att_trainer_create(&trainer, ctx, x->study.data, &x->model, &recipe));
        assert_ok(att_trainer_start(trainer, &x->run));
        for (int64_t begin = 0, end; begin < 12; begin = end) {
            double rates = 0;
            att_sum sum = {dot, weight};
            end = checkpoints == 1 ? 12 : begin + 4;
            for (int64_t t = begin; t < end; t++)
                rates += att_rate(&recipe, t, 12);
            assert_ok(att_trainer_steps(trainer, &x->run, begin, end));
            att_trainer_store(trainer, at.params, NULL);
            memset(dot, 0, sizeof dot);
            memset(weight, 0, sizeof weight);
            assert_ok(att_method_find("grad-dot")->score(&sum, &at, &settings));
            for (size_t c = 0; c < CELLS; c++)
                want[c] += rates * (double)weight[c / LITTLE_TARGETS] * (double)dot[c];
        }
        att_trainer_destroy(trainer);
        att_sum sum = {got, none};
        settings.checkpoints = checkpoints;
        assert_ok(att_method_find("tracin")->score(&sum, &m, &settings));
        for (size_t c = 0; c < CELLS; c++) {
            off += fabs((double)got[c] - want[c]);
            size += fabs(want[c]);
        }
        assert_true(size > 0 && off < 1e-5 * size);
    }
    at.run = NULL;
    att_sum sum = {got, none};
    assert_fails(ASSAY_E_UNSUPPORTED,
                 att_method_find("tracin")->score(&sum, &at, &settings));
    free(at.params);
    little_free(x);
    assay_ctx_destroy(ctx);
}

/* Means over two models, one times the other; either can be left out. */
static void sums_are_weighed_and_softened(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    att_settings settings = ATT_SETTINGS_INIT;
    float scores[] = {2, -8, 4, 6, -6, 2, 8, 4}, weight[] = {1, 2, 1, .5f}, out[8];
    const att_sum sum = {scores, weight};
    const att_method method = {.name = "weighing", .weighs = true};
    const float weighed[] = {.5f, -2, 2, 3, -1.5f, .5f, 1, .5f};
    const float plain[] = {1, -4, 2, 3, -3, 1, 4, 2};
    /* the medians of |1, 2, 3, 4| with the lower one of two: 2 and 2 */
    const float soft[] = {0, -2, 0, 1, -1, 0, 2, 0};
    assert_ok(att_sum_finish(out, ctx, &sum, &method, &settings, 2, 4, 2));
    assert_memory_equal(out, weighed, sizeof out);
    settings.unweighed = true;
    assert_ok(att_sum_finish(out, ctx, &sum, &method, &settings, 2, 4, 2));
    assert_memory_equal(out, plain, sizeof out);
    settings.threshold = .5;
    assert_ok(att_sum_finish(out, ctx, &sum, &method, &settings, 2, 4, 2));
    assert_memory_equal(out, soft, sizeof out);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(methods_do_not_depend_on_threads),
        cmocka_unit_test(nor_on_convolutions),
        cmocka_unit_test(nor_with_batch_norm),
        cmocka_unit_test(self_is_the_diagonal),
        cmocka_unit_test(scores_are_never_silently_nan),
        cmocka_unit_test(tracin_sums_grad_dot),
        cmocka_unit_test(sums_are_weighed_and_softened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

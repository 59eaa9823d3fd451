/* Outputs: slopes against differences; what a study asks of its targets alone, by every
 * method that takes gradients; a caller's own. */
#include "attribute/output.h"

#include "attribute/study/testing.h"

#include <math.h>

enum { CLASSES = 7, CELLS = LITTLE_ROWS * LITTLE_TARGETS };

static void slopes_are_derivatives(void **state) {
    (void)state;
    const float logits[CLASSES] = {.5F, -2, 3.25F, 0, 1, -.75F, 2};
    assert_int_equal(att_output_count(), 3);
    for (size_t i = 0; i < att_output_count(); i++) {
        const att_output_def *def = att_output_at(i);
        assert_ptr_equal(att_output_find(def->name), def);
        for (size_t label = 0; label < CLASSES; label++)
            for (size_t j = 0; j < CLASSES; j++) {
                const float h = 1.0F / 256;
                float up[CLASSES], down[CLASSES], slope[CLASSES], no[CLASSES];
                memcpy(up, logits, sizeof up);
                memcpy(down, logits, sizeof down);
                up[j] += h;
                down[j] -= h;
                (void)def->run(slope, logits, CLASSES, label, NULL);
                double d = (def->run(no, up, CLASSES, label, NULL) -
                            def->run(no, down, CLASSES, label, NULL)) /
                           (2 * (double)h);
                assert_true(fabs(d - (double)slope[j]) < 1e-5);
            }
    }
    assert_null(att_output_find("loss"));
}

/* Large logits do not overflow. */
static void large_logits_are_borne(void **state) {
    (void)state;
    const float logits[3] = {3000, -3000, 0};
    for (size_t i = 0; i < att_output_count(); i++)
        for (size_t label = 0; label < 3; label++) {
            float slope[3];
            assert_true(isfinite(att_output_at(i)->run(slope, logits, 3, label, NULL)));
            for (int j = 0; j < 3; j++)
                assert_true(isfinite(slope[j]));
        }
}

/* The margin times *arg. */
static double
scaled(float *slope, const float *logits, size_t classes, size_t label, void *arg) {
    double by = *(double *)arg,
           v = att_output_margin(slope, logits, classes, label, NULL);
    for (size_t j = 0; j < classes; j++)
        slope[j] *= (float)by;
    return by * v;
}

static void score(float *out, little *x, const char *method) {
    const att_settings o = {
        .damping = 1, .ridge = 1, .dim = 64, .projector = "none", .precision = ASSAY_F32};
    const att_member m = little_member(x);
    float weight[LITTLE_ROWS] = {0};
    att_sum sum = {out, weight};
    memset(out, 0, CELLS * sizeof *out);
    assert_ok(att_method_find(method)->score(&sum, &m, &o));
}

static void targets_alone_are_asked(void **state) {
    (void)state;
    static const char *const methods[] = {"trak", "kernel", "ekfac", "grad-dot"};
    static float margin[CELLS], same[CELLS], thrice[CELLS];
    const att_recipe recipe = {
        .epochs = 3, .batch = LITTLE_BATCH, .rate = .05, .momentum = .9, .hold = .5};
    assay_ctx *ctx = test_ctx(2);
    little *x = little_make(ctx, NULL, &recipe);
    uint8_t row[LITTLE_ROWS + LITTLE_TARGETS] = {0};
    double by = 3;
    memset(row + LITTLE_ROWS, 1, LITTLE_TARGETS);
    const att_asked own = {scaled, &by, row}, plain = {att_output_margin, NULL, row};
    for (size_t k = 0; k < sizeof methods / sizeof *methods; k++) {
        x->study.asked = NULL;
        score(margin, x, methods[k]);
        x->study.asked = &plain;
        score(same, x, methods[k]);
        x->study.asked = &own;
        score(thrice, x, methods[k]);
        float most = 0;
        for (size_t i = 0; i < CELLS; i++)
            most = fmaxf(most, fabsf(margin[i]));
        assert_true(most > 0);
        for (size_t i = 0; i < CELLS; i++) {
            assert_true(fabsf(same[i] - margin[i]) <= 2e-5F * most);
            assert_true(fabsf(thrice[i] - 3 * margin[i]) <= 6e-5F * most);
        }
    }
    const att_member m = little_member(x);
    att_sum sum = {thrice, NULL};
    const att_settings o = ATT_SETTINGS_INIT;
    assert_int_equal(att_method_find("replay")->score(&sum, &m, &o), ASSAY_E_UNSUPPORTED);
    x->study.asked = NULL;
    little_free(x);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slopes_are_derivatives),
        cmocka_unit_test(large_logits_are_borne),
        cmocka_unit_test(targets_alone_are_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

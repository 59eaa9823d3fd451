/* Fits against their definitions, computed slowly in double: normal equations for ridge
 * regression, the conditions of the minimum for the LASSO. */
#include "attribute/regress/regress.h"

#include "base/rng.h"
#include "base/testing.h"

#include <math.h>
#include <string.h>

enum { ROWS = 24, TARGETS = 3, MODELS = 200, FIT = 150 };

typedef struct sample {
    uint8_t holds[MODELS * ROWS];
    float y[MODELS * TARGETS];
    double w[TARGETS][ROWS];
    reg_data data;
} sample;

/* Half of the rows each; three rows count for each target, and there is noise. */
static void sample_make(sample *s, size_t models) {
    *s = (sample){0};
    for (int t = 0; t < TARGETS; t++)
        for (int k = 0; k < 3; k++)
            s->w[t][(5 * t + 7 * k) % ROWS] = k - 1.5;
    for (size_t j = 0; j < MODELS; j++) {
        rng r = rng_at(9, RNG_TEST, 0, j);
        for (int i = 0; i < ROWS; i++)
            s->holds[j * ROWS + i] = rng_uniform(&r) < .5;
        for (int t = 0; t < TARGETS; t++) {
            double y = 4 + .3 * rng_normal(&r);
            for (int i = 0; i < ROWS; i++)
                y += s->w[t][i] * s->holds[j * ROWS + i];
            s->y[j * TARGETS + t] = (float)y;
        }
    }
    s->data = (reg_data){s->holds, s->y, models, ROWS, TARGETS};
}

/* Centred masks and outputs of the first models, in double. */
static void centre(double *x, double *y, const sample *s, size_t models) {
    for (int i = 0; i < ROWS; i++) {
        double mean = 0;
        for (size_t j = 0; j < models; j++)
            mean += s->holds[j * ROWS + i] / (double)models;
        for (size_t j = 0; j < models; j++)
            x[j * ROWS + i] = s->holds[j * ROWS + i] - mean;
    }
    for (int t = 0; t < TARGETS; t++) {
        double mean = 0;
        for (size_t j = 0; j < models; j++)
            mean += (double)s->y[j * TARGETS + t] / (double)models;
        for (size_t j = 0; j < models; j++)
            y[j * TARGETS + t] = (double)s->y[j * TARGETS + t] - mean;
    }
}

/* X'(y - X w) / models of one target. */
static void
gradient(double *out, const sample *s, const float *w, size_t t, size_t models) {
    static double x[MODELS * ROWS], y[MODELS * TARGETS];
    centre(x, y, s, models);
    memset(out, 0, ROWS * sizeof *out);
    for (size_t j = 0; j < models; j++) {
        double off = y[j * TARGETS + t];
        for (int i = 0; i < ROWS; i++)
            off -= x[j * ROWS + i] * (double)w[t * ROWS + (size_t)i];
        for (int i = 0; i < ROWS; i++)
            out[i] += x[j * ROWS + i] * off / (double)models;
    }
}

/* The gradient of the squares is lambda w, with more models than rows and with fewer. */
static void ridge_is_at_its_minimum(void **state) {
    (void)state;
    const size_t models[] = {MODELS, 15};
    static sample s;
    for (int c = 0; c < 2; c++) {
        assay_ctx *ctx = test_ctx(2);
        float w[TARGETS * ROWS];
        reg_moments m;
        reg_result result;
        double g[ROWS], variance = 0;
        sample_make(&s, models[c]);
        assert_ok(reg_ridge(w, &m, &result, ctx, &s.data, models[c] / 2, .4));
        for (int i = 0; i < ROWS; i++)
            variance += m.mean[i] * (1 - m.mean[i]) / ROWS;
        for (size_t t = 0; t < TARGETS; t++) {
            gradient(g, &s, w, t, models[c]);
            for (size_t i = 0; i < ROWS; i++)
                assert_true(fabs(g[i] - .4 * variance * (double)w[t * ROWS + i]) < 2e-5);
        }
        reg_moments_free(&m);
        assay_ctx_destroy(ctx);
    }
}

/* |gradient| is lambda s_j where a weight is not nought, of its sign, and not more
 * elsewhere. */
static void lasso_is_at_its_minimum(void **state) {
    (void)state;
    static sample s;
    assay_ctx *ctx = test_ctx(2);
    float w[TARGETS * ROWS];
    reg_moments m;
    reg_result result;
    double g[ROWS];
    size_t held = 0;
    sample_make(&s, MODELS);
    assert_ok(reg_lasso(w, &m, &result, ctx, &s.data, FIT, .05));
    for (size_t t = 0; t < TARGETS; t++) {
        gradient(g, &s, w, t, MODELS);
        for (size_t i = 0; i < ROWS; i++) {
            double bound = .05 * sqrt(m.mean[i] * (1 - m.mean[i]));
            double v = (double)w[t * ROWS + i];
            held += v != 0;
            assert_true(v == 0  ? fabs(g[i]) < bound + 1e-4
                        : v > 0 ? fabs(g[i] - bound) < 1e-4
                                : fabs(g[i] + bound) < 1e-4);
        }
    }
    assert_true(held >= 6 && held < TARGETS * ROWS);
    assert_true(fabs(result.nonzero - (double)held / TARGETS) < 1e-9);
    reg_moments_free(&m);
    assay_ctx_destroy(ctx);
}

/* Chosen penalties find the rows that count, foretell unseen models, and do not depend on
 * threads. */
static void penalties_are_chosen(void **state) {
    (void)state;
    static sample s;
    float w[2][2][TARGETS * ROWS];
    for (int threads = 1; threads <= 2; threads++)
        for (int lasso = 0; lasso < 2; lasso++) {
            assay_ctx *ctx = test_ctx(threads);
            reg_moments m;
            reg_result result;
            double error, plain = 0;
            float *to = w[threads - 1][lasso];
            sample_make(&s, 120);
            assert_ok(
                (lasso ? reg_lasso : reg_ridge)(to, &m, &result, ctx, &s.data, 90, -1));
            const reg_data unseen = {s.holds + 120 * ROWS, s.y + 120 * TARGETS, 80, ROWS,
                                     TARGETS};
            assert_ok(reg_error(&error, ctx, &unseen, &m, to));
            for (size_t i = 0; i < 80 * TARGETS; i++) {
                double off = (double)unseen.y[i] - m.y_mean[i % TARGETS];
                plain += off * off / (80 * TARGETS);
            }
            assert_true(error < .35 * .35 * 1.3 && error < plain / 5);
            assert_true(result.penalty > 0);
            for (size_t t = 0; t < TARGETS; t++)
                for (size_t i = 0; i < ROWS; i++)
                    assert_true(fabs((double)to[t * ROWS + i] - s.w[t][i]) < .25);
            if (lasso)
                assert_true(result.nonzero >= 2 && result.nonzero < ROWS);
            reg_moments_free(&m);
            assay_ctx_destroy(ctx);
        }
    assert_memory_equal(w[0], w[1], sizeof w[0]);
}

static void numbers_must_be_finite(void **state) {
    (void)state;
    static sample s;
    assay_ctx *ctx = test_ctx(1);
    float w[TARGETS * ROWS];
    reg_moments m;
    reg_result result;
    sample_make(&s, MODELS);
    s.y[7 * TARGETS] = NAN;
    assert_fails(ASSAY_E_NUMERIC, reg_lasso(w, &m, &result, ctx, &s.data, FIT, -1));
    assert_non_null(strstr(assay_last_error()->message, "model 7"));
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ridge_is_at_its_minimum),
        cmocka_unit_test(lasso_is_at_its_minimum),
        cmocka_unit_test(penalties_are_chosen),
        cmocka_unit_test(numbers_must_be_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

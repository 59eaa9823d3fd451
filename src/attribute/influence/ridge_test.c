/* Ridge regression on features: both systems, and the formula of TRAK's authors' code
 * against itself, written out in double. */
#include "attribute/influence/ridge.h"

#include "base/rng.h"
#include "base/testing.h"

#include <math.h>
#include <string.h>

/* The smaller system is solved, and it makes no difference which. */
static void primal_and_dual_agree(void **state) {
    (void)state;
    enum { N = 20, T = 3, D = 21 };
    assay_ctx *ctx = test_ctx(1);
    float phi[(N + T) * D], wide[(N + T) * D], a[N * T] = {0}, b[N * T] = {0};
    for (int i = 0; i < (N + T) * D; i++) {
        rng r = rng_at(6, RNG_TEST, 0, (uint64_t)i);
        phi[i] = i % D < D - 2 ? (float)rng_normal(&r) : 0;
    }
    /* 21 dimensions of 20 rows: the dual; the first 19 hold everything: the primal, with
     * the ridge that is the same number */
    for (int i = 0; i < N + T; i++)
        memcpy(wide + i * (D - 2), phi + i * D, (D - 2) * sizeof *phi);
    const att_features dual = {.ctx = ctx, .rows = N + T, .dim = D, .phi = phi};
    const att_features primal = {.ctx = ctx, .rows = N + T, .dim = D - 2, .phi = wide};
    assert_ok(att_ridge_add(a, &dual, N, T, .3));
    assert_ok(att_ridge_add(b, &primal, N, T, .3 * (D - 2) / D));
    for (int i = 0; i < N * T; i++)
        assert_true(fabsf(a[i] - b[i]) < 1e-4f);
    assay_ctx_destroy(ctx);
}

/* theirs: phi = P'g / sqrt(p), X = Phi'Phi + lambda I, C = X^-1 / mean |X^-1|,
 * tau = Phi C phi_t; in two dimensions X^-1 is written down. */
static void traker_is_its_formula(void **state) {
    (void)state;
    enum { N = 5, T = 2, D = 2, P = 50 };
    assay_ctx *ctx = test_ctx(1);
    float phi[(N + T) * D], scores[N * T] = {0};
    double theirs[(N + T) * D], x[3] = {0}, lambda = .07;
    for (int i = 0; i < (N + T) * D; i++) {
        rng r = rng_at(8, RNG_TEST, 0, (uint64_t)i);
        phi[i] = (float)rng_normal(&r);
        theirs[i] = (double)phi[i] * sqrt((double)D / P);
    }
    for (int i = 0; i < N; i++) {
        const double *v = theirs + i * D;
        x[0] += v[0] * v[0];
        x[1] += v[0] * v[1];
        x[2] += v[1] * v[1];
    }
    x[0] += lambda;
    x[2] += lambda;
    double det = x[0] * x[2] - x[1] * x[1];
    double c[3] = {x[2] / det, -x[1] / det, x[0] / det};
    double mean = (fabs(c[0]) + 2 * fabs(c[1]) + fabs(c[2])) / 4;
    const att_features f = {.ctx = ctx, .rows = N + T, .dim = D, .floats = P, .phi = phi};
    assert_ok(att_ridge_add_traker(scores, &f, N, T, lambda));
    for (int i = 0; i < N; i++)
        for (int t = 0; t < T; t++) {
            const double *v = theirs + i * D, *w = theirs + (N + t) * D;
            double want = (v[0] * (c[0] * w[0] + c[1] * w[1]) +
                           v[1] * (c[1] * w[0] + c[2] * w[1])) /
                          mean;
            assert_true(fabs((double)scores[i * T + t] - want) < 1e-5 * (1 + fabs(want)));
        }
    const att_features few = {
        .ctx = ctx, .rows = 1 + T, .dim = D, .floats = P, .phi = phi};
    assert_fails(ASSAY_E_NUMERIC, att_ridge_add_traker(scores, &few, 1, T, 0));
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(primal_and_dual_agree),
        cmocka_unit_test(traker_is_its_formula),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Curvatures that are known: a quadratic's largest eigenvalue, of either sign. */
#include "base/testing.h"
#include "train/curvature.h"

#include <math.h>

enum { SIDE = 40 };

/* g = Q D Q' x of a rotation in the plane of the first two axes; D falls fast. */
typedef struct quadratic {
    double d[SIDE];
    int asked;
} quadratic;

static assay_status gradient(void *arg, const float *at, float *out) {
    quadratic *q = arg;
    const double c = cos(0.7), s = sin(0.7);
    double x[SIDE];
    for (int i = 0; i < SIDE; i++)
        x[i] = (double)at[i];
    const double a = q->d[0] * (c * x[0] + s * x[1]);
    const double b = q->d[1] * (c * x[1] - s * x[0]);
    out[0] = (float)(c * a - s * b);
    out[1] = (float)(s * a + c * b);
    for (int i = 2; i < SIDE; i++)
        out[i] = (float)(q->d[i] * x[i]);
    q->asked++;
    return ASSAY_OK;
}

static void finds(double largest, double second, double within) {
    assay_ctx *ctx = test_ctx(1);
    quadratic q = {.d = {largest, second}};
    float at[SIDE];
    double got;
    for (int i = 0; i < SIDE; i++) {
        at[i] = 0.1F * (float)(i % 7) - 0.2F;
        if (i > 1)
            q.d[i] = second / (double)i;
    }
    assert_ok(curvature_largest(&got, ctx, at, SIDE, gradient, &q, 5));
    assert_true(fabs(got - largest) < within * fabs(largest));
    assert_int_equal(q.asked, 2 * CURVATURE_ROUNDS);
    assay_ctx_destroy(ctx);
}

static void quadratics(void **state) {
    (void)state;
    finds(50, 10, 1e-3);
    finds(0.02, 0.005, 1e-3);
    finds(-30, 8, 1e-3); /* a saddle */
    finds(50, 40, 5e-2); /* a narrow gap */
}

static void flat_ground(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    quadratic q = {.d = {0}};
    const float at[SIDE] = {0};
    double got = 1;
    assert_ok(curvature_largest(&got, ctx, at, SIDE, gradient, &q, 5));
    assert_true(got == 0);
    assay_ctx_destroy(ctx);
}

static assay_status breaks(void *arg, const float *at, float *out) {
    (void)arg;
    (void)at;
    (void)out;
    return err_set(ASSAY_E_NUMERIC, "as planned");
}

static void a_gradient_that_fails(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    const float at[2] = {1, 2};
    double got;
    assert_fails(ASSAY_E_NUMERIC, curvature_largest(&got, ctx, at, 2, breaks, NULL, 0));
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quadratics),
        cmocka_unit_test(flat_ground),
        cmocka_unit_test(a_gradient_that_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

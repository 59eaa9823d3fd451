/* EK-FAC where it is exact: a single example has a Gauss-Newton matrix whose layers'
 * blocks are Kronecker products, so eigenbases and eigenvalues give them back. */
#include "attribute/influence/ekfac.h"

#include "attribute/study/testing.h"

#include <math.h>

static const att_recipe recipe = {
    .epochs = 2, .batch = LITTLE_BATCH, .rate = .02, .momentum = .9, .hold = .5};

/* v' U' diag(L) U v for a layer, v [in, out]. */
static double quadratic(const ekfac_layer *l, const double *v) {
    double sum = 0;
    for (size_t i = 0; i < l->in; i++)
        for (size_t j = 0; j < l->out; j++) {
            double turned = 0;
            for (size_t a = 0; a < l->in; a++)
                for (size_t b = 0; b < l->out; b++)
                    turned += (double)l->in_vector[i * l->in + a] *
                              (double)l->out_vector[j * l->out + b] * v[a * l->out + b];
            sum += (double)l->value[i * l->out + j] * turned * turned;
        }
    return sum;
}

static void one_example_is_exact(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    little *x = little_make(ctx, NULL, &recipe);
    att_study one = x->study;
    one.n_rows = 1;
    const att_member m = {.study = &one, .run = &x->run, .params = x->params};
    ekfac e;
    att_layers layers;
    assert_ok(ekfac_make(&e, &m));
    assert_ok(att_capture(&layers, &m, one.rows, 1, ATT_GAUSSNEWTON));
    assert_int_equal(e.count, 3);
    for (int l = 1; l < 3; l++) { /* the first layer's eigenvectors take long here */
        const att_layer *w = &layers.layer[l];
        double v[10 * 9], want = 0;
        for (size_t i = 0; i < w->in * w->out; i++) {
            rng r = rng_at(3, RNG_TEST, 0, i);
            v[i] = rng_normal(&r);
        }
        for (size_t pass = 0; pass < layers.passes; pass++) {
            double dot = 0;
            for (size_t i = 0; i < w->in; i++)
                for (size_t j = 0; j < w->out; j++)
                    dot += (double)w->a[i] * (double)w->d[pass * w->out + j] *
                           v[i * w->out + j];
            want += dot * dot;
        }
        assert_true(fabs(quadratic(&e.layer[l], v) - want) < 1e-4 * want);
    }
    att_layers_free(&layers);
    ekfac_free(&e);
    little_free(x);
    assay_ctx_destroy(ctx);
}

/* With a damping far above all eigenvalues it is grad-dot over delta. */
static void much_damping_is_grad_dot(void **state) {
    (void)state;
    enum { CELLS = LITTLE_ROWS * LITTLE_TARGETS };
    assay_ctx *ctx = test_ctx(2);
    little *x = little_make(ctx, NULL, &recipe);
    const att_member m = little_member(x);
    static float scores[CELLS], dot[CELLS];
    float weight[LITTLE_ROWS] = {0};
    att_layers layers;
    ekfac e;
    memset(scores, 0, sizeof scores);
    memset(dot, 0, sizeof dot);
    assert_ok(ekfac_make(&e, &m));
    assert_ok(att_capture_study(&layers, &m));
    assert_ok(ekfac_turn(&layers, &e));
    assert_ok(ekfac_scores(scores, &e, &layers, LITTLE_ROWS, LITTLE_TARGETS, 1e6));
    att_sum sum = {dot, weight};
    const att_settings settings = ATT_SETTINGS_INIT;
    assert_ok(att_method_find("grad-dot")->score(&sum, &m, &settings));
    for (int i = 0; i < LITTLE_ROWS; i++)
        for (int t = 0; t < LITTLE_TARGETS; t++) {
            double want = (double)(weight[i] * dot[i * LITTLE_TARGETS + t]);
            double got = (double)scores[i * LITTLE_TARGETS + t] * 1e6 * e.mean;
            double scale = (double)weight[i] * 200;
            assert_true(fabs(got - want) < 1e-3 * (scale + fabs(want)));
        }
    assert_fails(ASSAY_E_NUMERIC,
                 ekfac_scores(scores, &e, &layers, LITTLE_ROWS, LITTLE_TARGETS, 0));
    att_layers_free(&layers);
    ekfac_free(&e);
    little_free(x);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_example_is_exact),
        cmocka_unit_test(much_damping_is_grad_dot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

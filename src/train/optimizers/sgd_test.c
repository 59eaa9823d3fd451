/* The optimizer against the same rule in float64, and what weight decay leaves alone. */
#include "base/rng.h"
#include "base/testing.h"
#include "train/optimizer.h"
#include "zoo/zoo.h"

#include <math.h>

static const zoo_config config = {
    .classes = 10, .channels = 1, .height = 12, .width = 12, .smoothing = 0.1};

enum form { PLAIN, NESTEROV, DECOUPLED };

static void follows(enum form form) {
    const double mu = 0.9, decay = 5e-3;
    assay_ctx *ctx = test_ctx(1);
    zoo_model m;
    assert_ok(zoo_build(&m, ctx, "cnn", &config));
    nn_weights w;
    assert_ok(nn_weights_create(&w, ctx, m.graph, 3));
    optimizer s;
    optimizer_options o = OPTIMIZER_OPTIONS_INIT;
    o.weight_decay = decay;
    o.nesterov = form != PLAIN;
    o.decoupled = form == DECOUPLED;
    assert_ok(optimizer_create(&s, ctx, m.graph, &o));
    size_t n = nn_graph_param_floats(m.graph);
    assert_int_equal(s.floats, n);
    double *ref = calloc(n, sizeof *ref), *v = calloc(n, sizeof *v);
    uint8_t *decays = calloc(n, 1);
    float *g = calloc(n, sizeof *g);
    assert_true(ref && v && g && decays);
    for (size_t i = 0; i < n; i++)
        ref[i] = (double)w.params[i];
    for (size_t i = 0; i < nn_graph_param_count(m.graph); i++) {
        nn_param_info p = nn_graph_param_at(m.graph, i);
        memset(decays + p.offset, p.decay, p.count);
    }
    for (uint32_t step = 0; step < 50; step++) {
        double rate = 0.1 / (1 + step);
        for (size_t i = 0; i < n; i++) {
            rng r = rng_at(1, RNG_TEST, step, i);
            g[i] = (float)(rng_uniform(&r) - 0.5);
        }
        optimizer_step(&s, w.params, g, (train_pace){rate, mu});
        for (size_t i = 0; i < n; i++) {
            double shrink = (decays[i] ? decay : 0) * ref[i];
            double d = (double)g[i] + (form == DECOUPLED ? 0 : shrink);
            v[i] = mu * v[i] + d;
            ref[i] -= form == DECOUPLED ? rate * shrink : 0;
            ref[i] -= rate * (form == PLAIN ? v[i] : d + mu * v[i]);
        }
    }
    double worst = 0;
    for (size_t i = 0; i < n; i++)
        worst = fmax(worst, fabs((double)w.params[i] - ref[i]));
    assert_true(worst < 1e-5);
    free(decays);
    free(g);
    free(v);
    free(ref);
    optimizer_destroy(&s);
    nn_weights_destroy(&w, ctx);
    zoo_destroy(&m);
    assay_ctx_destroy(ctx);
}

static void follows_the_reference(void **state) {
    (void)state;
    follows(PLAIN);
    follows(NESTEROV);
    follows(DECOUPLED);
}

static void decay_spares_norms_and_biases(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    zoo_model m;
    assert_ok(zoo_build(&m, ctx, "cnn", &config));
    nn_weights w;
    assert_ok(nn_weights_create(&w, ctx, m.graph, 3));
    size_t n = nn_graph_param_floats(m.graph);
    for (size_t i = 0; i < n; i++)
        w.params[i] = 1;
    float *g = calloc(n, sizeof *g);
    assert_non_null(g);
    optimizer s;
    optimizer_options o = OPTIMIZER_OPTIONS_INIT;
    o.weight_decay = 0.1;
    assert_ok(optimizer_create(&s, ctx, m.graph, &o));
    optimizer_step(&s, w.params, g, (train_pace){0.5, 0.9});
    for (size_t i = 0; i < nn_graph_param_count(m.graph); i++) {
        nn_param_info p = nn_graph_param_at(m.graph, i);
        bool matrix = p.shape.ndim > 1; /* convolutions and linear layers */
        assert_int_equal(p.decay, matrix);
        assert_true(matrix ? w.params[p.offset] < 1 : w.params[p.offset] == 1);
    }
    free(g);
    optimizer_destroy(&s);
    nn_weights_destroy(&w, ctx);
    zoo_destroy(&m);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_reference),
        cmocka_unit_test(decay_spares_norms_and_biases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

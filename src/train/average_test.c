/* Averages against their rules in float64, parameters and buffers alike. */
#include "train/average.h"

#include "base/testing.h"

#include <math.h>

enum { PARAMS = 3, BUFFERS = 2, STEPS = 12 };

typedef struct model {
    assay_ctx *ctx;
    nn_graph *graph;
    nn_weights now;
} model;

static void model_make(model *m) {
    nn_value v;
    m->ctx = test_ctx(1);
    assert_ok(nn_graph_create(&m->graph, m->ctx));
    assert_ok(
        nn_graph_param(m->graph, "w", (nn_shape){1, {PARAMS}}, NN_INIT_ONE, true, &v));
    assert_ok(
        nn_graph_buffer(m->graph, "mean", (nn_shape){1, {BUFFERS}}, NN_INIT_ONE, &v));
    assert_ok(nn_weights_create(&m->now, m->ctx, m->graph, 0));
}

static void model_end(model *m) {
    nn_weights_destroy(&m->now, m->ctx);
    nn_graph_destroy(m->graph);
    assay_ctx_destroy(m->ctx);
}

/* Number i of the weights; buffers behind parameters. */
static float *at(nn_weights *w, int i) {
    return i < PARAMS ? &w->params[i] : &w->buffers[i - PARAMS];
}

static void run(double ema, int lookahead) {
    model m;
    average a;
    double kept[PARAMS + BUFFERS], now[PARAMS + BUFFERS];
    model_make(&m);
    for (int i = 0; i < PARAMS + BUFFERS; i++)
        kept[i] = now[i] = (double)*at(&m.now, i);
    assert_ok(average_create(&a, m.ctx, m.graph, &m.now, ema, lookahead, STEPS));
    assert_true(average_on(&a));
    for (int t = 1; t <= STEPS; t++) {
        double d = fmin(ema, (1.0 + t) / (10.0 + t));
        double share = pow(0.95, lookahead) * pow((double)t / STEPS, 3);
        bool looks = lookahead > 0 && t % lookahead == 0;
        for (int i = 0; i < PARAMS + BUFFERS; i++) {
            double moved = 0.25 * (i + 1) * (t % 3 - 0.5);
            now[i] += moved;
            *at(&m.now, i) += (float)moved;
            if (ema > 0)
                kept[i] = d * kept[i] + (1 - d) * now[i];
            if (looks)
                now[i] = kept[i] = share * kept[i] + (1 - share) * now[i];
        }
        average_step(&a, &m.now, t);
        for (int i = 0; i < PARAMS + BUFFERS; i++) {
            assert_true(fabs((double)*at(&m.now, i) - now[i]) < 1e-5);
            assert_true(fabs((double)*at(&a.kept, i) - kept[i]) < 1e-5);
        }
    }
    average_take(&a, &m.now);
    assert_memory_equal(m.now.params, a.kept.params, PARAMS * sizeof(float));
    assert_memory_equal(m.now.buffers, a.kept.buffers, BUFFERS * sizeof(float));
    average_destroy(&a);
    assert_false(average_on(&a));
    average_destroy(&a);
    model_end(&m);
}

static void follows_the_rules(void **state) {
    (void)state;
    run(0.9, 0);
    run(0.2, 0);
    run(0, 5);
    run(0, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(follows_the_rules)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Groups of parameters: whom patterns mean, what numbers do to a step, what is refused.
 */
#include "train/param_rules.h"

#include "base/testing.h"
#include "train/optimizer.h"

enum { FLOATS = 2 + 4 + 2 + 4 };

static nn_graph *graph_make(assay_ctx *ctx) {
    nn_graph *g;
    nn_value v;
    assert_ok(nn_graph_create(&g, ctx));
    assert_ok(nn_graph_param(g, "bn1.bias", (nn_shape){1, {2}}, NN_INIT_ZERO, false, &v));
    assert_ok(
        nn_graph_param(g, "fc1.weight", (nn_shape){2, {2, 2}}, NN_INIT_ZERO, true, &v));
    assert_ok(nn_graph_param(g, "bn2.bias", (nn_shape){1, {2}}, NN_INIT_ZERO, false, &v));
    assert_ok(
        nn_graph_param(g, "fc2.weight", (nn_shape){2, {2, 2}}, NN_INIT_ZERO, true, &v));
    return g;
}

static bool is(double a, double b) {
    return !(a < b || a > b);
}

static void rules(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    nn_graph *g = graph_make(ctx);
    param_rule *r;
    assert_ok(param_rules_make(&r, ctx, g, NULL, NULL));
    assert_true(is(r[0].rate, 1) && is(r[0].decay, 0) && is(r[1].decay, 1));
    assert_true(!r[0].matrix && r[1].matrix && is(r[1].epochs, 0));
    mem_free(ctx, r);
    assert_ok(param_rules_make(&r, ctx, g,
                               "*.bias:rate=64,decay=0.5;bn2.*:rate=2;*2.weight:"
                               "matrix=0,epochs=3;",
                               "fc1*;"));
    assert_true(is(r[0].rate, 64) && is(r[0].decay, 0.5));
    assert_true(is(r[2].rate, 2) && is(r[2].decay, 0.5));
    assert_true(is(r[1].rate, 0) && is(r[1].decay, 1) && r[1].matrix);
    assert_true(is(r[3].rate, 1) && is(r[3].epochs, 3) && !r[3].matrix);
    mem_free(ctx, r);
    nn_graph_destroy(g);
    assay_ctx_destroy(ctx);
}

static void refusals(void **state) {
    (void)state;
    static const struct {
        const char *groups, *freeze, *word;
    } cases[] = {
        {"*.bias", NULL, "*.bias"},
        {"*.bias:rate=1", "conv*", "conv*"},
        {"*.bias:rate", NULL, "rate"},
        {"*.bias:rate=", NULL, "rate="},
        {"*.bias:rate=-1", NULL, "rate=-1"},
        {"*.bias:rate=nan", NULL, "rate=nan"},
        {"*.bias:rate=1e9", NULL, "rate=1e9"},
        {"*.bias:rate=2x", NULL, "rate=2x"},
        {"*.bias:speed=2", NULL, "speed"},
        {"*.bias:matrix=1", NULL, "matrix=1"},
        {"conv*:rate=2", NULL, "conv*"},
        {"*.bias:rate=1;;", NULL, "\"\""},
        {NULL, "nobody", "nobody"},
    };
    assay_ctx *ctx = test_ctx(1);
    nn_graph *g = graph_make(ctx);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        param_rule *r;
        assert_fails(ASSAY_E_INVALID,
                     param_rules_make(&r, ctx, g, cases[i].groups, cases[i].freeze));
        assert_null(r);
        assert_non_null(strstr(assay_last_error()->message, cases[i].word));
        assert_true(assay_last_error()->help[0] != '\0');
    }
    nn_graph_destroy(g);
    assay_ctx_destroy(ctx);
}

/* Rate and decay multiply; a frozen parameter does not move, one with a number of epochs
 * not after them. */
static void steps(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    nn_graph *g = graph_make(ctx);
    float w[FLOATS], grads[FLOATS];
    for (size_t i = 0; i < FLOATS; i++) {
        w[i] = 1;
        grads[i] = 1;
    }
    optimizer o;
    optimizer_options how = OPTIMIZER_OPTIONS_INIT;
    how.weight_decay = 0.5;
    how.groups = "bn1*:rate=4;bn2*:epochs=1.5;fc2*:decay=2";
    how.freeze = "fc1*";
    how.epoch_steps = 2;
    assert_ok(optimizer_create(&o, ctx, g, &how));
    optimizer_step(&o, w, grads, (train_pace){0.125, 0});
    assert_true(is((double)w[0], 1 - 4 * 0.125) && is((double)w[2], 1));
    assert_true(is((double)w[6], 1 - 0.125) && is((double)w[8], 1 - 0.125 * (1 + 1)));
    for (int i = 0; i < 5; i++)
        optimizer_step(&o, w, grads, (train_pace){0.125, 0});
    assert_true(
        is((double)w[6], 1 - 3 * 0.125)); /* three steps are an epoch and a half */
    assert_true(is((double)w[0], 1 - 6 * 4 * 0.125) && is((double)w[2], 1));
    optimizer_destroy(&o);
    nn_graph_destroy(g);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules),
        cmocka_unit_test(refusals),
        cmocka_unit_test(steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

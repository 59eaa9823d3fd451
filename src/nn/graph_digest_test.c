/* The digest of a graph: the same for the same network under other names, another when an
 * op, an attribute, a constant or a shape is. */
#include "nn/graph.h"

#include "base/testing.h"

typedef struct net {
    const char *name, *op;
    double eps;
    float constant;
    int64_t width;
} net;

static void digest(uint8_t out[32], assay_ctx *ctx, const net *n) {
    nn_graph *g;
    nn_value x, w, c, v, activated, normed;
    const nn_shape rows = {2, {0, 5}}, weight = {2, {n->width, 5}}, one = {1, {1}};
    const nn_attr eps = {.name = "eps", .f = n->eps};
    assert_ok(nn_graph_create(&g, ctx));
    assert_ok(nn_graph_input(g, "x", ASSAY_F32, rows, &x));
    assert_ok(nn_graph_param(g, n->name, weight, NN_INIT_ZERO, true, &w));
    assert_ok(nn_graph_constant(g, "c", ASSAY_F32, one, &n->constant, &c));
    const nn_value linear[] = {x, w};
    assert_ok(nn_graph_op(g, "linear", linear, 2, NULL, 0, &v));
    assert_ok(nn_graph_op(g, n->op, &v, 1, NULL, 0, &activated));
    assert_ok(nn_graph_op(g, "layer_norm", &activated, 1, &eps, 1, &normed));
    const nn_value sum[] = {normed, c};
    assert_ok(nn_graph_op(g, "add", sum, 2, NULL, 0, &v));
    nn_graph_digest(out, g);
    nn_graph_destroy(g);
}

static void what_is_computed_decides(void **state) {
    static const net base = {"w", "relu", 1e-5, 2, 4};
    static const net same = {"fc.weight", "relu", 1e-5, 2, 4};
    static const net other[] = {{"w", "tanh", 1e-5, 2, 4},
                                {"w", "relu", 1e-6, 2, 4},
                                {"w", "relu", 1e-5, 3, 4},
                                {"w", "relu", 1e-5, 2, 6}};
    uint8_t a[32], b[32];
    assay_ctx *ctx = test_ctx(1);
    (void)state;
    digest(a, ctx, &base);
    digest(b, ctx, &same);
    assert_memory_equal(a, b, sizeof a);
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        digest(b, ctx, &other[i]);
        assert_memory_not_equal(a, b, sizeof a);
    }
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_computed_decides)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

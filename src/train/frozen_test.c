/* Frozen parameters: the others' gradients keep their bits, and what only served frozen
 * ones is not computed. */
#include "base/rng.h"
#include "base/testing.h"
#include "nn/exec.h"
#include "zoo/zoo.h"

#include <fnmatch.h>

enum { BATCH = 24, SIDE = 12, ALL = 9999 };

typedef struct net {
    assay_ctx *ctx;
    zoo_model zoo;
    nn_weights weights;
} net;

static void grads_of(net *n, const uint8_t *frozen, int shards, float *out) {
    nn_exec *e;
    float seed[BATCH];
    const nn_exec_options o = {.mode = NN_TRAIN,
                               .batch = BATCH,
                               .target = n->zoo.loss,
                               .shards = shards,
                               .frozen = frozen};
    size_t floats = nn_graph_param_floats(n->zoo.graph);
    assert_ok(nn_exec_create(&e, n->ctx, n->zoo.graph, &n->weights, &o));
    float *x = nn_exec_input(e, n->zoo.images);
    int32_t *y = nn_exec_input(e, n->zoo.labels);
    rng r = rng_at(1, RNG_TEST, 0, 0);
    for (size_t i = 0; i < (size_t)BATCH * SIDE * SIDE; i++)
        x[i] = (float)rng_normal(&r);
    for (int i = 0; i < BATCH; i++) {
        y[i] = (int32_t)rng_below(&r, 10);
        seed[i] = 1.0F / BATCH;
    }
    for (int step = 0; step < 2; step++) {
        assert_ok(nn_exec_forward(e, BATCH));
        assert_ok(nn_exec_backward(e, seed));
    }
    memcpy(out, nn_exec_grads(e), floats * sizeof *out);
    nn_exec_destroy(e);
}

static bool zero(const float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (x[i] < 0 || x[i] > 0)
            return false;
    return true;
}

static void check(const char *model, const char *pattern, size_t saved, int shards) {
    net n = {.ctx = test_ctx(1)};
    static const zoo_config config = {
        .classes = 10, .channels = 1, .height = SIDE, .width = SIDE, .smoothing = 0.1};
    assert_ok(zoo_build(&n.zoo, n.ctx, model, &config));
    assert_ok(nn_weights_create(&n.weights, n.ctx, n.zoo.graph, 3));
    size_t params = nn_graph_param_count(n.zoo.graph), none = 0;
    size_t floats = nn_graph_param_floats(n.zoo.graph);
    float *all = calloc(floats, sizeof *all), *some = calloc(floats, sizeof *some);
    uint8_t *frozen = calloc(params, 1);
    assert_true(all && some && frozen);
    for (size_t i = 0; i < params; i++)
        frozen[i] = fnmatch(pattern, nn_graph_param_at(n.zoo.graph, i).name, 0) == 0;
    grads_of(&n, NULL, shards, all);
    grads_of(&n, frozen, shards, some);
    for (size_t i = 0; i < params; i++) {
        nn_param_info p = nn_graph_param_at(n.zoo.graph, i);
        bool left_out = zero(some + p.offset, p.count);
        assert_false(zero(all + p.offset, p.count));
        assert_true(!left_out || frozen[i]);
        none += left_out;
        if (!left_out)
            assert_memory_equal(all + p.offset, some + p.offset, p.count * sizeof *all);
    }
    assert_int_equal(none, saved == ALL ? params : saved);
    free(all);
    free(some);
    free(frozen);
    nn_weights_destroy(&n.weights, n.ctx);
    zoo_destroy(&n.zoo);
    assay_ctx_destroy(n.ctx);
}

static void saves_what_nobody_asks_for(void **state) {
    (void)state;
    net n = {.ctx = test_ctx(1)};
    static const zoo_config config = {
        .classes = 10, .channels = 1, .height = SIDE, .width = SIDE, .smoothing = 0.1};
    assert_ok(zoo_build(&n.zoo, n.ctx, "cnn", &config));
    size_t params = nn_graph_param_count(n.zoo.graph);
    const char *first = nn_graph_param_at(n.zoo.graph, 0).name;
    check("cnn", first, 1, 1); /* the first convolution alone: its norm learns */
    check("cnn", first, 1, 2);
    check("cnn", "[!f]*", params - 2, 1); /* all but the head */
    check("cnn", "fc*", 0, 1);            /* those before it still want their gradients */
    check("mlp", "*", ALL, 1);
    zoo_destroy(&n.zoo);
    assay_ctx_destroy(n.ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(saves_what_nobody_asks_for)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Ops that read and write bf16: between two convolutions their values lie in bf16, and
 * outputs and gradients stay near those of f32. */
#include "nn/exec_inside.h"

#include "base/rng.h"
#include "base/testing.h"

#include <math.h>

enum { N = 4, C = 16, H = 6, W = 5, MOST = N * C * H * W };

typedef struct subject {
    const char *op;
    bool scaled; /* scale and shift follow x */
    nn_attr attr[3];
    int n_attrs;
} subject;

static const subject subjects[] = {
    {"group_norm", true, {{.name = "groups", .i = {4}, .count = 1}}, 1},
    {"instance_norm", true, {{.name = "eps", .f = 1e-3}}, 1},
    {"mish", false, {{0}}, 0},
    {"leaky_relu", false, {{.name = "alpha", .f = 0.2}}, 1},
    {"relu6", false, {{0}}, 0},
    {"dropout", false, {{.name = "p", .f = 0.25}}, 1},
    {"max_pool",
     false,
     {{.name = "kernel", .i = {2}, .count = 1},
      {.name = "stride", .i = {1}, .count = 1},
      {.name = "dilation", .i = {2}, .count = 1}},
     3},
};

typedef struct net {
    nn_graph *graph;
    nn_value x, middle, out;
} net;

static void add_conv(nn_graph *g, const char *name, nn_value *x) {
    nn_value v[2] = {*x};
    assert_ok(nn_graph_param(g, name, (nn_shape){4, {C, C, 1, 1}}, NN_INIT_KAIMING_NORMAL,
                             true, &v[1]));
    assert_ok(nn_graph_op(g, "conv2d", v, 2, NULL, 0, x));
}

static net build(assay_ctx *ctx, const subject *s) {
    net n;
    nn_value in[3];
    assert_ok(nn_graph_create(&n.graph, ctx));
    assert_ok(nn_graph_input(n.graph, "x", ASSAY_F32, (nn_shape){4, {0, C, H, W}}, &n.x));
    in[0] = n.x;
    add_conv(n.graph, "first", &in[0]);
    for (int i = 1; s->scaled && i < 3; i++)
        assert_ok(nn_graph_param(n.graph, i == 1 ? "scale" : "shift", (nn_shape){1, {C}},
                                 NN_INIT_ONE, false, &in[i]));
    n.middle = in[0];
    assert_ok(
        nn_graph_op(n.graph, s->op, in, s->scaled ? 3 : 1, s->attr, s->n_attrs, &n.out));
    add_conv(n.graph, "second", &n.out);
    return n;
}

/* Output and gradients after one step. */
static void run(assay_ctx *ctx,
                const net *n,
                nn_weights *w,
                assay_dtype dtype,
                float *out,
                float *grads) {
    nn_exec *e;
    static float seed[MOST];
    const nn_exec_options o = {
        .mode = NN_TRAIN, .batch = N, .target = n->out, .dtype = dtype};
    rng r = rng_at(11, RNG_TEST, 0, 0);
    assert_ok(nn_exec_create(&e, ctx, n->graph, w, &o));
    assert_true(e->slot[n->middle].half == (dtype == ASSAY_BF16));
    float *x = nn_exec_input(e, n->x);
    for (int i = 0; i < MOST; i++) {
        x[i] = (float)rng_normal(&r);
        seed[i] = (float)rng_normal(&r);
    }
    assert_ok(nn_exec_forward(e, N));
    nn_shape s = nn_graph_shape(n->graph, n->out);
    memcpy(out, nn_exec_value(e, n->out), (size_t)nn_shape_elements(&s, N) * 4);
    assert_ok(nn_exec_backward(e, seed));
    memcpy(grads, nn_exec_grads(e), nn_graph_param_floats(n->graph) * 4);
    nn_exec_destroy(e);
}

static double distance(const float *a, const float *b, size_t n) {
    double apart = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)a[i] - (double)b[i];
        apart += d * d;
        size += (double)b[i] * (double)b[i];
    }
    return sqrt(apart / size);
}

static void values_in_bf16_stay_near(void **state) {
    (void)state;
    static float out[2][MOST], grads[2][2 * C * C + 2 * C];
    if (!dn_bf16_runs()) {
        print_message("skipped: no bf16 here\n");
        skip();
    }
    assay_ctx *ctx = test_ctx(1);
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        net n = build(ctx, &subjects[i]);
        nn_weights w;
        assert_ok(nn_weights_create(&w, ctx, n.graph, 3));
        run(ctx, &n, &w, ASSAY_F32, out[0], grads[0]);
        run(ctx, &n, &w, ASSAY_BF16, out[1], grads[1]);
        nn_shape s = nn_graph_shape(n.graph, n.out);
        double y = distance(out[1], out[0], (size_t)nn_shape_elements(&s, N));
        double d = distance(grads[1], grads[0], nn_graph_param_floats(n.graph));
        /* Where a slope jumps, a rounded number may fall on its other side. */
        if (!(y < 0.02 && d < 0.08))
            fail_msg("%s in bf16: %.3g off, gradients %.3g", subjects[i].op, y, d);
        nn_weights_destroy(&w, ctx);
        nn_graph_destroy(n.graph);
    }
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(values_in_bf16_stay_near)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

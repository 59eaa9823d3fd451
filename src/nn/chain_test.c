/* A chain's steps against the executor's and the optimizer's, bit by bit; its products
 * in every instruction set against a plain loop; which graphs are refused. */
#include "nn/chain_inside.h"

#include "base/cpu.h"
#include "nn/exec.h"
#include "nn/testing_net.h"
#include "simd/simd.h"

#include <math.h>

enum { SIDE = 6, PIXELS = SIDE * SIDE, CLASSES = 5, MOST = 40, STEPS = 4 };

typedef struct mlp {
    assay_ctx *ctx;
    nn_graph *graph;
    nn_value images, labels, logits, loss;
    nn_weights weights;
} mlp;

static nn_value
linear(nn_graph *g, nn_value x, const char *name, int64_t in, int64_t out, bool decay) {
    nn_value v[3] = {x};
    char text[32];
    (void)snprintf(text, sizeof text, "%s.weight", name);
    ok(nn_graph_param(g, text, (nn_shape){2, {out, in}}, NN_INIT_KAIMING_UNIFORM, true,
                      &v[1]));
    (void)snprintf(text, sizeof text, "%s.bias", name);
    ok(nn_graph_param(g, text, (nn_shape){1, {out}}, NN_INIT_NORMAL_SMALL, decay, &v[2]));
    return op(g, "linear", v, 3, NULL, 0, 0);
}

/* Layers of the widths, which end in 0. */
static mlp mlp_make(const int *widths, double smoothing, bool decay) {
    mlp m = {0};
    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    o.threads = 1;
    ok(assay_ctx_create(&m.ctx, &o));
    ok(nn_graph_create(&m.graph, m.ctx));
    nn_graph *g = m.graph;
    ok(nn_graph_input(g, "images", ASSAY_F32, (nn_shape){4, {0, 1, SIDE, SIDE}},
                      &m.images));
    ok(nn_graph_input(g, "labels", ASSAY_I32, (nn_shape){1, {0}}, &m.labels));
    nn_value x = op(g, "flatten", &m.images, 1, NULL, 0, 0);
    int64_t in = PIXELS;
    for (int i = 0; widths[i]; in = widths[i++]) {
        const char name[] = {'f', (char)('a' + i), '\0'};
        x = linear(g, x, name, in, widths[i], decay);
        x = op(g, "relu", &x, 1, NULL, 0, 0);
    }
    m.logits = linear(g, x, "out", in, CLASSES, decay);
    m.loss = op(g, "cross_entropy", (nn_value[]){m.logits, m.labels}, 2, "smoothing", 0,
                smoothing);
    ok(nn_weights_create(&m.weights, m.ctx, g, 7));
    return m;
}

static void mlp_free(mlp *m) {
    nn_weights_destroy(&m->weights, m->ctx);
    nn_graph_destroy(m->graph);
    assay_ctx_destroy(m->ctx);
}

typedef struct batch {
    float image[MOST][PIXELS];
    const float *row[MOST];
    int32_t label[MOST];
} batch;

static void batch_make(batch *b, uint64_t number) {
    rng r = rng_at(5, RNG_TEST, 0, number);
    for (int i = 0; i < MOST; i++) {
        for (int k = 0; k < PIXELS; k++)
            b->image[i][k] = (float)rng_normal(&r);
        b->label[i] = (int32_t)rng_below(&r, CLASSES);
        b->row[(i * 7 + 3) % MOST] = b->image[i]; /* rows need not lie in order */
    }
}

/* What sgd.c does, span by span. */
static void sgd_apply(mlp *m, float *velocity, const float *g, const chain_sgd *s) {
    for (size_t i = 0; i < nn_graph_param_count(m->graph); i++) {
        nn_param_info p = nn_graph_param_at(m->graph, i);
        simd()->f32_sgd(m->weights.params + p.offset, velocity + p.offset, g + p.offset,
                        p.count, s->rate, s->momentum, p.decay ? s->decay : 0,
                        s->nesterov);
    }
}

static void same_steps(const int *widths, double smoothing, const chain_sgd *sgd, int n) {
    mlp m = mlp_make(widths, smoothing, sgd->nesterov);
    size_t floats = nn_graph_param_floats(m.graph);
    float *velocity = calloc(3 * floats, sizeof *velocity);
    float *params = velocity + floats, *theirs = params + floats;
    batch *b = malloc(sizeof *b);
    float share[MOST];
    layer_chain *c;
    nn_exec *e;
    assert_non_null(velocity);
    assert_non_null(b);
    assert_true(chain_fits(m.graph, m.images, m.logits, m.loss));
    ok(chain_create(&c, m.ctx, m.graph, m.images, m.logits, m.loss, MOST));
    assert_int_equal(chain_width(c), PIXELS);
    const nn_exec_options o = {.mode = NN_TRAIN,
                               .batch = MOST,
                               .keep = &m.logits,
                               .n_keep = 1,
                               .target = m.loss,
                               .shards = 1};
    ok(nn_exec_create(&e, m.ctx, m.graph, &m.weights, &o));
    chain_load(c, m.weights.params, NULL);
    for (int i = 0; i < n; i++)
        share[i] = 1.0F / (float)n;
    for (int step = 0; step < STEPS; step++) {
        double loss = 0, want = 0;
        batch_make(b, (uint64_t)step);
        float *to = nn_exec_input(e, m.images);
        for (int i = 0; i < n; i++)
            memcpy(to + i * PIXELS, b->row[i], sizeof b->image[0]);
        memcpy(nn_exec_input(e, m.labels), b->label, (size_t)n * sizeof *b->label);
        ok(nn_exec_forward(e, n));
        ok(nn_exec_backward(e, share));
        for (int i = 0; i < n; i++)
            want += (double)nn_exec_value(e, m.loss)[i];
        ok(chain_step(c, b->row, b->label, n, sgd, &loss));
        assert_true(loss == want);
        size_t ld;
        const float *z = chain_logits(c, &ld);
        for (int i = 0; i < n; i++)
            assert_memory_equal(z + (size_t)i * ld,
                                nn_exec_value(e, m.logits) + i * CLASSES,
                                CLASSES * sizeof *z);
        sgd_apply(&m, velocity, nn_exec_grads(e), sgd);
        chain_store(c, params, theirs);
        assert_memory_equal(params, m.weights.params, floats * sizeof *params);
        assert_memory_equal(theirs, velocity, floats * sizeof *params);
        chain_load(c, params, theirs); /* as after an interruption */
    }
    nn_exec_destroy(e);
    chain_destroy(c);
    free(b);
    free(velocity);
    mlp_free(&m);
}

static void steps_are_the_executors(void **state) {
    (void)state;
    const chain_sgd heavy = {0.05F, 0.9F, 0, false}, ahead = {0.1F, 0.9F, 5e-3F, true};
    const chain_sgd plain = {0.1F, 0, 1e-2F, false};
    same_steps((const int[]){24, 17, 0}, 0, &heavy, MOST);
    same_steps((const int[]){24, 17, 0}, 0.1, &ahead, 13);
    same_steps((const int[]){3, 0}, 0, &plain, 1);
    same_steps((const int[]){0}, 0.1, &heavy, 25);
    same_steps((const int[]){16, 33, 48, 5, 0}, 0, &ahead, 37);
}

static void labels_are_looked_at(void **state) {
    (void)state;
    mlp m = mlp_make((const int[]){8, 0}, 0, false);
    batch *b = malloc(sizeof *b);
    layer_chain *c;
    double loss = 0;
    const chain_sgd sgd = {0.1F, 0, 0, false};
    assert_non_null(b);
    batch_make(b, 0);
    ok(chain_create(&c, m.ctx, m.graph, m.images, m.logits, m.loss, 4));
    chain_load(c, m.weights.params, NULL);
    b->label[2] = CLASSES;
    assert_int_equal(chain_step(c, b->row, b->label, 4, &sgd, &loss), ASSAY_E_INVALID);
    b->label[2] = -1;
    assert_int_equal(chain_step(c, b->row, b->label, 4, &sgd, &loss), ASSAY_E_INVALID);
    assert_int_equal(chain_step(c, b->row, b->label, 2, &sgd, &loss), ASSAY_OK);
    chain_destroy(c);
    free(b);
    mlp_free(&m);
}

static void other_graphs_are_refused(void **state) {
    (void)state;
    layer_chain *c;
    net t;
    net_open_as(&t, 1, false);
    assert_false(chain_fits(t.graph, t.images, t.logits, t.loss));
    assert_int_equal(chain_create(&c, t.ctx, t.graph, t.images, t.logits, t.loss, BATCH),
                     ASSAY_E_INVALID);
    assert_null(c);
    net_close(&t);
    mlp m = mlp_make((const int[]){8, 0}, 0, false);
    assert_true(chain_fits(m.graph, m.images, m.logits, m.loss));
    assert_false(chain_fits(m.graph, m.labels, m.logits, m.loss));
    assert_false(chain_fits(m.graph, m.images, m.images, m.loss));
    assert_false(chain_fits(m.graph, m.images, m.logits, m.logits));
    assert_false(chain_fits(m.graph, m.images, m.logits, -1));
    nn_value more; /* something else is trained */
    ok(nn_graph_param(m.graph, "more", (nn_shape){1, {3}}, NN_INIT_ZERO, true, &more));
    assert_false(chain_fits(m.graph, m.images, m.logits, m.loss));
    mlp_free(&m);
    m = mlp_make((const int[]){4000, 4000, 0}, 0, false); /* no cache holds that */
    assert_false(chain_fits(m.graph, m.images, m.logits, m.loss));
    mlp_free(&m);
}

/* ---- products ---- */

static float *numbers(rng *r, size_t n) {
    float *p = malloc((n + 1) * sizeof *p);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        p[i] = (float)rng_normal(r);
    return p;
}

static void check(const chain_kernels *v, size_t n, size_t k, size_t wide, bool ahead) {
    rng r = rng_at(6, RNG_TEST, 0, n * 100000 + k * 100 + wide);
    const chain_sgd s = {0.1F, 0.9F, 0.01F, ahead};
    float *x = numbers(&r, n * k), *w = numbers(&r, k * wide), *y = numbers(&r, n * wide);
    float *d = numbers(&r, n * wide), *vel = numbers(&r, k * wide);
    const float **row = malloc(n * sizeof *row);
    assert_non_null(row);
    for (size_t i = 0; i < n; i++)
        row[i] = x + (n - 1 - i) * k;
    v->product(y, row, n, w, k, wide);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < wide; j++) {
            float all = 0;
            for (size_t from = 0; from < k; from += GEMM_DEPTH) {
                float sum = 0;
                for (size_t p = from; p < k && p < from + GEMM_DEPTH; p++)
                    sum = fmaf(row[i][p], w[p * wide + j], sum);
                all = from ? all + sum : sum;
            }
            assert_true(y[i * wide + j] == all);
        }
    float *want_w = malloc(2 * k * wide * sizeof *want_w), *want_v = want_w + k * wide;
    assert_non_null(want_w);
    memcpy(want_w, w, k * wide * sizeof *w);
    memcpy(want_v, vel, k * wide * sizeof *w);
    for (size_t p = 0; p < k; p++)
        for (size_t j = 0; j < wide; j++) {
            float g = 0;
            for (size_t i = 0; i < n; i++)
                g = fmaf(row[i][p], d[i * wide + j], g);
            simd_for(CPU_NONE)->f32_sgd(want_w + p * wide + j, want_v + p * wide + j, &g,
                                        1, s.rate, s.momentum, s.decay, s.nesterov);
        }
    v->update(w, vel, row, n, d, k, wide, &s);
    assert_memory_equal(w, want_w, k * wide * sizeof *w);
    assert_memory_equal(vel, want_v, k * wide * sizeof *w);
    free(x);
    free(w);
    free(y);
    free(d);
    free(vel);
    free(row);
    free(want_w);
}

static void every_shape(const chain_kernels *v) {
    for (size_t n = 1; n < 28; n += n < 14 ? 1 : 5)
        for (size_t wide = 16; wide <= 64; wide += 16)
            check(v, n, n * 5 % 37 + 1, wide, n % 2);
    check(v, 50, 300, 32, false);
}

static void products_are_exact(void **state) {
    (void)state;
    every_shape(&chain_kernels_c);
#if defined(__x86_64__)
    if (cpu_detect() >= CPU_AVX2)
        every_shape(&chain_kernels_avx2);
    if (cpu_detect() >= CPU_AVX512)
        every_shape(&chain_kernels_avx512);
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_the_executors),
        cmocka_unit_test(labels_are_looked_at),
        cmocka_unit_test(other_graphs_are_refused),
        cmocka_unit_test(products_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The executor on a small network with everything in it that a chain lacks: a value used
 * twice, odd sizes, fused passes. The float64 reference is the
 * yardstick; it is itself held against differences. */
#include "base/cpu.h"
#include "nn/onednn.h"
#include "nn/testing_net.h"

#include "base/pool.h"

#include <math.h>

static void net_open(net *t, int threads) {
    net_open_as(t, threads, false);
}

static nn_exec *
exec_of(net *t, nn_mode mode, nn_value target, const nn_value *keep, int n_keep) {
    nn_exec *e;
    nn_exec_options o = {
        .mode = mode, .batch = BATCH, .keep = keep, .n_keep = n_keep, .target = target};
    ok(nn_exec_create(&e, t->ctx, t->graph, &t->weights, &o));
    return e;
}

static void forward(const net *t, nn_exec *e, int n) {
    memcpy(nn_exec_input(e, t->images), t->image, (size_t)n * C * H * W * sizeof(float));
    if (nn_exec_input(e, t->labels))
        memcpy(nn_exec_input(e, t->labels), t->label, (size_t)n * sizeof(int32_t));
    ok(nn_exec_forward(e, n));
}

static const float seed[BATCH] = {0.5f, -1.0f, 2.0f, 0.25f, 1.0f, -0.75f};

/* A flat gradient against the float64 reference's. */
static void
check_gradient(const net *t, const float *grad, bool training, nn_value target, int n) {
    nn_reference *r = reference_of(t, training ? NN_TRAIN : NN_EVAL, n);
    double from[BATCH];
    for (int i = 0; i < BATCH; i++)
        from[i] = (double)seed[i];
    nn_reference_forward(r, target);
    ok(nn_reference_backward(r, target, from));
    for (size_t i = 0; i < t->graph->n_params; i++) {
        nn_param_info p = nn_graph_param_at(t->graph, i);
        const double *want = nn_reference_grad(r, t->graph->param[i]);
        assert_non_null(want);
        for (size_t k = 0; k < p.count; k++)
            if (!(fabs(want[k] - (double)grad[p.offset + k]) <=
                  1e-4 * (1 + fabs(want[k]))))
                fail_msg("%s[%zu]: %.9g, the reference says %.9g", p.name, k,
                         (double)grad[p.offset + k], want[k]);
    }
    nn_reference_destroy(r);
}

static void gradient_of_the_batch(void **state) {
    (void)state;
    net t;
    net_open(&t, 1);
    nn_weights before;
    ok(nn_weights_create(&before, t.ctx, t.graph, 3));
    size_t floats = nn_graph_buffer_floats(t.graph);
    memcpy(before.buffers, t.weights.buffers, floats * sizeof(float));
    nn_exec *e = exec_of(&t, NN_TRAIN, t.loss, NULL, 0);
    for (int n = BATCH; n >= 1; n -= 5) {
        forward(&t, e, n);
        ok(nn_exec_backward(e, seed));
        check_gradient(&t, nn_exec_grads(e), true, t.loss, n);
    }
    assert_true(memcmp(before.buffers, t.weights.buffers, floats * sizeof(float)) != 0);
    assert_true(nn_exec_arena_bytes(e) < nn_exec_unshared_bytes(e));
    nn_exec_destroy(e);
    nn_weights_destroy(&before, t.ctx);
    net_close(&t);
}

static double objective_of(nn_reference *r, nn_value target) {
    double sum = 0;
    nn_reference_forward(r, target);
    for (int i = 0; i < BATCH; i++)
        sum += (double)seed[i] * nn_reference_value(r, target)[i];
    return sum;
}

static void reference_agrees_with_differences(void **state) {
    (void)state;
    net t;
    net_open(&t, 1);
    nn_reference *r = reference_of(&t, NN_TRAIN, BATCH);
    double from[BATCH];
    for (int i = 0; i < BATCH; i++)
        from[i] = (double)seed[i];
    nn_reference_forward(r, t.loss);
    for (int twice = 0; twice < 2; twice++)
        ok(nn_reference_backward(r, t.loss, from));
    for (size_t v = 0; v < t.graph->n_values; v++) {
        const double *grad = nn_reference_grad(r, (nn_value)v);
        size_t count = nn_reference_count(r, (nn_value)v);
        bool given = t.graph->value[v].kind != NN_KIND_ACTIVATION;
        for (size_t k = 0; given && grad && k < count; k += count / 16 + 1) {
            double *x = nn_reference_value(r, (nn_value)v) + k, at = *x, h = 1e-6;
            *x = at + h;
            double up = objective_of(r, t.loss);
            *x = at - h;
            double down = objective_of(r, t.loss), slope = (up - down) / (2 * h);
            *x = at;
            assert_true(fabs(slope - grad[k]) <= 1e-6 * (1 + fabs(slope)));
        }
    }
    assert_null(nn_reference_value(r, -1));
    nn_reference_destroy(r);
    assert_int_equal(nn_reference_create(&r, t.ctx, t.graph, &t.weights, NN_TRAIN, 0),
                     ASSAY_E_INVALID);
    assert_null(r);
    net_close(&t);
}

static void gradients_of_examples(void **state) {
    (void)state;
    net t;
    net_open(&t, 1);
    nn_exec *e = exec_of(&t, NN_CAPTURE, t.margin, NULL, 0);
    size_t count = nn_graph_param_floats(t.graph), seen = 0;
    float *sum = calloc(count, sizeof *sum), *one = calloc(count, sizeof *one);
    forward(&t, e, 5);
    ok(nn_exec_backward(e, seed));
    assert_int_equal(nn_exec_factor_count(e), 5);
    for (int k = 0; k < nn_exec_factor_count(e); k++) {
        nn_factor f = nn_exec_factor(e, k);
        float *scratch = calloc(nn_factor_scratch(&f), sizeof *scratch);
        assert_int_equal(f.n, 5);
        for (int i = 0; i < f.n; i++) {
            nn_factor_gradient(&f, i, one, scratch);
            for (size_t j = 0; j < f.weight_count; j++)
                sum[f.weight_offset + j] += one[j];
            for (size_t j = 0; j < f.bias_count; j++)
                sum[f.bias_offset + j] += one[f.weight_count + j];
        }
        seen += f.weight_count + f.bias_count;
        free(scratch);
    }
    assert_int_equal(seen, count);
    check_gradient(&t, sum, false, t.margin, 5);
    free(sum);
    free(one);
    nn_exec_destroy(e);
    net_close(&t);
}

/* Keeping every value forbids all fusing; the forward pass must give the same bits. */
static void fused_passes_change_nothing(void **state) {
    (void)state;
    net t;
    net_open(&t, 1);
    nn_value keep[64];
    int n_keep = 0;
    for (size_t v = 0; v < t.graph->n_values; v++)
        if (t.graph->value[v].kind == NN_KIND_ACTIVATION)
            keep[n_keep++] = (nn_value)v;
    for (int mode = NN_TRAIN; mode <= NN_CAPTURE; mode++) {
        nn_value last[] = {t.logits, t.pooled};
        nn_exec *apart = exec_of(&t, (nn_mode)mode, t.loss, keep, n_keep);
        nn_exec *fused = exec_of(&t, (nn_mode)mode, t.loss, last, 2);
        forward(&t, apart, BATCH);
        forward(&t, fused, BATCH);
        assert_memory_equal(nn_exec_value(apart, t.logits),
                            nn_exec_value(fused, t.logits), BATCH * K * sizeof(float));
        assert_memory_equal(nn_exec_value(apart, t.pooled),
                            nn_exec_value(fused, t.pooled),
                            BATCH * 5 * 4 * 5 * sizeof(float));
        if (mode == NN_TRAIN) {
            ok(nn_exec_backward(apart, seed));
            ok(nn_exec_backward(fused, seed));
            const float *a = nn_exec_grads(apart), *b = nn_exec_grads(fused);
            for (size_t k = 0; k < nn_graph_param_floats(t.graph); k++)
                assert_true(fabsf(a[k] - b[k]) <= 1e-4f * (1 + fabsf(a[k])));
        }
        assert_null(nn_exec_value(fused, t.features));
        nn_exec_destroy(apart);
        nn_exec_destroy(fused);
    }
    net_close(&t);
}

/* Steps of a full batch and of the same smaller one, in one shard and in several. */
static void steady_state_allocates_nothing(void **state) {
    (void)state;
    net t;
    net_open(&t, 2);
    for (int form = 0; form < 4; form++) {
        nn_exec *e;
        nn_exec_options o = {.mode = NN_TRAIN,
                             .batch = BATCH,
                             .target = t.loss,
                             .dtype = form / 2 ? ASSAY_BF16 : ASSAY_F32,
                             .shards = form % 2 ? 2 : 1,
                             .threads = form % 2 ? 2 : 1};
        assay_status made = nn_exec_create(&e, t.ctx, t.graph, &t.weights, &o);
        if (form >= 2 && made == ASSAY_E_UNSUPPORTED) {
            print_message("no bf16 here: skipped\n");
            break;
        }
        ok(made);
        uint64_t allocations = 0, primitives = 0;
        for (int step = 0; step < 8; step++) {
            forward(&t, e, step % 2 ? BATCH - 2 : BATCH);
            ok(nn_exec_backward(e, seed));
            if (step == 1) {
                allocations = mem_alloc_count(t.ctx);
                primitives = nn_exec_primitives(e);
            }
        }
        assert_true(mem_alloc_count(t.ctx) == allocations);
        assert_true(nn_exec_primitives(e) == primitives && primitives > 0);
        nn_exec_destroy(e);
    }
    net_close(&t);
}

/* Rounding operands and images to bf16 turns the gradient by little. */
static void bf16_is_near_f32(void **state) {
    (void)state;
    for (int chain = 0; chain < 2; chain++) {
        net t;
        net_open_as(&t, 1, chain);
        size_t count = nn_graph_param_floats(t.graph), arena[2] = {0};
        float *grad[2] = {0}, loss[2][BATCH];
        for (int half = 0; half < 2; half++) {
            nn_exec *e;
            nn_exec_options o = {.mode = NN_TRAIN,
                                 .batch = BATCH,
                                 .target = t.loss,
                                 .dtype = half ? ASSAY_BF16 : ASSAY_F32};
            assay_status made = nn_exec_create(&e, t.ctx, t.graph, &t.weights, &o);
            if (half && made == ASSAY_E_UNSUPPORTED) {
                print_message("no bf16 here: skipped\n");
                break;
            }
            ok(made);
            forward(&t, e, BATCH);
            memcpy(loss[half], nn_exec_value(e, t.loss), sizeof loss[half]);
            ok(nn_exec_backward(e, seed));
            grad[half] = calloc(count, sizeof(float));
            memcpy(grad[half], nn_exec_grads(e), count * sizeof(float));
            arena[half] = nn_exec_arena_bytes(e);
            nn_exec_destroy(e);
        }
        double dot = 0, a = 0, b = 0;
        for (size_t k = 0; grad[1] && k < count; k++) {
            dot += (double)grad[0][k] * (double)grad[1][k];
            a += (double)grad[0][k] * (double)grad[0][k];
            b += (double)grad[1][k] * (double)grad[1][k];
        }
        for (int i = 0; grad[1] && i < BATCH; i++)
            assert_true(fabsf(loss[0][i] - loss[1][i]) <= 0.05f * (1 + loss[0][i]));
        if (grad[1]) {
            assert_true(dot >= 0.99 * sqrt(a * b) && fabs(sqrt(b / a) - 1) < 0.1);
            assert_true(arena[0] != arena[1]);
        }
        free(grad[0]);
        free(grad[1]);
        net_close(&t);
    }
}

typedef struct fleet {
    net *t;
    float *result; /* [models][params] */
    size_t count;
} fleet;

/* Three training steps of plain descent from its own seed. */
static assay_status train_one(void *arg, int worker, size_t begin, size_t end) {
    (void)worker;
    const fleet *f = arg;
    assay_status status = ASSAY_OK;
    for (size_t i = begin; i < end; i++) {
        nn_weights w = {0};
        nn_exec *e = NULL;
        nn_exec_options o = {.mode = NN_TRAIN, .batch = BATCH, .target = f->t->loss};
        ASSAY_TRY(nn_weights_create(&w, f->t->ctx, f->t->graph, i));
        ASSAY_TRY(nn_exec_create(&e, f->t->ctx, f->t->graph, &w, &o));
        for (int step = 0; step < 3; step++) {
            forward(f->t, e, BATCH);
            ASSAY_TRY(nn_exec_backward(e, seed));
            for (size_t k = 0; k < f->count; k++)
                w.params[k] -= 0.01f * nn_exec_grads(e)[k];
        }
        memcpy(f->result + i * f->count, w.params, f->count * sizeof(float));
        nn_exec_destroy(e);
        nn_weights_destroy(&w, f->t->ctx);
    }
done:
    return status;
}

static void executors_side_by_side_agree(void **state) {
    (void)state;
    enum { MODELS = 6 };
    float *result[2];
    size_t count = 0;
    for (int threads = 1; threads <= 2; threads++) {
        net t;
        net_open(&t, threads);
        count = nn_graph_param_floats(t.graph);
        float *to = calloc(MODELS * count, sizeof *to);
        assert_non_null(to);
        result[threads - 1] = to;
        fleet f = {&t, to, count};
        ok(assay_parallel_for(t.ctx, MODELS, 1, train_one, &f));
        net_close(&t);
    }
    assert_memory_equal(result[0], result[1], MODELS * count * sizeof(float));
    free(result[0]);
    free(result[1]);
}

static void running_statistics_move_as_pytorchs(void **state) {
    (void)state;
    assay_ctx *ctx;
    assay_ctx_options co = ASSAY_CTX_OPTIONS_INIT;
    ok(assay_ctx_create(&ctx, &co));
    nn_graph *g;
    nn_value x, v[5], y;
    nn_weights w;
    nn_exec *e;
    ok(nn_graph_create(&g, ctx));
    ok(nn_graph_input(g, "x", ASSAY_F32, (nn_shape){2, {0, 1}}, &x));
    v[0] = x;
    ok(nn_graph_param(g, "s", (nn_shape){1, {1}}, NN_INIT_ONE, false, &v[1]));
    ok(nn_graph_param(g, "b", (nn_shape){1, {1}}, NN_INIT_ZERO, false, &v[2]));
    ok(nn_graph_buffer(g, "m", (nn_shape){1, {1}}, NN_INIT_ZERO, &v[3]));
    ok(nn_graph_buffer(g, "v", (nn_shape){1, {1}}, NN_INIT_ONE, &v[4]));
    y = op(g, "batch_norm", v, 5, NULL, 0, 0);
    ok(nn_weights_create(&w, ctx, g, 0));
    nn_exec_options o = {
        .mode = NN_TRAIN, .batch = 4, .keep = &y, .n_keep = 1, .target = -1};
    ok(nn_exec_create(&e, ctx, g, &w, &o));
    memcpy(nn_exec_input(e, x), (float[]){1, 2, 3, 6}, 4 * sizeof(float));
    ok(nn_exec_forward(e, 4));
    /* mean 3, unbiased variance 14/3: running = 0.9 old + 0.1 new */
    assert_true(fabsf(w.buffers[0] - 0.3f) < 1e-6f);
    assert_true(fabsf(w.buffers[1] - (0.9f + 1.4f / 3)) < 1e-6f);
    assert_true(fabsf(nn_exec_value(e, y)[3] - 3 / sqrtf(3.5f + 1e-5f)) < 1e-5f);
    nn_exec_destroy(e);
    nn_weights_destroy(&w, ctx);
    nn_graph_destroy(g);
    assay_ctx_destroy(ctx);
}

static void input_gradients_are_there(void **state) {
    (void)state;
    net t;
    net_open(&t, 1);
    nn_exec *e = exec_of(&t, NN_CAPTURE, t.loss, &t.images, 1);
    forward(&t, e, BATCH);
    ok(nn_exec_backward(e, seed));
    const float *got = nn_exec_input_grad(e, t.images);
    assert_non_null(got);
    nn_reference *r = reference_of(&t, NN_CAPTURE, BATCH);
    double from[BATCH];
    for (int i = 0; i < BATCH; i++)
        from[i] = (double)seed[i];
    nn_reference_forward(r, t.loss);
    ok(nn_reference_backward(r, t.loss, from));
    assert_null(nn_reference_grad(r, t.labels));
    assert_null(nn_reference_grad(r, t.margin));
    const double *want = nn_reference_grad(r, t.images);
    for (size_t k = 0; k < BATCH * C * H * W; k++)
        assert_true(fabs(want[k] - (double)got[k]) <= 1e-4 * (1 + fabs(want[k])));
    nn_reference_destroy(r);
    nn_exec_destroy(e);
    net_close(&t);
}

static void wrong_use_is_refused(void **state) {
    (void)state;
    net t;
    net_open(&t, 1);
    nn_graph *g = t.graph;
    nn_value v, in[] = {t.images, t.logits};
    nn_attr typo = {.name = "strid", .i = {1}, .count = 1};
    assert_int_equal(nn_graph_op(g, "conv3d", in, 1, NULL, 0, &v), ASSAY_E_NOTFOUND);
    assert_int_equal(v, -1);
    assert_int_equal(nn_graph_op(g, "relu", in, 2, NULL, 0, &v), ASSAY_E_INVALID);
    assert_int_equal(nn_graph_op(g, "relu", in, 1, &typo, 1, &v), ASSAY_E_INVALID);
    assert_int_equal(nn_graph_op(g, "add", in, 2, NULL, 0, &v), ASSAY_E_SHAPE);
    assert_non_null(strstr(assay_last_error()->message, "[N,4]"));
    assert_int_equal(nn_graph_op(g, "conv2d", in, 2, NULL, 0, &v), ASSAY_E_SHAPE);
    assert_int_equal(nn_graph_op(g, "max_pool", in, 1, NULL, 0, &v), ASSAY_E_INVALID);
    nn_attr wide = {.name = "kernel", .i = {40}, .count = 1};
    assert_int_equal(nn_graph_op(g, "max_pool", in, 1, &wide, 1, &v), ASSAY_E_SHAPE);
    assert_int_equal(nn_graph_op(g, "margin", in, 2, NULL, 0, &v), ASSAY_E_SHAPE);
    assert_int_equal(nn_graph_name(g, t.loss, "logits"), ASSAY_E_INVALID);
    assert_int_equal(
        nn_graph_param(g, "fc.bias", (nn_shape){1, {1}}, NN_INIT_ZERO, false, &v),
        ASSAY_E_INVALID);
    assert_int_equal(
        nn_graph_param(g, "empty", (nn_shape){2, {3, 0}}, NN_INIT_ZERO, false, &v),
        ASSAY_E_SHAPE);
    assert_int_equal(nn_graph_input(g, "empty", ASSAY_F32, (nn_shape){2, {3, 0}}, &v),
                     ASSAY_E_SHAPE);
    assert_int_equal(nn_graph_find(g, "logits"), t.logits);
    assert_true(nn_graph_find(g, "nothing") < 0);

    nn_exec *e = NULL;
    nn_exec_options o = {.mode = NN_EVAL, .batch = 0, .target = t.loss};
    assert_int_equal(nn_exec_create(&e, t.ctx, g, &t.weights, &o), ASSAY_E_INVALID);
    assert_null(e);
    o.batch = BATCH;
    o.target = t.images;
    assert_int_equal(nn_exec_create(&e, t.ctx, g, &t.weights, &o), ASSAY_E_INVALID);
    o.target = t.loss;
    ok(nn_exec_create(&e, t.ctx, g, &t.weights, &o));
    assert_int_equal(nn_exec_forward(e, BATCH + 1), ASSAY_E_INVALID);
    forward(&t, e, BATCH);
    assert_int_equal(nn_exec_backward(e, seed), ASSAY_E_INVALID);
    ((int32_t *)nn_exec_input(e, t.labels))[1] = K;
    assert_int_equal(nn_exec_forward(e, BATCH), ASSAY_E_INVALID);
    nn_exec_destroy(e);
    e = exec_of(&t, NN_TRAIN, t.loss, NULL, 0);
    assert_int_equal(nn_exec_backward(e, seed), ASSAY_E_INVALID);
    forward(&t, e, BATCH);
    ok(nn_exec_backward(e, seed));
    assert_int_equal(nn_exec_backward(e, seed), ASSAY_E_INVALID);
    nn_exec_destroy(e);
    net_close(&t);
}

static void weights_follow_their_seed(void **state) {
    (void)state;
    net t;
    net_open(&t, 1);
    nn_weights a, b;
    ok(nn_weights_create(&a, t.ctx, t.graph, 11));
    ok(nn_weights_create(&b, t.ctx, t.graph, 11));
    size_t n = nn_graph_param_floats(t.graph);
    assert_memory_equal(a.params, b.params, n * sizeof(float));
    nn_weights_destroy(&b, t.ctx);
    ok(nn_weights_create(&b, t.ctx, t.graph, 12));
    assert_true(memcmp(a.params, b.params, n * sizeof(float)) != 0);
    nn_param_info fc = nn_graph_param_at(t.graph, nn_graph_param_count(t.graph) - 2);
    assert_string_equal(fc.name, "fc.weight");
    for (size_t k = 0; k < fc.count; k++)
        assert_true(fabsf(a.params[fc.offset + k]) <= 1 / sqrtf(5));
    nn_weights_destroy(&a, t.ctx);
    nn_weights_destroy(&b, t.ctx);
    net_close(&t);
}

/* oneDNN may use what we may use: every set from AVX-512 on is one it is not held back
 * from. */
static void library_keeps_pace(void **unused) {
    (void)unused;
    assay_ctx *ctx = NULL;
    dn_engine *e = NULL;
    assert_int_equal(assay_ctx_create(&ctx, NULL), ASSAY_OK);
    assert_int_equal(dn_engine_create(&e, ctx), ASSAY_OK);
    assert_int_equal(dn_bf16_runs(), cpu_isa_used() >= CPU_AVX512);
    dn_engine_destroy(e);
    assay_ctx_destroy(ctx);
}

/* A table that is read at a constant: its gradient is the batch's, no example's. */
static void what_all_share_is_not_captured(void **unused) {
    (void)unused;
    enum { WIDTH = 5, THREE = 3 };
    const int32_t first = 0;
    const nn_shape table = {2, {2, WIDTH}}, one = {1, {1}}, rows = {2, {0, WIDTH}};
    assay_ctx *ctx;
    nn_graph *g;
    nn_weights w;
    nn_exec *e;
    nn_value x, in[2], v, sum;
    assert_int_equal(assay_ctx_create(&ctx, NULL), ASSAY_OK);
    assert_int_equal(nn_graph_create(&g, ctx), ASSAY_OK);
    assert_int_equal(nn_graph_input(g, "x", ASSAY_F32, rows, &x), ASSAY_OK);
    assert_int_equal(nn_graph_constant(g, "c", ASSAY_I32, one, &first, &in[0]), ASSAY_OK);
    assert_int_equal(nn_graph_param(g, "t", table, NN_INIT_NORMAL_SMALL, true, &in[1]),
                     ASSAY_OK);
    assert_int_equal(nn_graph_op(g, "embedding", in, 2, NULL, 0, &v), ASSAY_OK);
    const nn_value both[] = {x, v};
    assert_int_equal(nn_graph_op(g, "add", both, 2, NULL, 0, &sum), ASSAY_OK);
    assert_int_equal(nn_weights_create(&w, ctx, g, 1), ASSAY_OK);
    for (int batch = 1; batch <= THREE; batch += THREE - 1) {
        nn_exec_options o = {
            .mode = NN_CAPTURE, .batch = batch, .target = sum, .dtype = ASSAY_F32};
        assert_int_equal(nn_exec_create(&e, ctx, g, &w, &o), ASSAY_E_UNSUPPORTED);
        assert_null(e);
        o.mode = NN_TRAIN;
        assert_int_equal(nn_exec_create(&e, ctx, g, &w, &o), ASSAY_OK);
        nn_exec_destroy(e);
    }
    nn_weights_destroy(&w, ctx);
    nn_graph_destroy(g);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradient_of_the_batch),
        cmocka_unit_test(reference_agrees_with_differences),
        cmocka_unit_test(gradients_of_examples),
        cmocka_unit_test(fused_passes_change_nothing),
        cmocka_unit_test(steady_state_allocates_nothing),
        cmocka_unit_test(bf16_is_near_f32),
        cmocka_unit_test(executors_side_by_side_agree),
        cmocka_unit_test(running_statistics_move_as_pytorchs),
        cmocka_unit_test(input_gradients_are_there),
        cmocka_unit_test(wrong_use_is_refused),
        cmocka_unit_test(what_all_share_is_not_captured),
        cmocka_unit_test(weights_follow_their_seed),
        cmocka_unit_test(library_keeps_pace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

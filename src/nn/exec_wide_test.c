/* Executors of several shards: the same bits at any number of threads, the whole batch's
 * statistics, errors that do not depend on who met them first. */
#include "nn/onednn.h"
#include "nn/testing_net.h"

#include <math.h>

enum { MAX_FLOATS = 4096 };

/* What a run leaves behind. */
typedef struct outcome {
    size_t n;
    float x[MAX_FLOATS];
} outcome;

static void take(outcome *o, const float *x, size_t n) {
    assert_true(o->n + n <= MAX_FLOATS);
    memcpy(o->x + o->n, x, n * sizeof *x);
    o->n += n;
}

static const float seed[BATCH] = {0.5f, -1.0f, 2.0f, 0.25f, 1.0f, -0.75f};

static void feed(const net *t, nn_exec *e, int n) {
    memcpy(nn_exec_input(e, t->images), t->image, (size_t)n * C * H * W * sizeof(float));
    memcpy(nn_exec_input(e, t->labels), t->label, (size_t)n * sizeof(int32_t));
}

static const int sizes[] = {6, 5, 3, 1, 6};

/* Training steps of several sizes. */
static bool train(outcome *o, int threads, int shards, assay_dtype dtype, bool chain) {
    net t;
    net_open_as(&t, threads, chain);
    nn_exec *e;
    const nn_value keep[] = {t.images, t.logits, t.pooled};
    nn_exec_options options = {.mode = NN_TRAIN,
                               .batch = BATCH,
                               .keep = keep,
                               .n_keep = 3,
                               .target = t.loss,
                               .dtype = dtype,
                               .shards = shards,
                               .threads = threads};
    assay_status made = nn_exec_create(&e, t.ctx, t.graph, &t.weights, &options);
    o->n = 0;
    for (size_t i = 0; made == ASSAY_OK && i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = (size_t)sizes[i], params = nn_graph_param_floats(t.graph);
        feed(&t, e, sizes[i]);
        ok(nn_exec_forward(e, sizes[i]));
        ok(nn_exec_backward(e, seed));
        take(o, nn_exec_value(e, t.logits), n * K);
        take(o, nn_exec_value(e, t.loss), n);
        take(o, nn_exec_input_grad(e, t.images), n * 17);
        for (size_t k = 0; k < params; k++)
            t.weights.params[k] -= 0.01f * nn_exec_grads(e)[k];
        take(o, t.weights.params, params);
        take(o, t.weights.buffers, nn_graph_buffer_floats(t.graph));
    }
    nn_exec_destroy(made == ASSAY_OK ? e : NULL);
    net_close(&t);
    if (made != ASSAY_OK)
        print_message("no bf16 here: skipped\n");
    return made == ASSAY_OK;
}

static void any_number_of_threads(void **state) {
    (void)state;
    static outcome one, more;
    for (int form = 0; form < 4; form++)
        for (int shards = 2; shards <= 6; shards++) {
            assay_dtype dtype = form & 1 ? ASSAY_BF16 : ASSAY_F32;
            if (!train(&one, 1, shards, dtype, form & 2))
                return;
            for (int threads = 2; threads <= 3; threads++) {
                assert_true(train(&more, threads, shards, dtype, form & 2));
                assert_int_equal(one.n, more.n);
                assert_memory_equal(one.x, more.x, one.n * sizeof *one.x);
            }
        }
}

/* Another number of shards adds up in another order, no more. */
static void shards_agree_with_one(void **state) {
    (void)state;
    static outcome one, more;
    assert_true(train(&one, 1, 1, ASSAY_F32, false));
    for (int shards = 2; shards <= 6; shards++) {
        assert_true(train(&more, 1, shards, ASSAY_F32, false));
        assert_int_equal(one.n, more.n);
        assert_true(memcmp(one.x, more.x, one.n * sizeof *one.x) != 0);
        for (size_t k = 0; k < one.n; k++)
            assert_true(fabsf(one.x[k] - more.x[k]) <= 2e-4f * (1 + fabsf(one.x[k])));
    }
}

static void gradients_are_the_references(void **state) {
    (void)state;
    net t;
    net_open_as(&t, 2, false);
    for (int n = BATCH; n > 0; n -= 2) {
        nn_exec *e;
        nn_exec_options options = {.mode = NN_TRAIN,
                                   .batch = BATCH,
                                   .keep = &t.images,
                                   .n_keep = 1,
                                   .target = t.loss,
                                   .shards = 3,
                                   .threads = 2};
        ok(nn_exec_create(&e, t.ctx, t.graph, &t.weights, &options));
        feed(&t, e, n);
        ok(nn_exec_forward(e, n));
        ok(nn_exec_backward(e, seed));
        nn_reference *r = reference_of(&t, NN_TRAIN, n);
        double from[BATCH];
        for (int i = 0; i < n; i++)
            from[i] = (double)seed[i];
        nn_reference_forward(r, t.loss);
        ok(nn_reference_backward(r, t.loss, from));
        for (size_t i = 0; i < t.graph->n_params; i++) {
            nn_param_info p = nn_graph_param_at(t.graph, i);
            const double *want = nn_reference_grad(r, t.graph->param[i]);
            for (size_t k = 0; k < p.count; k++)
                assert_true(fabs(want[k] - (double)nn_exec_grads(e)[p.offset + k]) <=
                            1e-4 * (1 + fabs(want[k])));
        }
        const double *want = nn_reference_grad(r, t.images);
        for (size_t k = 0; k < (size_t)n * C * H * W; k++)
            assert_true(fabs(want[k] - (double)nn_exec_input_grad(e, t.images)[k]) <=
                        1e-4 * (1 + fabs(want[k])));
        nn_reference_destroy(r);
        nn_exec_destroy(e);
    }
    net_close(&t);
}

/* Of two shards that fail, the first is heard, whoever was earlier; then all goes on. */
static void errors_are_the_first_shards(void **state) {
    (void)state;
    for (int threads = 1; threads <= 3; threads++) {
        net t;
        net_open_as(&t, threads, false);
        nn_exec *e;
        nn_exec_options options = {.mode = NN_TRAIN,
                                   .batch = BATCH,
                                   .target = t.loss,
                                   .shards = 6,
                                   .threads = threads};
        ok(nn_exec_create(&e, t.ctx, t.graph, &t.weights, &options));
        for (int round = 0; round < 20; round++) {
            feed(&t, e, BATCH);
            int32_t *label = nn_exec_input(e, t.labels);
            label[2] = K + 2;
            label[4] = K + 4;
            assert_int_equal(nn_exec_forward(e, BATCH), ASSAY_E_INVALID);
            char text[16];
            snprintf(text, sizeof text, "%d", K + 2);
            assert_non_null(strstr(assay_last_error()->message, text));
            assert_int_equal(nn_exec_backward(e, seed), ASSAY_E_INVALID);
            feed(&t, e, BATCH);
            ok(nn_exec_forward(e, BATCH));
            ok(nn_exec_backward(e, seed));
        }
        nn_exec_destroy(e);
        net_close(&t);
    }
}

/* Dropout's bits are an example's own, wherever it is computed. */
static void draws_do_not_depend_on_shards(void **state) {
    (void)state;
    enum { N = 9, EACH = 70 };
    assay_ctx *ctx;
    nn_graph *g;
    nn_value x, y;
    nn_weights w;
    static float got[5][N * EACH];
    ok(assay_ctx_create(&ctx, NULL));
    ok(nn_graph_create(&g, ctx));
    ok(nn_graph_input(g, "x", ASSAY_F32, (nn_shape){2, {0, EACH}}, &x));
    y = op(g, "dropout", &x, 1, NULL, 0, 0);
    ok(nn_weights_create(&w, ctx, g, 0));
    for (int run = 0; run < 5; run++) {
        nn_exec *e;
        nn_exec_options o = {.mode = NN_TRAIN,
                             .batch = N,
                             .keep = &y,
                             .n_keep = 1,
                             .target = -1,
                             .shards = run == 1 ? 4 : 1,
                             .seed = run == 2 ? 8 : 7};
        ok(nn_exec_create(&e, ctx, g, &w, &o));
        for (int i = 0; i < N * EACH; i++)
            ((float *)nn_exec_input(e, x))[i] = 1;
        nn_exec_set_step(e, run >= 3 ? 5 : 4);
        ok(nn_exec_forward(e, N));
        memcpy(got[run], nn_exec_value(e, y), sizeof got[run]);
        nn_exec_destroy(e);
    }
    assert_memory_equal(got[0], got[1], sizeof *got);
    assert_memory_equal(got[3], got[4], sizeof *got);
    assert_true(memcmp(got[0], got[2], sizeof *got) != 0);
    assert_true(memcmp(got[0], got[3], sizeof *got) != 0);
    nn_weights_destroy(&w, ctx);
    nn_graph_destroy(g);
    assay_ctx_destroy(ctx);
}

static void rows_tell_every_step(void **state) {
    (void)state;
    net t;
    net_open_as(&t, 2, false);
    nn_exec *e;
    nn_exec_options o = {.mode = NN_TRAIN,
                         .batch = BATCH,
                         .target = t.loss,
                         .shards = 3,
                         .threads = 2,
                         .profile = true};
    ok(nn_exec_create(&e, t.ctx, t.graph, &t.weights, &o));
    feed(&t, e, BATCH);
    ok(nn_exec_forward(e, BATCH));
    ok(nn_exec_backward(e, seed));
    bool fused = false;
    for (int i = 0; i < nn_exec_rows(e); i++) {
        nn_exec_row row = nn_exec_row_at(e, i);
        assert_true(row.forward_ns > 0 && row.backward_ns > 0);
        assert_memory_equal(row.op, row.name, strlen(row.op));
        fused |= strcmp(row.name, "conv2d+batch_norm+relu+max_pool") == 0;
    }
    assert_true(fused);
    nn_exec_destroy(e);
    o.shards = 17;
    assert_int_equal(nn_exec_create(&e, t.ctx, t.graph, &t.weights, &o), ASSAY_E_INVALID);
    net_close(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_threads),
        cmocka_unit_test(shards_agree_with_one),
        cmocka_unit_test(gradients_are_the_references),
        cmocka_unit_test(errors_are_the_first_shards),
        cmocka_unit_test(draws_do_not_depend_on_shards),
        cmocka_unit_test(rows_tell_every_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

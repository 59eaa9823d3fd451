/* Recomputation changes nothing but memory and time: outputs, gradients and running
 * statistics are the same to the bit, dropout draws the same. */
#include "nn/testing_net.h"

enum { STEPS = 3, DEPTH = 6, MAX_FLOATS = 8192 };

static const float seed[BATCH] = {0.5f, -1.0f, 2.0f, 0.25f, 1.0f, -0.75f};

/* Blocks with a sum around every second one, and dropout. */
static void deep_open(net *t) {
    memset(t, 0, sizeof *t);
    ok(assay_ctx_create(&t->ctx, NULL));
    ok(nn_graph_create(&t->graph, t->ctx));
    nn_graph *g = t->graph;
    nn_value v, before, w;
    ok(nn_graph_input(g, "images", ASSAY_F32, (nn_shape){4, {0, C, H, W}}, &t->images));
    ok(nn_graph_input(g, "labels", ASSAY_I32, (nn_shape){1, {0}}, &t->labels));
    v = before = conv_bn_relu(g, "in.", t->images, C, 5);
    for (int i = 0; i < DEPTH; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d.", i);
        v = conv_bn_relu(g, name, v, 5, 5);
        if (i % 2) {
            v = before = op(g, "add", (nn_value[]){v, before}, 2, NULL, 0, 0);
            v = op(g, "dropout", &v, 1, NULL, 0, 0);
        }
    }
    v = op(g, "global_avg_pool", &v, 1, NULL, 0, 0);
    ok(nn_graph_param(g, "fc", (nn_shape){2, {K, 5}}, NN_INIT_KAIMING_UNIFORM, true, &w));
    t->logits = op(g, "linear", (nn_value[]){v, w}, 2, NULL, 0, 0);
    t->loss = op(g, "cross_entropy", (nn_value[]){t->logits, t->labels}, 2, NULL, 0, 0);
    ok(nn_weights_create(&t->weights, t->ctx, g, 3));
    rng r = rng_at(5, RNG_TEST, 0, 0);
    for (size_t i = 0; i < BATCH * C * H * W; i++)
        t->image[i] = (float)rng_normal(&r);
    for (size_t i = 0; i < BATCH; i++)
        t->label[i] = (int32_t)rng_below(&r, K);
}

/* Steps from fresh weights under a limit; what they leave, and the memory they took. */
static assay_status
train(float *out, size_t *n, size_t *bytes, size_t memory, int shards) {
    net t;
    deep_open(&t);
    nn_exec *e;
    nn_exec_options o = {.mode = NN_TRAIN,
                         .batch = BATCH,
                         .keep = &t.logits,
                         .n_keep = 1,
                         .target = t.loss,
                         .memory = memory,
                         .shards = shards};
    assay_status status = nn_exec_create(&e, t.ctx, t.graph, &t.weights, &o);
    size_t params = nn_graph_param_floats(t.graph), at = 0;
    for (int step = 0; status == ASSAY_OK && step < STEPS; step++) {
        int batch = step == 1 ? BATCH - 1 : BATCH;
        memcpy(nn_exec_input(e, t.images), t.image, sizeof t.image);
        memcpy(nn_exec_input(e, t.labels), t.label, sizeof t.label);
        nn_exec_set_step(e, (uint64_t)step);
        ok(nn_exec_forward(e, batch));
        ok(nn_exec_backward(e, seed));
        for (size_t k = 0; k < params; k++)
            t.weights.params[k] -= 0.01f * nn_exec_grads(e)[k];
        assert_true(at + (size_t)batch * K <= MAX_FLOATS);
        memcpy(out + at, nn_exec_value(e, t.logits), (size_t)batch * K * sizeof *out);
        at += (size_t)batch * K;
    }
    if (status == ASSAY_OK) {
        size_t buffers = nn_graph_buffer_floats(t.graph);
        assert_true(at + params + buffers <= MAX_FLOATS);
        memcpy(out + at, t.weights.params, params * sizeof *out);
        memcpy(out + at + params, t.weights.buffers, buffers * sizeof *out);
        *n = at + params + buffers;
        *bytes = nn_exec_arena_bytes(e);
        nn_exec_destroy(e);
    } else {
        assert_null(e);
    }
    net_close(&t);
    return status;
}

static void results_are_the_same(void **state) {
    (void)state;
    static float whole[MAX_FLOATS], again[MAX_FLOATS];
    for (int shards = 1; shards <= 3; shards += 2) {
        size_t n, m, all, bytes, before;
        ok(train(whole, &n, &all, 0, shards));
        before = all;
        int kinds = 0;
        for (int percent = 95; percent >= 20; percent -= 5) {
            size_t limit = all / 100 * (size_t)percent;
            assay_status status = train(again, &m, &bytes, limit, shards);
            if (status == ASSAY_E_NOMEM)
                break;
            ok(status);
            assert_true(bytes <= limit && bytes <= before);
            kinds += bytes < before;
            before = bytes;
            assert_int_equal(n, m);
            assert_memory_equal(whole, again, n * sizeof *whole);
        }
        assert_true(kinds >= 2);
    }
}

static void too_little_is_refused(void **state) {
    (void)state;
    static float x[MAX_FLOATS];
    size_t n, bytes;
    assert_int_equal(train(x, &n, &bytes, 1000, 1), ASSAY_E_NOMEM);
    const char *help = strstr(assay_last_error()->help, "allow ");
    assert_non_null(help);
    size_t least = (size_t)strtoull(help + 6, NULL, 10);
    ok(train(x, &n, &bytes, least, 1));
    assert_int_equal(bytes, least);
    assert_int_equal(train(x, &n, &bytes, least - 1, 1), ASSAY_E_NOMEM);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_the_same),
        cmocka_unit_test(too_little_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Tokens that do not count, and labels that are no class. */
#include "nn/exec.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { T = 3, K = 4 };

static void ok(assay_status status) {
    if (status != ASSAY_OK)
        fail_msg("%s: %s", assay_status_name(status), assay_last_error()->message);
}

typedef struct rig {
    assay_ctx *ctx;
    nn_graph *graph;
    nn_weights weights;
    nn_exec *exec;
    nn_value logits, labels, loss;
} rig;

static void open_rig(rig *r, const char *op, bool tokens) {
    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    ok(assay_ctx_create(&r->ctx, &o));
    ok(nn_graph_create(&r->graph, r->ctx));
    nn_shape z = tokens ? (nn_shape){3, {0, T, K}} : (nn_shape){2, {0, K}};
    nn_shape y = tokens ? (nn_shape){2, {0, T}} : (nn_shape){1, {0}};
    ok(nn_graph_input(r->graph, "z", ASSAY_F32, z, &r->logits));
    ok(nn_graph_input(r->graph, "y", ASSAY_I32, y, &r->labels));
    nn_value in[] = {r->logits, r->labels};
    ok(nn_graph_op(r->graph, op, in, 2, NULL, 0, &r->loss));
    ok(nn_weights_create(&r->weights, r->ctx, r->graph, 0));
    nn_exec_options e = {
        .mode = NN_TRAIN, .batch = 2, .keep = &r->logits, .n_keep = 1, .target = r->loss};
    ok(nn_exec_create(&r->exec, r->ctx, r->graph, &r->weights, &e));
    float *to = nn_exec_input(r->exec, r->logits);
    for (int i = 0; i < 2 * (tokens ? T : 1) * K; i++)
        to[i] = 0.3f * (float)(i % 5) - 0.1f * (float)i;
}

static void close_rig(rig *r) {
    nn_exec_destroy(r->exec);
    nn_weights_destroy(&r->weights, r->ctx);
    nn_graph_destroy(r->graph);
    assay_ctx_destroy(r->ctx);
}

/* The loss of one row, by the textbook. */
static double row_loss(const float *z, int y, bool margin) {
    double sum = 0;
    for (int c = 0; c < K; c++)
        sum += exp((double)z[c]);
    double p = exp((double)z[y]) / sum;
    return margin ? log(p / (1 - p)) : -log(p);
}

static void ignored_tokens_do_not_count(void **state) {
    (void)state;
    for (int margin = 0; margin < 2; margin++) {
        rig r;
        open_rig(&r, margin ? "margin" : "cross_entropy", true);
        memcpy(nn_exec_input(r.exec, r.labels), (int32_t[]){2, -1, 0, -1, -1, -1},
               2 * T * sizeof(int32_t));
        ok(nn_exec_forward(r.exec, 2));
        const float *z = nn_exec_value(r.exec, r.logits),
                    *loss = nn_exec_value(r.exec, r.loss);
        double want =
            (row_loss(z, 2, margin != 0) + row_loss(z + (size_t)2 * K, 0, margin != 0)) /
            2;
        assert_true(fabs((double)loss[0] - want) < 1e-6);
        assert_true(loss[1] == 0);
        ok(nn_exec_backward(r.exec, (float[]){1, 1}));
        const float *d = nn_exec_input_grad(r.exec, r.logits);
        for (int i = 0; i < 2 * T * K; i++)
            assert_true((d[i] != 0) == (i / K == 0 || i / K == 2));
        close_rig(&r);
    }
}

static void labels_outside_are_refused(void **state) {
    (void)state;
    static const int32_t bad[] = {-1, K, INT32_MIN, INT32_MAX};
    for (int margin = 0; margin < 2; margin++) {
        rig r;
        open_rig(&r, margin ? "margin" : "cross_entropy", false);
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            memcpy(nn_exec_input(r.exec, r.labels), (int32_t[]){0, bad[i]},
                   2 * sizeof(int32_t));
            assert_int_equal(nn_exec_forward(r.exec, 2), ASSAY_E_INVALID);
            assert_int_equal(nn_exec_forward(r.exec, 1), ASSAY_OK);
        }
        close_rig(&r);
    }
    rig r;
    open_rig(&r, "margin", true);
    memcpy(nn_exec_input(r.exec, r.labels), (int32_t[]){0, -2, 0}, T * sizeof(int32_t));
    assert_int_equal(nn_exec_forward(r.exec, 1), ASSAY_E_INVALID);
    close_rig(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ignored_tokens_do_not_count),
        cmocka_unit_test(labels_outside_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

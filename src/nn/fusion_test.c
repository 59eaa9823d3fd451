/* Every chain of nodes that runs in one pass, against the same nodes one by one and
 * against their references in float64: losses and all gradients. */
#include "nn/graph_inside.h"
#include "nn/onednn.h"

#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BATCH = 5, IN = 3, SIDE = 8, K = 4 };

typedef enum tail {
    TAIL_RELU,
    TAIL_RELU_POOL,
    TAIL_ADD,
    TAIL_ADD_RELU,
    TAIL_ADD_RELU_TURNED, /* add(other, normalised) */
    TAIL_RELU_ADD,
    TAIL_RELU_ADD_TURNED,
    TAIL_BRANCH, /* the other value is a norm of its own, made later in the graph */
    N_TAILS
} tail;

typedef struct net {
    assay_ctx *ctx;
    nn_graph *graph;
    nn_weights weights;
    nn_value images, labels, loss;
    int params;
    float *image;
    int32_t label[BATCH];
} net;

static void ok(assay_status status) {
    if (status != ASSAY_OK)
        fail_msg("%s: %s", assay_status_name(status), assay_last_error()->message);
}

static nn_value op(net *t, const char *name, nn_value a, nn_value b) {
    nn_value in[] = {a, b}, out;
    nn_attr kernel = {.name = "kernel", .i = {2}, .count = 1};
    bool pool = strcmp(name, "max_pool") == 0;
    ok(nn_graph_op(t->graph, name, in, b < 0 ? 1 : 2, &kernel, pool, &out));
    return out;
}

static nn_value flat(net *t, nn_shape s, nn_init init, bool buffer) {
    char name[16];
    nn_value v;
    (void)snprintf(name, sizeof name, "p%d", t->params++);
    ok(buffer ? nn_graph_buffer(t->graph, name, s, init, &v)
              : nn_graph_param(t->graph, name, s, init, true, &v));
    return v;
}

static nn_value conv(net *t, nn_value x, int64_t in, int64_t out, int64_t k) {
    nn_attr pad = {.name = "pad", .i = {k / 2}, .count = 1};
    nn_value w = flat(t, (nn_shape){4, {out, in, k, k}}, NN_INIT_KAIMING_NORMAL, false);
    ok(nn_graph_op(t->graph, "conv2d", (nn_value[]){x, w}, 2, &pad, 1, &x));
    return x;
}

static nn_value norm(net *t, nn_value x, int64_t c) {
    nn_shape s = {1, {c}};
    nn_value in[] = {x, flat(t, s, NN_INIT_ONE, false), flat(t, s, NN_INIT_ZERO, false),
                     flat(t, s, NN_INIT_ZERO, true), flat(t, s, NN_INIT_ONE, true)};
    ok(nn_graph_op(t->graph, "batch_norm", in, 5, NULL, 0, &x));
    return x;
}

static nn_value end_of_block(net *t, nn_value y, nn_value other, int64_t c, tail kind) {
    y = norm(t, y, c);
    switch (kind) {
    case TAIL_RELU:
        return op(t, "relu", y, -1);
    case TAIL_RELU_POOL:
        return op(t, "max_pool", op(t, "relu", y, -1), -1);
    case TAIL_ADD:
        return op(t, "add", y, other);
    case TAIL_ADD_RELU:
        return op(t, "relu", op(t, "add", y, other), -1);
    case TAIL_ADD_RELU_TURNED:
        return op(t, "relu", op(t, "add", other, y), -1);
    case TAIL_RELU_ADD:
        return op(t, "add", op(t, "relu", y, -1), other);
    case TAIL_RELU_ADD_TURNED:
        return op(t, "add", other, op(t, "relu", y, -1));
    default:
        other = norm(t, conv(t, other, c, c, 1), c);
        return op(t, "relu", op(t, "add", y, other), -1);
    }
}

static void net_open(net *t, int64_t c, tail kind) {
    memset(t, 0, sizeof *t);
    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    o.threads = 1;
    ok(assay_ctx_create(&t->ctx, &o));
    ok(nn_graph_create(&t->graph, t->ctx));
    nn_graph *g = t->graph;
    ok(nn_graph_input(g, "images", ASSAY_F32, (nn_shape){4, {0, IN, SIDE, SIDE}},
                      &t->images));
    ok(nn_graph_input(g, "labels", ASSAY_I32, (nn_shape){1, {0}}, &t->labels));
    nn_value x = op(t, "relu", norm(t, conv(t, t->images, IN, c, 3), c), -1);
    nn_value y = end_of_block(t, conv(t, x, c, c, 3), x, c, kind);
    /* Something behind it that reads bf16. */
    y = op(t, "relu", norm(t, conv(t, y, c, c, 1), c), -1);
    y = op(t, "global_avg_pool", y, -1);
    nn_value w = flat(t, (nn_shape){2, {K, c}}, NN_INIT_KAIMING_UNIFORM, false);
    y = op(t, "linear", y, w);
    t->loss = op(t, "cross_entropy", y, t->labels);
    ok(nn_weights_create(&t->weights, t->ctx, g, 3));
    rng r = rng_at(5, RNG_TEST, 0, (uint64_t)kind);
    size_t pixels = (size_t)BATCH * IN * SIDE * SIDE;
    t->image = calloc(pixels, sizeof *t->image);
    assert_non_null(t->image);
    for (size_t i = 0; i < pixels; i++)
        t->image[i] = (float)rng_normal(&r);
    for (size_t i = 0; i < BATCH; i++)
        t->label[i] = (int32_t)rng_below(&r, K);
    for (size_t i = 0; i < g->n_params; i++) {
        nn_param_info p = nn_graph_param_at(g, i);
        for (size_t k = 0; p.shape.ndim == 1 && k < p.count; k++)
            t->weights.params[p.offset + k] += 0.2f * (float)rng_normal(&r);
    }
}

static void net_close(net *t) {
    free(t->image);
    nn_weights_destroy(&t->weights, t->ctx);
    nn_graph_destroy(t->graph);
    assay_ctx_destroy(t->ctx);
}

static const float seed[BATCH] = {0.5f, -1.0f, 2.0f, 0.25f, 1.0f};

/* Every node by its reference, forward and backward: the gradient of the flat parameters
 * of sum_i seed_i loss_i. */
static void by_reference(const net *t, double *loss, double *grad) {
    const nn_graph *g = t->graph;
    double **value = calloc(g->n_values, sizeof *value),
           **d = calloc(g->n_values, sizeof *d);
    size_t *count = calloc(g->n_values, sizeof *count);
    assert_true(value && d && count);
    for (size_t v = 0; v < g->n_values; v++) {
        const nn_value_info *i = &g->value[v];
        bool is_flat = i->kind == NN_KIND_PARAM || i->kind == NN_KIND_BUFFER;
        count[v] = is_flat ? i->count : (size_t)nn_shape_elements(&i->shape, BATCH);
        value[v] = calloc(count[v], sizeof **value);
        d[v] = calloc(count[v], sizeof **d);
        assert_true(value[v] && d[v]);
        for (size_t k = 0; k < count[v] && i->kind != NN_KIND_ACTIVATION; k++)
            value[v][k] =
                i->kind == NN_KIND_PARAM    ? (double)t->weights.params[i->offset + k]
                : i->kind == NN_KIND_BUFFER ? (double)t->weights.buffers[i->offset + k]
                : i->dtype == ASSAY_I32     ? (double)t->label[k]
                                            : (double)t->image[k];
    }
    for (int back = 0; back < 2; back++)
        for (size_t k = 0; k < g->n_nodes; k++) {
            const nn_node *node = &g->node[back ? g->n_nodes - 1 - k : k];
            const double *in[NN_MAX_INPUTS] = {0};
            double *d_in[NN_MAX_INPUTS] = {0};
            for (int i = 0; i < node->n_in; i++) {
                in[i] = value[node->in[i]];
                if (back)
                    d_in[i] = calloc(count[node->in[i]], sizeof *d_in[i]);
            }
            node->op->reference(node, BATCH, true, in, value[node->out],
                                back ? d[node->out] : NULL, d_in);
            for (int i = 0; back && i < node->n_in; i++) {
                for (size_t j = 0; j < count[node->in[i]]; j++)
                    d[node->in[i]][j] += d_in[i][j];
                free(d_in[i]);
            }
            if (!back && node->out == t->loss)
                for (int i = 0; i < BATCH; i++)
                    d[t->loss][i] = (double)seed[i];
        }
    for (int i = 0; i < BATCH; i++)
        loss[i] = value[t->loss][i];
    for (size_t v = 0; v < g->n_values; v++) {
        const nn_value_info *i = &g->value[v];
        for (size_t k = 0; i->kind == NN_KIND_PARAM && k < i->count; k++)
            grad[i->offset + k] = d[v][k];
        free(value[v]);
        free(d[v]);
    }
    free(value);
    free(d);
    free(count);
}

/* One step of an executor; `apart` keeps every value, which forbids fusing. */
static void by_executor(net *t, assay_dtype dtype, bool apart, float *loss, float *grad) {
    nn_value keep[64];
    int n_keep = 0;
    for (size_t v = 0; apart && v < t->graph->n_values; v++)
        if (t->graph->value[v].kind == NN_KIND_ACTIVATION)
            keep[n_keep++] = (nn_value)v;
    assert_true(n_keep < 64);
    nn_exec *e;
    nn_exec_options o = {.mode = NN_TRAIN,
                         .batch = BATCH,
                         .keep = keep,
                         .n_keep = n_keep,
                         .target = t->loss,
                         .dtype = dtype};
    ok(nn_exec_create(&e, t->ctx, t->graph, &t->weights, &o));
    memcpy(nn_exec_input(e, t->images), t->image,
           (size_t)BATCH * IN * SIDE * SIDE * sizeof(float));
    memcpy(nn_exec_input(e, t->labels), t->label, sizeof t->label);
    ok(nn_exec_forward(e, BATCH));
    memcpy(loss, nn_exec_value(e, t->loss), BATCH * sizeof *loss);
    ok(nn_exec_backward(e, seed));
    memcpy(grad, nn_exec_grads(e), nn_graph_param_floats(t->graph) * sizeof *grad);
    nn_exec_destroy(e);
}

/* |a - b| / |b| */
static double normwise(const float *a, const double *b, size_t n) {
    double off = 0, all = 0;
    for (size_t k = 0; k < n; k++) {
        off += ((double)a[k] - b[k]) * ((double)a[k] - b[k]);
        all += b[k] * b[k];
    }
    return sqrt(off / all);
}

static void check(int64_t c, tail kind, bool bf16) {
    net t;
    net_open(&t, c, kind);
    size_t n = nn_graph_param_floats(t.graph);
    double want_loss[BATCH], *want = calloc(n, sizeof *want);
    float loss[2][BATCH], *got[2] = {calloc(n, sizeof(float)), calloc(n, sizeof(float))};
    assert_true(want && got[0] && got[1]);
    by_reference(&t, want_loss, want);
    by_executor(&t, bf16 ? ASSAY_BF16 : ASSAY_F32, false, loss[0], got[0]);
    by_executor(&t, ASSAY_F32, true, loss[1], got[1]);
    double fused = normwise(got[0], want, n), apart = normwise(got[1], want, n);
    /* Of three rounded layers; neighbours that became equal change who wins a pooling. */
    double most = bf16 ? 0.12 : 1e-5;
    if (!(fused <= most))
        fail_msg("tail %d, %lld channels, bf16 %d: gradients are off by %g, apart by %g",
                 (int)kind, (long long)c, bf16, fused, apart);
    assert_true(apart <= 1e-5);
    assert_true(normwise(loss[0], want_loss, BATCH) <= (bf16 ? 0.02 : 1e-6));
    if (!bf16)
        assert_memory_equal(loss[0], loss[1], sizeof loss[0]);
    free(want);
    free(got[0]);
    free(got[1]);
    net_close(&t);
}

static void f32_chains_agree(void **state) {
    (void)state;
    for (int kind = 0; kind < N_TAILS; kind++) {
        check(32, (tail)kind, false);
        check(19, (tail)kind, false);
    }
}

static void bf16_chains_are_near(void **state) {
    (void)state;
    if (!dn_bf16_runs()) {
        print_message("no bf16 here: skipped\n");
        return;
    }
    for (int kind = 0; kind < N_TAILS; kind++) {
        check(64, (tail)kind, true);
        check(19, (tail)kind, true);
    }
}

/* The steps of the executor: conv, norm + what goes along. */
static void chains_are_taken(void **state) {
    (void)state;
    static const int nodes[N_TAILS] = {1, 2, 1, 2, 2, 2, 2, 2};
    for (int kind = 0; kind < N_TAILS; kind++) {
        net t;
        net_open(&t, 16, (tail)kind);
        nn_value keep[1] = {t.loss};
        nn_exec *e;
        nn_exec_options o = {.mode = NN_TRAIN,
                             .batch = BATCH,
                             .keep = keep,
                             .n_keep = 1,
                             .target = t.loss};
        ok(nn_exec_create(&e, t.ctx, t.graph, &t.weights, &o));
        int steps = (int)t.graph->n_nodes - nn_exec_rows(e);
        /* conv+norm+relu at the beginning, norm+relu at the end */
        assert_int_equal(steps, 3 + nodes[kind]);
        nn_exec_destroy(e);
        net_close(&t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f32_chains_agree),
        cmocka_unit_test(bf16_chains_are_near),
        cmocka_unit_test(chains_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A small network with everything in it that a chain lacks, for the executor's tests: a
 * value used twice, odd sizes, blocks that fuse. */
#ifndef NN_TESTING_NET_H
#define NN_TESTING_NET_H

#include "base/rng.h"
#include "nn/graph_inside.h"
#include "nn/reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BATCH = 6, C = 2, H = 9, W = 11, K = 4 };

typedef struct net {
    assay_ctx *ctx;
    nn_graph *graph;
    nn_weights weights;
    nn_value images, labels, pooled, features, logits, loss, margin;
    float image[BATCH * C * H * W];
    int32_t label[BATCH];
} net;

static inline void ok(assay_status status) {
    if (status != ASSAY_OK)
        fail_msg("%s: %s", assay_status_name(status), assay_last_error()->message);
}

static inline nn_value op(nn_graph *g,
                          const char *name,
                          const nn_value *in,
                          int n_in,
                          const char *attr,
                          int64_t i,
                          double f) {
    nn_value out;
    nn_attr a = {.name = attr, .i = {i}, .count = 1, .f = f};
    ok(nn_graph_op(g, name, in, n_in, &a, attr ? 1 : 0, &out));
    return out;
}

static inline nn_value
conv_bn_relu(nn_graph *g, const char *name, nn_value x, int64_t in, int64_t out) {
    static const char *const part[] = {"weight", "scale", "shift", "mean", "var"};
    nn_value v[5], y;
    char text[32];
    for (int i = 0; i < 5; i++) {
        (void)snprintf(text, sizeof text, "%s%s", name, part[i]);
        if (i == 0)
            ok(nn_graph_param(g, text, (nn_shape){4, {out, in, 3, 3}},
                              NN_INIT_KAIMING_NORMAL, true, &v[i]));
        else if (i < 3)
            ok(nn_graph_param(g, text, (nn_shape){1, {out}},
                              i == 1 ? NN_INIT_ONE : NN_INIT_ZERO, false, &v[i]));
        else
            ok(nn_graph_buffer(g, text, (nn_shape){1, {out}},
                               i == 4 ? NN_INIT_ONE : NN_INIT_ZERO, &v[i]));
    }
    y = op(g, "conv2d", (nn_value[]){x, v[0]}, 2, "pad", 1, 0);
    y = op(g, "batch_norm", (nn_value[]){y, v[1], v[2], v[3], v[4]}, 5, NULL, 0, 0);
    return op(g, "relu", &y, 1, NULL, 0, 0);
}

/* `chain`: one block behind the other, so that images between them can lie in bf16. */
static inline void net_open_as(net *t, int threads, bool chain) {
    memset(t, 0, sizeof *t);
    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    o.threads = threads;
    ok(assay_ctx_create(&t->ctx, &o));
    ok(nn_graph_create(&t->graph, t->ctx));
    nn_graph *g = t->graph;
    nn_value v, w, b;
    ok(nn_graph_input(g, "images", ASSAY_F32, (nn_shape){4, {0, C, H, W}}, &t->images));
    ok(nn_graph_input(g, "labels", ASSAY_I32, (nn_shape){1, {0}}, &t->labels));
    v = conv_bn_relu(g, "a.", t->images, C, 5);
    t->pooled = op(g, "max_pool", &v, 1, "kernel", 2, 0);
    v = conv_bn_relu(g, "b.", t->pooled, 5, 5);
    if (chain) {
        v = op(g, "max_pool", &v, 1, "kernel", 2, 0);
        v = conv_bn_relu(g, "c.", v, 5, 5);
    } else {
        v = op(g, "add", (nn_value[]){v, t->pooled}, 2, NULL, 0, 0);
    }
    t->features = op(g, "global_avg_pool", &v, 1, NULL, 0, 0);
    ok(nn_graph_param(g, "fc.weight", (nn_shape){2, {K, 5}}, NN_INIT_KAIMING_UNIFORM,
                      true, &w));
    ok(nn_graph_param(g, "fc.bias", (nn_shape){1, {K}}, NN_INIT_KAIMING_UNIFORM, false,
                      &b));
    t->logits = op(g, "linear", (nn_value[]){t->features, w, b}, 3, NULL, 0, 0);
    t->loss = op(g, "cross_entropy", (nn_value[]){t->logits, t->labels}, 2, "smoothing",
                 0, 0.1);
    t->margin = op(g, "margin", (nn_value[]){t->logits, t->labels}, 2, NULL, 0, 0);
    ok(nn_graph_name(g, t->logits, "logits"));
    ok(nn_weights_create(&t->weights, t->ctx, g, 3));
    rng r = rng_at(5, RNG_TEST, 0, 0);
    for (size_t i = 0; i < BATCH * C * H * W; i++)
        t->image[i] = (float)rng_normal(&r);
    for (size_t i = 0; i < BATCH; i++)
        t->label[i] = (int32_t)rng_below(&r, K);
    /* Scales and running statistics away from their plain beginnings. */
    for (size_t i = 0; i < g->n_params; i++) {
        nn_param_info p = nn_graph_param_at(g, i);
        for (size_t k = 0; p.shape.ndim == 1 && k < p.count; k++)
            t->weights.params[p.offset + k] += 0.2f * (float)rng_normal(&r);
    }
    for (size_t k = 0; k < g->buffer_floats; k++)
        t->weights.buffers[k] += 0.3f * (float)rng_uniform(&r);
}

static inline void net_close(net *t) {
    nn_weights_destroy(&t->weights, t->ctx);
    nn_graph_destroy(t->graph);
    assay_ctx_destroy(t->ctx);
}

static inline nn_reference *reference_of(const net *t, nn_mode mode, int n) {
    nn_reference *r;
    ok(nn_reference_create(&r, t->ctx, t->graph, &t->weights, mode, n));
    for (size_t k = 0; k < (size_t)n * C * H * W; k++)
        nn_reference_value(r, t->images)[k] = (double)t->image[k];
    for (size_t k = 0; k < (size_t)n; k++)
        nn_reference_value(r, t->labels)[k] = (double)t->label[k];
    return r;
}

#endif

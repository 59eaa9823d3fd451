/* The zoo's models for bench/zoo_torch.py: initial weights, random input, the logits of a
 * batch in training (whose statistics the norms take) and of the same batch evaluated
 * after it, as NAME.SIDE.safetensors in DIR; and one line each of what docs/zoo.md has in
 * its table.
 *
 *   zoo DIR [NAME...]
 */
#include <assay/assay.h>

#include "base/rng.h"
#include "file/safetensors.h"
#include "nn/exec.h"
#include "zoo/zoo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 2, MOST = 512, VOCABULARY = 65, CONTEXT = 128, CLASSES = 10 };

typedef struct net {
    assay_ctx *ctx;
    zoo_model zoo;
    nn_weights weights, initial;
    void *input;
    size_t inputs; /* numbers in it, four bytes each */
    float *trained, *evaluated;
    size_t logits;
} net;

static assay_status run(net *n, nn_mode mode, float **out) {
    assay_status status = ASSAY_OK;
    nn_exec *e = NULL;
    const zoo_model *z = &n->zoo;
    const nn_exec_options o = {.mode = mode,
                               .batch = BATCH,
                               .keep = &z->logits,
                               .n_keep = 1,
                               .target = mode == NN_TRAIN ? z->loss : -1,
                               .dtype = ASSAY_F32};
    ASSAY_TRY(nn_exec_create(&e, n->ctx, z->graph, &n->weights, &o));
    memcpy(nn_exec_input(e, z->images), n->input, n->inputs * 4);
    memset(nn_exec_input(e, z->labels), 0, BATCH * zoo_labels_each(z) * 4);
    ASSAY_TRY(nn_exec_forward(e, BATCH));
    n->logits = BATCH * zoo_labels_each(z) * (size_t)z->config.classes;
    ASSAY_TRY(mem_new(n->ctx, out, n->logits, sizeof **out));
    memcpy(*out, nn_exec_value(e, z->logits), n->logits * sizeof **out);
done:
    nn_exec_destroy(e);
    return status;
}

static assay_status make_input(net *n) {
    assay_status status = ASSAY_OK;
    const zoo_config *c = &n->zoo.config;
    const bool tokens = n->zoo.def->tokens;
    rng r = rng_at(1, RNG_BENCH, 0, 0);
    n->inputs =
        BATCH * (tokens ? (size_t)c->context
                        : (size_t)c->channels * (size_t)c->height * (size_t)c->width);
    ASSAY_TRY(mem_new(n->ctx, (float **)&n->input, n->inputs, 4));
    for (size_t i = 0; i < n->inputs; i++)
        if (tokens)
            ((int32_t *)n->input)[i] = (int32_t)rng_below(&r, VOCABULARY);
        else
            ((float *)n->input)[i] = (float)rng_normal(&r);
done:
    return status;
}

static size_t
put_state(st_tensor *to, const nn_graph *g, const nn_weights *w, bool params) {
    size_t count = params ? nn_graph_param_count(g) : nn_graph_buffer_count(g);
    for (size_t i = 0; i < count; i++) {
        const nn_param_info p =
            params ? nn_graph_param_at(g, i) : nn_graph_buffer_at(g, i);
        to[i] = (st_tensor){.name = p.name,
                            .dtype = ASSAY_F32,
                            .ndim = p.shape.ndim,
                            .data = (params ? w->params : w->buffers) + p.offset,
                            .bytes = p.count * sizeof(float)};
        memcpy(to[i].dim, p.shape.dim, sizeof p.shape.dim);
    }
    return count;
}

static assay_status leave(const net *n, const char *dir) {
    static st_tensor t[MOST];
    const nn_graph *g = n->zoo.graph;
    const zoo_config *c = &n->zoo.config;
    const int64_t logits = (int64_t)n->logits;
    size_t count;
    char path[512];
    if (nn_graph_param_count(g) + nn_graph_buffer_count(g) + 3 > MOST)
        return err_set(ASSAY_E_INTERNAL, "%s has too many tensors", n->zoo.name);
    count = put_state(t, g, &n->initial, true);
    count += put_state(t + count, g, &n->initial, false);
    t[count++] = c->context
                     ? (st_tensor){"zoo.input",         ASSAY_I32, 2,
                                   {BATCH, c->context}, n->input,  n->inputs * 4}
                     : (st_tensor){"zoo.input", ASSAY_F32,
                                   4,           {BATCH, c->height, c->width, c->channels},
                                   n->input,    n->inputs * 4};
    t[count++] =
        (st_tensor){"zoo.trained", ASSAY_F32, 1, {logits}, n->trained, n->logits * 4};
    t[count++] =
        (st_tensor){"zoo.evaluated", ASSAY_F32, 1, {logits}, n->evaluated, n->logits * 4};
    (void)snprintf(path, sizeof path, "%s/%s.%d.safetensors", dir, n->zoo.name,
                   c->context ? 0 : c->height);
    return st_put(n->ctx, path, t, count, NULL, 0);
}

static void net_free(net *n) {
    nn_weights_destroy(&n->weights, n->ctx);
    nn_weights_destroy(&n->initial, n->ctx);
    mem_free(n->ctx, n->input);
    mem_free(n->ctx, n->trained);
    mem_free(n->ctx, n->evaluated);
    zoo_destroy(&n->zoo);
}

static assay_status
one(assay_ctx *ctx, const char *dir, const zoo_model_def *def, int side) {
    assay_status status = ASSAY_OK;
    net n = {.ctx = ctx};
    const zoo_config images = {.classes = side > 64 ? 1000 : CLASSES,
                               .channels = side == 28 ? 1 : 3,
                               .height = side,
                               .width = side};
    const zoo_config words = {.classes = def->sequences ? CLASSES : VOCABULARY,
                              .context = CONTEXT,
                              .vocabulary = VOCABULARY};
    ASSAY_TRY(zoo_build_def(&n.zoo, ctx, def, def->tokens ? &words : &images));
    ASSAY_TRY(nn_weights_create(&n.weights, ctx, n.zoo.graph, 1));
    ASSAY_TRY(nn_weights_create(&n.initial, ctx, n.zoo.graph, 1));
    ASSAY_TRY(make_input(&n));
    ASSAY_TRY(run(&n, NN_TRAIN, &n.trained));
    ASSAY_TRY(run(&n, NN_EVAL, &n.evaluated));
    ASSAY_TRY(leave(&n, dir));
    printf("%-14s %3d  %9zu parameters  %8.4g GFLOP\n", def->name, side,
           nn_graph_param_floats(n.zoo.graph), 1e-9 * n.zoo.flop);
    (void)fflush(stdout);
done:
    net_free(&n);
    return status;
}

static bool wanted(const char *name, int argc, char **argv) {
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return argc < 3;
}

int main(int argc, char **argv) {
    static const int sides[] = {28, 32, 64, 224};
    assay_status status = ASSAY_OK;
    assay_ctx *ctx = NULL;
    if (argc < 2) {
        fprintf(stderr, "usage: zoo DIR [NAME...]\n");
        return 2;
    }
    ASSAY_TRY(assay_ctx_create(&ctx, NULL));
    for (size_t i = 0; i < zoo_count(); i++) {
        const zoo_model_def *def = zoo_at(i);
        if (!wanted(def->name, argc, argv))
            continue;
        if (def->tokens)
            ASSAY_TRY(one(ctx, argv[1], def, 0));
        for (size_t k = 0; k < 4 && !def->tokens; k++)
            ASSAY_TRY(one(ctx, argv[1], def, sides[k]));
    }
done:
    if (status != ASSAY_OK)
        fprintf(stderr, "zoo: %s\n", assay_last_error()->message);
    assay_ctx_destroy(ctx);
    return status != ASSAY_OK;
}

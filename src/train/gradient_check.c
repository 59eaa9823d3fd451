/* One batch forward and back, twice: by the executor, and by the ops' references. */
#include "train/gradient_check.h"

#include "train/bench_nets.h"

#include "base/rng.h"
#include "nn/exec.h"
#include "nn/reference.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static assay_status make_data(gradient_check *c, uint64_t seed) {
    assay_status status = ASSAY_OK;
    const zoo_config *z = &c->zoo.config;
    rng r = rng_at(seed, RNG_BENCH, 1, 0);
    size_t rows = (size_t)c->batch;
    c->label_each = zoo_labels_each(&c->zoo);
    c->each = z->context ? (size_t)z->context
                         : (size_t)z->height * (size_t)z->width * (size_t)z->channels;
    ASSAY_TRY(mem_new(c->ctx, &c->labels, rows * c->label_each, sizeof *c->labels));
    if (z->context) {
        ASSAY_TRY(mem_new(c->ctx, &c->tokens, rows * c->each, sizeof *c->tokens));
        for (size_t i = 0; i < rows * c->each; i++)
            c->tokens[i] = (int32_t)rng_below(&r, (uint64_t)zoo_vocabulary(&c->zoo));
    } else {
        ASSAY_TRY(mem_new(c->ctx, &c->images, rows * c->each, sizeof *c->images));
        for (size_t i = 0; i < rows * c->each; i++)
            c->images[i] = (float)rng_normal(&r);
    }
    for (size_t i = 0; i < rows * c->label_each; i++)
        c->labels[i] = (int32_t)rng_below(&r, (uint64_t)z->classes);
done:
    return status;
}

static assay_status run_ours(gradient_check *c, const float *seed) {
    assay_status status = ASSAY_OK;
    nn_exec *e = NULL;
    size_t rows = (size_t)c->batch, n = nn_graph_param_floats(c->zoo.graph);
    const nn_exec_options o = {
        .mode = NN_TRAIN, .batch = c->batch, .target = c->zoo.loss, .dtype = ASSAY_F32};
    ASSAY_TRY(nn_exec_create(&e, c->ctx, c->zoo.graph, &c->weights, &o));
    memcpy(nn_exec_input(e, c->zoo.images),
           c->tokens ? (const void *)c->tokens : (const void *)c->images,
           rows * c->each * 4);
    memcpy(nn_exec_input(e, c->zoo.labels), c->labels, rows * c->label_each * 4);
    ASSAY_TRY(nn_exec_forward(e, c->batch));
    ASSAY_TRY(nn_exec_backward(e, seed));
    for (size_t i = 0; i < n; i++)
        c->ours[i] = (double)nn_exec_grads(e)[i];
done:
    nn_exec_destroy(e);
    return status;
}

static assay_status run_exact(gradient_check *c, const float *seed) {
    assay_status status = ASSAY_OK;
    nn_reference *r = NULL;
    double *wide = NULL;
    const nn_graph *g = c->zoo.graph;
    size_t rows = (size_t)c->batch;
    ASSAY_TRY(mem_new(c->ctx, &wide, rows, sizeof *wide));
    ASSAY_TRY(nn_reference_create(&r, c->ctx, g, &c->weights, NN_TRAIN, c->batch));
    double *input = nn_reference_value(r, c->zoo.images);
    double *labels = nn_reference_value(r, c->zoo.labels);
    for (size_t i = 0; i < rows * c->each; i++)
        input[i] = c->tokens ? (double)c->tokens[i] : (double)c->images[i];
    for (size_t i = 0; i < rows * c->label_each; i++)
        labels[i] = (double)c->labels[i];
    for (size_t i = 0; i < rows; i++)
        wide[i] = (double)seed[i];
    nn_reference_forward(r, c->zoo.loss);
    ASSAY_TRY(nn_reference_backward(r, c->zoo.loss, wide));
    for (size_t i = 0; i < nn_graph_param_count(g); i++) {
        nn_param_info p = nn_graph_param_at(g, i);
        const double *d = nn_reference_grad(r, nn_graph_find(g, p.name));
        if (!d)
            ASSAY_FAIL(ASSAY_E_INTERNAL, "no gradient reaches %s", p.name);
        memcpy(c->exact + p.offset, d, p.count * sizeof *d);
    }
done:
    nn_reference_destroy(r);
    mem_free(c->ctx, wide);
    return status;
}

static double error_of(const double *ours, const double *exact, size_t n) {
    double apart = 0, all = 0;
    for (size_t i = 0; i < n; i++) {
        apart += (ours[i] - exact[i]) * (ours[i] - exact[i]);
        all += exact[i] * exact[i];
    }
    return sqrt(apart / all);
}

static const char twin[] = "-smooth";

bool gradient_check_smooth(const char *name) {
    size_t n = strlen(name), more = sizeof twin - 1;
    return n > more && strcmp(name + n - more, twin) == 0;
}

/* Weights and data for out->zoo, and both gradients. */
static assay_status go(gradient_check *out, uint64_t seed) {
    assay_status status = ASSAY_OK;
    assay_ctx *ctx = out->ctx;
    const int batch = out->batch;
    float *back = NULL;
    size_t n = nn_graph_param_floats(out->zoo.graph);
    ASSAY_TRY(nn_weights_create(&out->weights, ctx, out->zoo.graph, seed));
    ASSAY_TRY(make_data(out, seed));
    ASSAY_TRY(mem_new(ctx, &out->ours, n, sizeof *out->ours));
    ASSAY_TRY(mem_new(ctx, &out->exact, n, sizeof *out->exact));
    ASSAY_TRY(mem_new(ctx, &back, (size_t)batch, sizeof *back));
    for (int i = 0; i < batch; i++)
        back[i] = 1.0F / (float)batch;
    ASSAY_TRY(run_ours(out, back));
    ASSAY_TRY(run_exact(out, back));
    out->error = error_of(out->ours, out->exact, n);
done:
    mem_free(ctx, back);
    return status;
}

assay_status gradient_check_run(
    gradient_check *out, assay_ctx *ctx, const char *name, int batch, uint64_t seed) {
    assay_status status = ASSAY_OK;
    *out = (gradient_check){.ctx = ctx, .batch = batch};
    bool smooth = gradient_check_smooth(name);
    char plain[sizeof out->name];
    (void)snprintf(out->name, sizeof out->name, "%s", name);
    (void)snprintf(plain, sizeof plain, "%.*s",
                   (int)(strlen(name) - (smooth ? sizeof twin - 1 : 0)), name);
    ASSAY_TRY(bench_net_build(&out->zoo, ctx, plain, 0, smooth));
    ASSAY_TRY(go(out, seed));
done:
    if (status != ASSAY_OK)
        gradient_check_free(out);
    return status;
}

assay_status gradient_check_zoo(gradient_check *out,
                                assay_ctx *ctx,
                                const char *name,
                                const zoo_config *config,
                                int batch,
                                uint64_t seed) {
    assay_status status = ASSAY_OK;
    *out = (gradient_check){.ctx = ctx, .batch = batch};
    (void)snprintf(out->name, sizeof out->name, "%s", name);
    ASSAY_TRY(zoo_build(&out->zoo, ctx, name, config));
    ASSAY_TRY(go(out, seed));
done:
    if (status != ASSAY_OK)
        gradient_check_free(out);
    return status;
}

void gradient_check_free(gradient_check *c) {
    if (!c->ctx)
        return;
    nn_weights_destroy(&c->weights, c->ctx);
    zoo_destroy(&c->zoo);
    mem_free(c->ctx, c->images);
    mem_free(c->ctx, c->tokens);
    mem_free(c->ctx, c->labels);
    mem_free(c->ctx, c->ours);
    mem_free(c->ctx, c->exact);
    *c = (gradient_check){0};
}

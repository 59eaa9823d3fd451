/* The steps of small models: rows of a batch, the pace of a step, hits. */
#include "train/tiny.h"

#include "nn/chain.h"

#include <string.h>

struct tiny {
    assay_ctx *ctx;
    layer_chain *chain;
    const float **row; /* [batch] */
    int classes;
    double weight_decay;
    bool nesterov;
};

/* Settings heeded here are set back; then nothing may be left that differs from a recipe
 * without settings. A setting that is new and unknown here is so never ignored. */
static bool plain(const train_recipe *r) {
    train_recipe left = *r, initial;
    settings_initial(&initial);
    memcpy(left.model, initial.model, sizeof left.model);
    memcpy(left.schedule, initial.schedule, sizeof left.schedule);
    memcpy(left.precision, initial.precision, sizeof left.precision);
    left.warmup = initial.warmup;
    left.decay_share = initial.decay_share;
    left.switch_at = initial.switch_at;
    left.large_momentum = initial.large_momentum;
    left.small_steps = initial.small_steps;
    left.epochs = initial.epochs;
    left.batch = initial.batch;
    left.lr = initial.lr;
    left.momentum = initial.momentum;
    left.weight_decay = initial.weight_decay;
    left.label_smoothing = initial.label_smoothing;
    left.translate = initial.translate;
    left.flip = initial.flip;
    left.nesterov = initial.nesterov;
    left.warmup = initial.warmup;
    left.decay_share = initial.decay_share;
    memcpy(left.edge, initial.edge, sizeof left.edge);
    left.alternate = initial.alternate;
    memcpy(left.tta, initial.tta, sizeof left.tta);
    char a[RECIPE_LINE], b[RECIPE_LINE];
    train_recipe_text(&left, a);
    train_recipe_text(&initial, b);
    return strcmp(a, b) == 0;
}

bool tiny_fits(const train_recipe *r, const zoo_model *z) {
    return strcmp(r->precision, "f32") == 0 && strcmp(r->optimizer, "sgd") == 0 &&
           strcmp(r->schedule, "two-regime") != 0 && plain(r) &&
           z->config.channels == 1 && z->config.context == 0 &&
           chain_fits(z->graph, z->images, z->logits, z->loss);
}

assay_status tiny_create(tiny **out,
                         assay_ctx *ctx,
                         const train_recipe *r,
                         const zoo_model *z,
                         int batch,
                         const float *params,
                         const float *velocity) {
    assay_status status = ASSAY_OK;
    tiny *t = NULL;
    *out = NULL;
    ASSAY_TRY(mem_new(ctx, &t, 1, sizeof *t));
    *t = (tiny){.ctx = ctx,
                .classes = z->config.classes,
                .weight_decay = r->weight_decay,
                .nesterov = r->nesterov};
    ASSAY_TRY(mem_new(ctx, &t->row, (size_t)batch, sizeof *t->row));
    ASSAY_TRY(
        chain_create(&t->chain, ctx, z->graph, z->images, z->logits, z->loss, batch));
    chain_load(t->chain, params, velocity);
    *out = t;
    t = NULL;
done:
    tiny_destroy(t);
    return status;
}

void tiny_destroy(tiny *t) {
    if (!t)
        return;
    chain_destroy(t->chain);
    mem_free(t->ctx, t->row);
    mem_free(t->ctx, t);
}

void tiny_store(const tiny *t, float *params, float *velocity) {
    chain_store(t->chain, params, velocity);
}

static size_t hits(const tiny *t, const int32_t *labels, int n) {
    size_t ld, right = 0;
    const float *z = chain_logits(t->chain, &ld);
    for (int i = 0; i < n; i++, z += ld) {
        int best = 0;
        for (int c = 1; c < t->classes; c++)
            best = z[c] > z[best] ? c : best;
        right += best == labels[i];
    }
    return right;
}

assay_status tiny_step(tiny *t,
                       const float *images,
                       const int32_t *labels,
                       int n,
                       train_pace pace,
                       double *loss,
                       size_t *right) {
    const chain_sgd sgd = {.rate = (float)pace.rate,
                           .momentum = (float)pace.momentum,
                           .decay = (float)t->weight_decay,
                           .nesterov = t->nesterov};
    size_t width = chain_width(t->chain);
    for (int i = 0; i < n; i++)
        t->row[i] = images + (size_t)i * width;
    *loss = 0;
    assay_status status = chain_step(t->chain, t->row, labels, n, &sgd, loss);
    *right = status == ASSAY_OK ? hits(t, labels, n) : 0;
    return status;
}

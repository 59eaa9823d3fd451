/* Tokens for training and for measuring. */
#include "train/text.h"

#include "base/pool.h"
#include "nn/exec.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Windows that are computed at a time: few where their logits are many. */
enum { MOST_CHUNK = 16, MOST_LOGITS = 1 << 22 };

double text_bits(double loss, size_t tokens, size_t bytes) {
    return loss * (double)tokens / (double)bytes / log(2);
}

int text_shards(int batch, size_t context) {
    enum { TOKENS = 1024, MOST = 8 };
    size_t n = (size_t)batch * context / TOKENS;
    return n < 1 ? 1 : n > MOST ? MOST : (int)n;
}

size_t text_windows(const text_data *d, int context) {
    return d->train.count ? (d->train.count - 1) / (size_t)context : 0;
}

assay_status
text_data_make(text_data *out, const corpus *c, const tokenizer *t, double held_out) {
    assay_status status = ASSAY_OK;
    size_t cut = corpus_cut(c, held_out);
    *out = (text_data){0};
    ASSAY_TRY(tokenizer_encode(t, &out->train, c->text, cut));
    ASSAY_TRY_AT(tokenizer_encode(t, &out->held, c->text + cut, c->bytes - cut),
                 "the part held out, from byte %zu", cut);
    if (out->held.count)
        out->held_bytes = tokenizer_span(t, out->held.token + 1, out->held.count - 1);
done:
    if (status != ASSAY_OK)
        text_data_free(out);
    return status;
}

assay_status text_card_make(model_card *card,
                            assay_ctx *ctx,
                            const train_recipe *recipe,
                            const corpus *c,
                            uint64_t seed) {
    assay_status status = ASSAY_OK;
    tokenizer_wish wish;
    ASSAY_TRY(tokenizer_wish_of(&wish, recipe->tokens));
    size_t learn = wish.kind == TOKENS_BPE ? corpus_cut(c, recipe->held_out) : c->bytes;
    ASSAY_TRY(tokenizer_train(&card->tokens, ctx, wish, c->text, learn));
    card->classes = tokenizer_count(card->tokens);
    card->context = recipe->context;
    card->held_out = recipe->held_out;
    card->seed = seed;
    (void)snprintf(card->dataset_sha256, sizeof card->dataset_sha256, "%s", c->sha256);
done:
    return status;
}

void text_data_free(text_data *d) {
    token_list_free(&d->train);
    token_list_free(&d->held);
    *d = (text_data){0};
}

/* ---- measuring ---- */

typedef struct measure {
    assay_ctx *ctx;
    const trained_model *model;
    nn_weights weights; /* the model's; evaluation does not change them */
    const uint16_t *token;
    size_t predicted; /* tokens */
    nn_exec **exec;   /* [workers], made by their first chunks */
    double *loss;     /* [windows], sums */
    uint32_t *right;  /* [windows] */
} measure;

static size_t chunk_of(const model_card *c) {
    size_t n = MOST_LOGITS / ((size_t)c->context * (size_t)c->classes);
    return n < 1 ? 1 : n > MOST_CHUNK ? MOST_CHUNK : n;
}

static assay_status exec_ready(measure *m, nn_exec **exec) {
    const nn_value keep[] = {m->model->zoo.logits, m->model->zoo.loss};
    const nn_exec_options o = {.mode = NN_EVAL,
                               .batch = (int)chunk_of(&m->model->card),
                               .keep = keep,
                               .n_keep = 2,
                               .target = -1,
                               .dtype = ASSAY_F32,
                               .shards = 1};
    return *exec ? ASSAY_OK
                 : nn_exec_create(exec, m->ctx, m->model->zoo.graph, &m->weights, &o);
}

/* Tokens of a window that are predicted. */
static size_t window_fill(const measure *m, size_t window, int32_t *in, int32_t *labels) {
    size_t length = (size_t)m->model->card.context, at = window * length;
    size_t n = m->predicted - at < length ? m->predicted - at : length;
    for (size_t i = 0; i < length; i++) {
        in[i] = i < n ? m->token[at + i] : 0;
        labels[i] = i < n ? m->token[at + i + 1] : -1;
    }
    return n;
}

static uint32_t
hits(const float *logits, const int32_t *labels, size_t n, size_t classes) {
    uint32_t right = 0;
    for (size_t i = 0; i < n; i++, logits += classes) {
        size_t best = 0;
        for (size_t c = 1; c < classes; c++)
            best = logits[c] > logits[best] ? c : best;
        right += (int32_t)best == labels[i];
    }
    return right;
}

static assay_status chunk(void *arg, int worker, size_t begin, size_t end) {
    assay_status status = ASSAY_OK;
    measure *m = arg;
    const zoo_model *z = &m->model->zoo;
    size_t length = (size_t)z->config.context, classes = (size_t)z->config.classes;
    ASSAY_TRY(exec_ready(m, &m->exec[worker]));
    nn_exec *e = m->exec[worker];
    int32_t *in = nn_exec_input(e, z->images), *labels = nn_exec_input(e, z->labels);
    size_t count[MOST_CHUNK];
    for (size_t w = begin; w < end; w++)
        count[w - begin] =
            window_fill(m, w, in + (w - begin) * length, labels + (w - begin) * length);
    ASSAY_TRY(nn_exec_forward(e, (int)(end - begin)));
    const float *logits = nn_exec_value(e, z->logits), *loss = nn_exec_value(e, z->loss);
    for (size_t w = begin; w < end; w++) {
        size_t i = w - begin;
        m->loss[w] = (double)loss[i] * (double)count[i];
        m->right[w] =
            hits(logits + i * length * classes, labels + i * length, count[i], classes);
    }
done:
    return status;
}

assay_status text_measure(assay_ctx *ctx,
                          const trained_model *model,
                          const uint16_t *token,
                          size_t n,
                          train_measure *out) {
    assay_status status = ASSAY_OK;
    measure m = {.ctx = ctx,
                 .model = model,
                 .weights = model->weights,
                 .token = token,
                 .predicted = n ? n - 1 : 0};
    size_t length = (size_t)model->card.context, threads = (size_t)assay_ctx_threads(ctx);
    size_t windows = (m.predicted + length - 1) / length;
    *out = (train_measure){(double)NAN, (double)NAN};
    if (windows == 0)
        return ASSAY_OK;
    ASSAY_TRY(mem_new(ctx, &m.exec, threads, sizeof(nn_exec *)));
    ASSAY_TRY(mem_new(ctx, &m.loss, windows, sizeof *m.loss));
    ASSAY_TRY(mem_new(ctx, &m.right, windows, sizeof *m.right));
    ASSAY_TRY(assay_parallel_for(ctx, windows, chunk_of(&model->card), chunk, &m));
    double loss = 0, right = 0;
    for (size_t w = 0; w < windows; w++) {
        loss += m.loss[w];
        right += m.right[w];
    }
    *out = (train_measure){loss / (double)m.predicted, right / (double)m.predicted};
done:
    for (size_t i = 0; m.exec && i < threads; i++)
        nn_exec_destroy(m.exec[i]);
    mem_free(ctx, m.exec);
    mem_free(ctx, m.loss);
    mem_free(ctx, m.right);
    return status;
}

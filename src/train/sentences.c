/* Cards and predictions of models that classify sequences. */
#include "train/sentences.h"

#include "base/pool.h"
#include "base/rng.h"
#include "nn/exec.h"

#include <stdio.h>
#include <string.h>

enum { CHUNK = 32, HELD = 3 /* of RNG_SUBSET */ };

assay_status sentences_for(sentences *s, const model_card *card) {
    int words = tokenizer_count(card->tokens);
    return sentences_cut(s, card->tokens, (size_t)card->context, words + ZOO_PAD,
                         words + ZOO_START);
}

bool sentences_held(double held_out, size_t row) {
    rng r = rng_at(0, RNG_SUBSET, HELD, row);
    return rng_uniform(&r) < held_out;
}

static assay_status tokens_make(model_card *card,
                                assay_ctx *ctx,
                                const train_recipe *recipe,
                                const sentences *s,
                                const uint32_t *rows,
                                size_t n) {
    assay_status status = ASSAY_OK;
    tokenizer_wish wish;
    buf text = buf_make(ctx);
    ASSAY_TRY(tokenizer_wish_of(&wish, recipe->tokens));
    if (wish.kind == TOKENS_BPE) {
        for (size_t i = 0; i < n; i++) {
            size_t from = s->begin[rows[i]];
            buf_add(&text, s->text.data + from, s->begin[rows[i] + 1] - from);
            buf_add(&text, "\n", 1);
        }
        ASSAY_TRY(buf_check(&text));
    }
    const buf *learn = wish.kind == TOKENS_BPE ? &text : &s->text;
    ASSAY_TRY(tokenizer_train(&card->tokens, ctx, wish, (const uint8_t *)learn->data,
                              learn->len));
done:
    buf_free(&text);
    return status;
}

assay_status sentences_card_make(model_card *card,
                                 assay_ctx *ctx,
                                 const train_recipe *recipe,
                                 const sentences *s,
                                 const uint32_t *rows,
                                 size_t n,
                                 uint64_t seed) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(tokens_make(card, ctx, recipe, s, rows, n));
    card->context = recipe->context;
    card->held_out = recipe->held_out;
    card->seed = seed;
    card->classes = s->classes;
    (void)snprintf(card->dataset_sha256, sizeof card->dataset_sha256, "%s", s->sha256);
    ASSAY_TRY(
        mem_new(ctx, &card->class_name, (size_t)s->classes, sizeof *card->class_name));
    for (int c = 0; c < s->classes; c++)
        ASSAY_TRY(mem_strdup(ctx, &card->class_name[c], s->class_name[c]));
done:
    return status;
}

/* ---- predictions ---- */

typedef struct prediction {
    assay_ctx *ctx;
    const trained_model *model;
    nn_weights weights; /* the model's; evaluation does not change them */
    const sentences *s;
    const uint32_t *rows;
    nn_exec **exec; /* [workers], made by their first chunks */
    float *logits;
} prediction;

static assay_status chunk(void *arg, int worker, size_t begin, size_t end) {
    assay_status status = ASSAY_OK;
    prediction *p = arg;
    const zoo_model *z = &p->model->zoo;
    size_t classes = (size_t)z->config.classes;
    const nn_exec_options o = {.mode = NN_EVAL,
                               .batch = CHUNK,
                               .keep = &z->logits,
                               .n_keep = 1,
                               .target = -1,
                               .dtype = ASSAY_F32,
                               .shards = 1};
    nn_exec **e = &p->exec[worker];
    if (!*e)
        ASSAY_TRY(nn_exec_create(e, p->ctx, z->graph, &p->weights, &o));
    sentences_feed(nn_exec_input(*e, z->images), p->s, p->rows + begin, end - begin);
    ASSAY_TRY(nn_exec_forward(*e, (int)(end - begin)));
    memcpy(p->logits + begin * classes, nn_exec_value(*e, z->logits),
           (end - begin) * classes * sizeof *p->logits);
    progress_add(p->ctx, (int64_t)(end - begin));
done:
    return status;
}

assay_status sentences_predict(assay_ctx *ctx,
                               const trained_model *m,
                               const sentences *s,
                               const uint32_t *rows,
                               size_t n,
                               float *logits) {
    assay_status status = ASSAY_OK;
    size_t threads = (size_t)assay_ctx_threads(ctx);
    prediction p = {.ctx = ctx,
                    .model = m,
                    .weights = m->weights,
                    .s = s,
                    .rows = rows,
                    .logits = logits};
    ASSAY_TRY(mem_new(ctx, &p.exec, threads, sizeof(nn_exec *)));
    ASSAY_TRY(assay_parallel_for(ctx, n, CHUNK, chunk, &p));
done:
    for (size_t i = 0; p.exec && i < threads; i++)
        nn_exec_destroy(p.exec[i]);
    mem_free(ctx, p.exec);
    return status;
}

/* ---- assay_eval ---- */

assay_status sentences_labels(sentences *s, const model_card *card) {
    for (size_t i = 0; i < s->rows; i++) {
        const char *name = s->class_name[s->label[i]];
        int c = 0;
        while (c < card->classes && strcmp(card->class_name[c], name) != 0)
            c++;
        if (c == card->classes) {
            (void)err_set(ASSAY_E_SHAPE, "the model knows no class \"%.80s\"", name);
            err_where("row %zu", i);
            return ASSAY_E_SHAPE;
        }
        s->label[i] = c;
    }
    return ASSAY_OK;
}

static assay_status split_rows(uint32_t **out,
                               size_t *n,
                               const sentences *s,
                               const model_card *card,
                               const char *split) {
    assay_status status = ASSAY_OK;
    bool whole =
        strcmp(split, "all") == 0 || strcmp(s->sha256, card->dataset_sha256) != 0;
    bool test = strcmp(split, "test") == 0;
    *n = 0;
    ASSAY_TRY(mem_new(s->ctx, out, s->rows, sizeof **out));
    for (size_t i = 0; i < s->rows; i++)
        if (whole || sentences_held(card->held_out, i) == test)
            (*out)[(*n)++] = (uint32_t)i;
    if (*n == 0)
        ASSAY_FAIL(ASSAY_E_NOTFOUND, "there are no %s rows", split);
done:
    return status;
}

assay_status eval_sentences(assay_ctx *ctx,
                            const trained_model *m,
                            int models,
                            const char *source,
                            const char *split,
                            assay_eval_result *result) {
    assay_status status = ASSAY_OK;
    sentences s = {0};
    verdicts v = {0};
    uint32_t *rows = NULL;
    size_t n;
    double single;
    ASSAY_TRY(sentences_read(&s, ctx, source));
    ASSAY_TRY_AT(sentences_labels(&s, &m[0].card), "%s", source);
    ASSAY_TRY_AT(sentences_for(&s, &m[0].card), "%s", source);
    ASSAY_TRY_AT(split_rows(&rows, &n, &s, &m[0].card, split), "%s", source);
    const train_data data = {.sentences = &s, .labels = s.label, .card = &m[0].card};
    ASSAY_TRY(verdicts_init(&v, ctx, n, (size_t)m[0].card.classes));
    progress_begin(ctx, "testing", (int64_t)n * models, "sentences");
    for (int k = 0; k < models; k++)
        ASSAY_TRY(verdicts_add(&v, &m[k], &data, rows, VIEWS_PLAIN));
    progress_end(ctx);
    verdicts_measure(&v, rows, s.label, &result->accuracy, &single, &result->loss);
    result->rows = n;
    result->members = models;
    result->whole = strcmp(s.sha256, m[0].card.dataset_sha256) != 0;
done:
    verdicts_free(&v);
    mem_free(ctx, rows);
    sentences_free(&s);
    return status;
}

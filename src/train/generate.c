/* assay_generate: text out of a model of text. Each token is drawn from what the model
 * says of the place behind those before it; the draw is keyed by (seed, number of the
 * token). */
#include "train/text.h"

#include "train/run_dir.h"

#include "base/options.h"
#include "base/os.h"
#include "base/rng.h"
#include "nn/exec.h"

#include <math.h>
#include <string.h>

enum { MOST_TOKENS = 1000000 };

typedef struct generation {
    assay_ctx *ctx;
    assay_generate_options o;
    const trained_model *model;
    nn_weights weights; /* the model's; evaluation does not change them */
    nn_exec *exec;
    token_list all; /* the prompt's, then the model's */
    size_t prompt;  /* tokens of it */
    bool silent;    /* the first token stands for an empty prompt */
    double *p;      /* [classes] */
} generation;

static assay_status options_check(const assay_generate_options *o) {
    if (o->tokens < 1 || o->tokens > MOST_TOKENS)
        return err_set(ASSAY_E_INVALID, "%d tokens can't be made, 1 to %d can", o->tokens,
                       MOST_TOKENS);
    if (!(o->temperature >= 0 && o->temperature <= 100))
        return err_set(ASSAY_E_INVALID, "a temperature of %g is not from 0 to 100",
                       o->temperature);
    return ASSAY_OK;
}

static assay_status open_model(trained_model *out, assay_ctx *ctx, const char *model) {
    assay_status status = ASSAY_OK;
    char *path = NULL;
    if (os_is_dir(model))
        ASSAY_TRY(dir_path(&path, ctx, model, RUN_MODEL));
    status = model_load(out, ctx, path ? path : model);
    if (status == ASSAY_E_NOTFOUND && path)
        err_help("give the folder of a finished run, or a model file");
    ASSAY_TRY(status);
    if (!out->card.tokens || out->zoo.def->sequences) {
        (void)err_set(ASSAY_E_UNSUPPORTED, "%s is a model of %s", out->card.name,
                      out->card.tokens ? "whole sequences" : "images");
        err_help("train one of text: assay train TEXT --model gpt-tiny");
        ASSAY_TRY_AT(ASSAY_E_UNSUPPORTED, "%s", model);
    }
done:
    mem_free(ctx, path);
    return status;
}

/* The prompt; where it is empty, a line's end stands before the text. */
static assay_status prompt_take(generation *g) {
    assay_status status = ASSAY_OK;
    const char *prompt = g->o.prompt ? g->o.prompt : "";
    const tokenizer *t = g->model->card.tokens;
    g->silent = prompt[0] == '\0';
    status = tokenizer_encode(t, &g->all, (const uint8_t *)(g->silent ? "\n" : prompt),
                              g->silent ? 1 : strlen(prompt));
    if (g->silent && status == ASSAY_E_FORMAT) { /* a vocabulary without it */
        status = mem_grow(g->ctx, &g->all.token, 0, &g->all.cap, 1, sizeof(uint16_t));
        if (status == ASSAY_OK)
            g->all.token[g->all.count++] = 0;
    }
    ASSAY_TRY_AT(status, "the prompt");
    g->prompt = g->all.count;
    ASSAY_TRY(mem_grow(g->ctx, &g->all.token, g->all.count, &g->all.cap,
                       g->all.count + (size_t)g->o.tokens, sizeof(uint16_t)));
done:
    return status;
}

/* The most likely, or one drawn with probabilities proportional to
 * exp(logit / temperature). */
static uint16_t draw(generation *g, const float *logits, size_t number) {
    size_t classes = (size_t)g->model->card.classes, best = 0;
    double sum = 0;
    for (size_t c = 1; c < classes; c++)
        best = logits[c] > logits[best] ? c : best;
    if (!(g->o.temperature > 0))
        return (uint16_t)best;
    for (size_t c = 0; c < classes; c++) {
        g->p[c] = exp(((double)logits[c] - (double)logits[best]) / g->o.temperature);
        sum += g->p[c];
    }
    rng r = rng_at(g->o.seed, RNG_GENERATE, 0, number);
    double at = rng_uniform(&r) * sum;
    size_t c = 0;
    while (c + 1 < classes && at >= g->p[c])
        at -= g->p[c++];
    return (uint16_t)c;
}

/* The tokens seen are the last of all, as many as the context holds; behind them lies
 * what is not looked at, since attention is causal. */
static assay_status next_token(generation *g, size_t number) {
    assay_status status = ASSAY_OK;
    const zoo_model *z = &g->model->zoo;
    size_t context = (size_t)g->model->card.context, classes = (size_t)z->config.classes;
    size_t n = g->all.count < context ? g->all.count : context;
    const uint16_t *from = g->all.token + g->all.count - n;
    int32_t *in = nn_exec_input(g->exec, z->images);
    for (size_t i = 0; i < context; i++)
        in[i] = i < n ? from[i] : 0;
    ASSAY_TRY(nn_exec_forward(g->exec, 1));
    const float *logits = nn_exec_value(g->exec, z->logits) + (n - 1) * classes;
    if (!isfinite(logits[0]))
        ASSAY_FAIL(ASSAY_E_NUMERIC, "the model's output is not finite");
    g->all.token[g->all.count++] = draw(g, logits, number);
done:
    return status;
}

static assay_status run(generation *g) {
    assay_status status = ASSAY_OK;
    const nn_exec_options o = {.mode = NN_EVAL,
                               .batch = 1,
                               .keep = &g->model->zoo.logits,
                               .n_keep = 1,
                               .target = -1,
                               .dtype = ASSAY_F32,
                               .shards = 1};
    ASSAY_TRY(nn_exec_create(&g->exec, g->ctx, g->model->zoo.graph, &g->weights, &o));
    ASSAY_TRY(mem_new(g->ctx, &g->p, (size_t)g->model->card.classes, sizeof *g->p));
    progress_begin(g->ctx, "generating", g->o.tokens, "tokens");
    for (int i = 0; i < g->o.tokens; i++) {
        ASSAY_TRY(ctx_check(g->ctx));
        ASSAY_TRY(next_token(g, (size_t)i));
        progress_add(g->ctx, 1);
    }
    progress_end(g->ctx);
done:
    return status;
}

/* The bytes of all tokens but one that only stands for nothing. */
static assay_status text_make(const generation *g, char **out, size_t *bytes) {
    const tokenizer *t = g->model->card.tokens;
    size_t n = 0, one;
    for (size_t i = g->silent; i < g->all.count; i++) {
        (void)tokenizer_bytes(t, g->all.token[i], &one);
        n += one;
    }
    char *text, *to;
    assay_status status = mem_new(g->ctx, &text, n + 1, 1);
    if (status != ASSAY_OK)
        return status;
    to = text;
    for (size_t i = g->silent; i < g->all.count; i++) {
        const uint8_t *from = tokenizer_bytes(t, g->all.token[i], &one);
        memcpy(to, from, one);
        to += one;
    }
    *out = text;
    *bytes = n;
    return ASSAY_OK;
}

assay_status text_generate(assay_ctx *ctx,
                           const trained_model *m,
                           const assay_generate_options *options,
                           char **out,
                           size_t *bytes) {
    assay_status status = ASSAY_OK;
    generation g = {
        .ctx = ctx, .o = ASSAY_GENERATE_OPTIONS_INIT, .model = m, .weights = m->weights};
    *out = NULL;
    *bytes = 0;
    ASSAY_TRY(options_take(&g.o, sizeof g.o, options, "assay_generate_options"));
    ASSAY_TRY(options_check(&g.o));
    ASSAY_TRY(prompt_take(&g));
    ASSAY_TRY(run(&g));
    ASSAY_TRY(text_make(&g, out, bytes));
done:
    nn_exec_destroy(g.exec);
    mem_free(ctx, g.p);
    token_list_free(&g.all);
    return status;
}

assay_status assay_generate(assay_ctx *ctx,
                            const char *model,
                            const assay_generate_options *options,
                            char **out,
                            size_t *bytes) {
    assay_status status = ASSAY_OK;
    trained_model m = {0};
    *out = NULL;
    *bytes = 0;
    ASSAY_TRY(open_model(&m, ctx, model));
    ASSAY_TRY(text_generate(ctx, &m, options, out, bytes));
done:
    model_free(&m);
    return status;
}

/* Trains gpt-tiny to predict the next character of a text, and says how well it predicts
 * the last tenth, which it has not seen: one line of JSON. For bench/precision_study.py.
 *
 *   text FILE [steps=200] [batch=16] [seed=0] [precision=f32] [lr=2e-3]
 *
 * AdamW (betas 0.9, 0.95; decay 0.1), the rate rises over a tenth of the steps and falls
 * by a cosine to a tenth. */
#include <assay/assay.h>

#include "base/os.h"
#include "base/rng.h"
#include "nn/exec.h"
#include "train/optimizer.h"
#include "zoo/zoo.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONTEXT = 128, TEST_BATCHES = 16 };

typedef struct study {
    assay_ctx *ctx;
    int32_t *token; /* [n], the text */
    size_t n, train;
    int vocabulary, steps, batch;
    uint64_t seed;
    double lr, train_loss;
    assay_dtype dtype;
    zoo_model zoo;
    nn_weights weights;
    optimizer optimizer;
    float *back; /* [batch] 1 / batch each */
} study;

static const char *text(int argc, char **argv, const char *key, const char *otherwise) {
    size_t n = strlen(key);
    for (int i = 2; i < argc; i++)
        if (strncmp(argv[i], key, n) == 0 && argv[i][n] == '=')
            return argv[i] + n + 1;
    return otherwise;
}

/* Bytes that occur become tokens, in their order. */
static assay_status text_read(study *s, const char *path) {
    assay_status status = ASSAY_OK;
    uint8_t *bytes = NULL;
    int32_t number[256] = {0};
    ASSAY_TRY(os_read_file(s->ctx, path, 1U << 30, &bytes, &s->n));
    s->train = s->n / 10 * 9;
    if (s->n - s->train < 2 * CONTEXT)
        ASSAY_FAIL(ASSAY_E_FORMAT, "%zu bytes of text are too few", s->n);
    ASSAY_TRY(mem_new(s->ctx, &s->token, s->n, sizeof *s->token));
    for (size_t i = 0; i < s->n; i++)
        number[bytes[i]] = 1;
    for (int b = 0; b < 256; b++)
        number[b] = number[b] ? s->vocabulary++ : -1;
    for (size_t i = 0; i < s->n; i++)
        s->token[i] = number[bytes[i]];
done:
    mem_free(s->ctx, bytes);
    return status;
}

static void feed(const study *s, nn_exec *e, int row, size_t from) {
    int32_t *x = nn_exec_input(e, s->zoo.images), *y = nn_exec_input(e, s->zoo.labels);
    memcpy(x + (size_t)row * CONTEXT, s->token + from, CONTEXT * sizeof *x);
    memcpy(y + (size_t)row * CONTEXT, s->token + from + 1, CONTEXT * sizeof *y);
}

static double mean_loss(const study *s, const nn_exec *e) {
    const float *losses = nn_exec_value(e, s->zoo.loss);
    double sum = 0;
    for (int i = 0; i < s->batch; i++)
        sum += (double)losses[i];
    return sum / s->batch;
}

static double rate_at(const study *s, int step) {
    const double pi = 3.14159265358979323846;
    int rise = s->steps / 10;
    if (step < rise)
        return s->lr * (step + 1) / rise;
    double done = (double)(step - rise) / (s->steps - rise);
    return s->lr * (0.55 + 0.45 * cos(pi * done));
}

static assay_status exec_make(study *s, nn_mode mode, nn_exec **out) {
    const nn_exec_options o = {.mode = mode,
                               .batch = s->batch,
                               .keep = &s->zoo.loss,
                               .n_keep = 1,
                               .target = mode == NN_TRAIN ? s->zoo.loss : -1,
                               .dtype = s->dtype};
    return nn_exec_create(out, s->ctx, s->zoo.graph, &s->weights, &o);
}

static assay_status train(study *s) {
    assay_status status = ASSAY_OK;
    nn_exec *e = NULL;
    ASSAY_TRY(exec_make(s, NN_TRAIN, &e));
    for (int step = 0; step < s->steps; step++) {
        for (int i = 0; i < s->batch; i++) {
            rng r = rng_at(s->seed, RNG_BENCH, (uint32_t)step, (uint64_t)i);
            feed(s, e, i, (size_t)rng_below(&r, s->train - CONTEXT - 1));
        }
        ASSAY_TRY(nn_exec_forward(e, s->batch));
        s->train_loss = mean_loss(s, e);
        ASSAY_TRY(nn_exec_backward(e, s->back));
        optimizer_step(&s->optimizer, s->weights.params, nn_exec_grads(e),
                       (train_pace){.rate = rate_at(s, step)});
    }
done:
    nn_exec_destroy(e);
    return status;
}

/* Over windows that lie evenly in the rest of the text, the same for every run. */
static assay_status test(study *s, double *loss) {
    assay_status status = ASSAY_OK;
    nn_exec *e = NULL;
    size_t windows = (size_t)TEST_BATCHES * (size_t)s->batch;
    size_t apart = (s->n - s->train - CONTEXT - 1) / windows;
    *loss = 0;
    ASSAY_TRY(exec_make(s, NN_EVAL, &e));
    for (size_t b = 0; b < TEST_BATCHES; b++) {
        for (int i = 0; i < s->batch; i++)
            feed(s, e, i, s->train + apart * (b * (size_t)s->batch + (size_t)i));
        ASSAY_TRY(nn_exec_forward(e, s->batch));
        *loss += mean_loss(s, e) / TEST_BATCHES;
    }
done:
    nn_exec_destroy(e);
    return status;
}

static assay_status run(study *s, const char *path) {
    assay_status status = ASSAY_OK;
    double loss;
    optimizer_options o = OPTIMIZER_OPTIONS_INIT;
    o.name = "adamw";
    o.beta2 = 0.95;
    o.weight_decay = 0.1;
    ASSAY_TRY(text_read(s, path));
    const zoo_config config = {.classes = s->vocabulary, .context = CONTEXT};
    ASSAY_TRY(zoo_build(&s->zoo, s->ctx, "gpt-tiny", &config));
    ASSAY_TRY(nn_weights_create(&s->weights, s->ctx, s->zoo.graph, s->seed));
    ASSAY_TRY(optimizer_create(&s->optimizer, s->ctx, s->zoo.graph, &o));
    ASSAY_TRY(mem_new(s->ctx, &s->back, (size_t)s->batch, sizeof *s->back));
    for (int i = 0; i < s->batch; i++)
        s->back[i] = 1.0F / (float)s->batch;
    ASSAY_TRY(train(s));
    ASSAY_TRY(test(s, &loss));
    printf("{\"loss\": %.6f, \"train_loss\": %.6f, \"cpu_seconds\": %.3f}\n", loss,
           s->train_loss, 1e-9 * (double)os_cpu_ns());
done:
    return status;
}

int main(int argc, char **argv) {
    study s = {.vocabulary = 0};
    if (argc < 2) {
        fprintf(stderr,
                "usage: text FILE [steps=] [batch=] [seed=] [precision=] [lr=]\n");
        return 2;
    }
    s.steps = (int)strtol(text(argc, argv, "steps", "200"), NULL, 10);
    s.batch = (int)strtol(text(argc, argv, "batch", "16"), NULL, 10);
    s.seed = strtoull(text(argc, argv, "seed", "0"), NULL, 10);
    s.lr = strtod(text(argc, argv, "lr", "2e-3"), NULL);
    bool half = strcmp(text(argc, argv, "precision", "f32"), "bf16") == 0;
    s.dtype = half ? ASSAY_BF16 : ASSAY_F32;
    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    o.threads = 1;
    assay_status status =
        s.steps < 10 || s.batch < 1 ? ASSAY_E_INVALID : assay_ctx_create(&s.ctx, &o);
    if (status == ASSAY_OK)
        status = run(&s, argv[1]);
    if (status != ASSAY_OK)
        fprintf(stderr, "text: %s\n", assay_last_error()->message);
    if (s.ctx) {
        optimizer_destroy(&s.optimizer);
        nn_weights_destroy(&s.weights, s.ctx);
        zoo_destroy(&s.zoo);
        mem_free(s.ctx, s.token);
        mem_free(s.ctx, s.back);
    }
    assay_ctx_destroy(s.ctx);
    return status != ASSAY_OK;
}

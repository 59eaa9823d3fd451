/* Batches of text: windows of tokens, each with the tokens that follow as its labels.
 * Every window of an epoch begins at a place of its own, drawn anew: keyed by (seed,
 * epoch, number of the window). An epoch has as many as would fit side by side. */
#include "base/rng.h"
#include "train/text.h"

typedef struct windows {
    int32_t *in, *labels; /* [batch, context] */
    size_t context;
    uint64_t seed;
    uint32_t epoch;
    int64_t next;
} windows;

static assay_status check(const train_data *d, const train_job *job) {
    if (d->text->train.count > (size_t)d->card->context &&
        job->n_rows == text_windows(d->text, d->card->context))
        return ASSAY_OK;
    (void)err_set(ASSAY_E_SHAPE, "%zu tokens are no window of %d and what follows it",
                  d->text->train.count, d->card->context);
    err_help("give more text, or a smaller --context");
    return ASSAY_E_SHAPE;
}

static void key(hash_sha256 *h, const train_data *d, const train_job *job) {
    hash_sha256_str(h, "tokens");
    hash_sha256_u64(h, (uint64_t)d->card->context);
    hash_sha256_u64(h, (uint64_t)d->card->classes);
    hash_sha256_u64(h, job->seed);
    hash_sha256_u64(h, d->text->train.count);
    hash_sha256_add(h, d->text->train.token,
                    d->text->train.count * sizeof *d->text->train.token);
}

static assay_status start(batches *b, const train_recipe *recipe, const train_job *job) {
    assay_status status = ASSAY_OK;
    windows *w;
    (void)recipe;
    size_t context = (size_t)b->data->card->context, n = (size_t)b->batch * context;
    ASSAY_TRY(mem_new(b->ctx, &w, 1, sizeof *w));
    b->state = w;
    ASSAY_TRY(mem_new(b->ctx, &w->in, n, sizeof *w->in));
    ASSAY_TRY(mem_new(b->ctx, &w->labels, n, sizeof *w->labels));
    w->context = context;
    w->seed = job->seed;
    b->count = (int64_t)job->n_rows / b->batch;
    b->input_bytes = context * sizeof *w->in;
    b->labels = context;
    b->shards = text_shards(b->batch, context);
done:
    return status;
}

static assay_status epoch(batches *b, uint32_t number) {
    windows *w = b->state;
    w->epoch = number;
    w->next = 0;
    return ASSAY_OK;
}

static assay_status next(batches *b, train_batch *out) {
    windows *w = b->state;
    const token_list *l = &b->data->text->train;
    *out = (train_batch){.inputs = w->in, .labels = w->labels};
    if (w->next == b->count)
        return ASSAY_OK;
    for (int k = 0; k < b->batch; k++) {
        rng r = rng_at(w->seed, RNG_WINDOW, w->epoch, (uint64_t)(w->next * b->batch + k));
        const uint16_t *from = l->token + rng_below(&r, l->count - w->context);
        for (size_t i = 0; i < w->context; i++) {
            w->in[(size_t)k * w->context + i] = from[i];
            w->labels[(size_t)k * w->context + i] = from[i + 1];
        }
    }
    w->next++;
    out->n = b->batch;
    return ASSAY_OK;
}

static assay_status measure(batches *b, const trained_model *m, train_measure *out) {
    const token_list *held = &b->data->text->held;
    return text_measure(b->ctx, m, held->token, held->count, out);
}

static void end(batches *b) {
    windows *w = b->state;
    if (w) {
        mem_free(b->ctx, w->in);
        mem_free(b->ctx, w->labels);
    }
    mem_free(b->ctx, w);
}

const batches_kind batches_of_tokens = {.check = check,
                                        .key = key,
                                        .start = start,
                                        .epoch = epoch,
                                        .next = next,
                                        .measure = measure,
                                        .end = end};

/* Batches of labelled sequences, shuffled anew in every epoch: keyed by (seed, epoch). */
#include "base/rng.h"
#include "train/sentences.h"
#include "train/text.h"

typedef struct shuffled {
    int32_t *in, *labels; /* [batch, context], [batch] */
    uint32_t *row;        /* [batch] */
    const train_job *job;
    rng_perm order;
    int64_t next;
} shuffled;

static assay_status check(const train_data *d, const train_job *job) {
    for (size_t i = 0; i < job->n_rows; i++)
        if (job->rows[i] >= d->sentences->rows || d->labels[job->rows[i]] < 0 ||
            d->labels[job->rows[i]] >= d->card->classes)
            return err_set(ASSAY_E_SHAPE,
                           "row %u is not among the %zu rows, or its label not among %d",
                           job->rows[i], d->sentences->rows, d->card->classes);
    return ASSAY_OK;
}

static void key(hash_sha256 *h, const train_data *d, const train_job *job) {
    const sentences *s = d->sentences;
    hash_sha256_str(h, "sentences");
    hash_sha256_u64(h, s->context);
    hash_sha256_u64(h, (uint64_t)d->card->classes);
    hash_sha256_u64(h, job->seed);
    hash_sha256_u64(h, job->n_rows);
    for (size_t i = 0; i < job->n_rows; i++) {
        size_t row = job->rows[i];
        hash_sha256_u64(h, (uint64_t)d->labels[row] << 32 | row);
        hash_sha256_add(h, s->tokens.token + s->at[row],
                        (s->at[row + 1] - s->at[row]) * sizeof *s->tokens.token);
    }
}

static assay_status start(batches *b, const train_recipe *recipe, const train_job *job) {
    assay_status status = ASSAY_OK;
    shuffled *w;
    (void)recipe;
    size_t context = b->data->sentences->context, batch = (size_t)b->batch;
    ASSAY_TRY(mem_new(b->ctx, &w, 1, sizeof *w));
    b->state = w;
    w->job = job;
    ASSAY_TRY(mem_new(b->ctx, &w->in, batch * context, sizeof *w->in));
    ASSAY_TRY(mem_new(b->ctx, &w->labels, batch, sizeof *w->labels));
    ASSAY_TRY(mem_new(b->ctx, &w->row, batch, sizeof *w->row));
    b->count = (int64_t)job->n_rows / b->batch;
    b->input_bytes = context * sizeof *w->in;
    b->labels = 1;
    b->shards = text_shards(b->batch, context);
done:
    return status;
}

static assay_status epoch(batches *b, uint32_t number) {
    shuffled *w = b->state;
    w->order = rng_perm_make(w->job->n_rows, w->job->seed, RNG_ORDER, number);
    w->next = 0;
    return ASSAY_OK;
}

static assay_status next(batches *b, train_batch *out) {
    shuffled *w = b->state;
    *out = (train_batch){.inputs = w->in, .labels = w->labels};
    if (w->next == b->count)
        return ASSAY_OK;
    for (int k = 0; k < b->batch; k++) {
        uint64_t place = (uint64_t)(w->next * b->batch + k);
        w->row[k] = w->job->rows[rng_perm_at(&w->order, place)];
        w->labels[k] = b->data->labels[w->row[k]];
    }
    sentences_feed(w->in, b->data->sentences, w->row, (size_t)b->batch);
    w->next++;
    out->n = b->batch;
    return ASSAY_OK;
}

static void end(batches *b) {
    shuffled *w = b->state;
    if (w) {
        mem_free(b->ctx, w->in);
        mem_free(b->ctx, w->labels);
        mem_free(b->ctx, w->row);
    }
    mem_free(b->ctx, w);
}

const batches_kind batches_of_sentences = {
    .check = check, .key = key, .start = start, .epoch = epoch, .next = next, .end = end};

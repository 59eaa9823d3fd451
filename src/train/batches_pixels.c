/* Batches of images: pixels in memory, shifted and mirrored by the feeder. */
#include "train/batches.h"

#include <string.h>

static assay_status check(const train_data *d, const train_job *job) {
    const model_card *c = d->card;
    const npy_array *p = d->pixels;
    if (p->dtype != ASSAY_U8 || p->ndim != 4 || p->dim[1] != c->size ||
        p->dim[2] != c->size || p->dim[3] != c->channels)
        return err_set(ASSAY_E_SHAPE, "pixels are not u8 [rows,%d,%d,%d]", c->size,
                       c->size, c->channels);
    for (size_t i = 0; i < job->n_rows; i++)
        if (job->rows[i] >= (uint64_t)p->dim[0] || d->labels[job->rows[i]] < 0 ||
            d->labels[job->rows[i]] >= c->classes)
            return err_set(ASSAY_E_SHAPE,
                           "row %u is not among the %lld rows, or its label not among %d",
                           job->rows[i], (long long)p->dim[0], c->classes);
    return ASSAY_OK;
}

static void key(hash_sha256 *h, const train_data *d, const train_job *job) {
    const model_card *c = d->card;
    uint8_t word[4];
    hash_sha256_u64(h, (uint64_t)c->size);
    hash_sha256_u64(h, (uint64_t)c->channels);
    hash_sha256_u64(h, (uint64_t)c->classes);
    for (int i = 0; i < 6; i++) {
        memcpy(word, i < 3 ? &c->mean[i] : &c->std[i - 3], sizeof word);
        hash_sha256_add(h, word, sizeof word);
    }
    hash_sha256_u64(h, job->seed);
    hash_sha256_u64(h, job->n_rows);
    for (size_t i = 0; i < job->n_rows; i++)
        hash_sha256_u64(h, (uint64_t)d->labels[job->rows[i]] << 32 | job->rows[i]);
}

/* The place of a word among those of translate's argument. */
static double edge_of(const train_recipe *r) {
    return strcmp(r->edge, "repeat") == 0 ? 1 : strcmp(r->edge, "reflect") == 0 ? 2 : 0;
}

static assay_status start(batches *b, const train_recipe *recipe, const train_job *job) {
    const model_card *c = b->data->card;
    const feeder_source source = {.pixels = b->data->pixels,
                                  .labels = b->data->labels,
                                  .size = c->size,
                                  .channels = c->channels};
    feeder_transform transforms[2];
    feeder *f;
    int n = 0;
    if (recipe->translate > 0)
        transforms[n++] =
            (feeder_transform){"translate", {recipe->translate, edge_of(recipe)}};
    if (recipe->flip)
        transforms[n++] = recipe->alternate ? (feeder_transform){"alternating_flip", {0}}
                                            : (feeder_transform){"flip", {0.5}};
    feeder_options o = {.batch = b->batch,
                        .order = FEEDER_RANDOM,
                        .seed = job->seed,
                        .drop_last = true,
                        .rows = job->rows,
                        .n_rows = job->n_rows,
                        .transforms = transforms,
                        .n_transforms = n};
    memcpy(o.mean, c->mean, sizeof o.mean);
    memcpy(o.std, c->std, sizeof o.std);
    assay_status status = feeder_create(&f, b->ctx, &source, &o);
    if (status != ASSAY_OK)
        return status;
    b->state = f;
    b->count = (int64_t)feeder_batches(f);
    b->input_bytes =
        (size_t)c->size * (size_t)c->size * (size_t)c->channels * sizeof(float);
    b->labels = 1;
    return ASSAY_OK;
}

static assay_status epoch(batches *b, uint32_t number) {
    return feeder_epoch(b->state, number);
}

static assay_status next(batches *b, train_batch *out) {
    feeder_batch f;
    assay_status status = feeder_next(b->state, &f);
    if (status == ASSAY_OK)
        *out = (train_batch){f.n, f.images, f.labels};
    return status;
}

static void end(batches *b) {
    feeder_destroy(b->state);
}

const batches_kind batches_of_pixels = {
    .check = check, .key = key, .start = start, .epoch = epoch, .next = next, .end = end};

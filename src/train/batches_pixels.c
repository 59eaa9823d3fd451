/* Batches of images: pixels in memory, shifted and mirrored by the feeder. */
#include "train/batches.h"

#include "base/rng.h"
#include "train/mixer.h"
#include "train/run.h"

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

typedef struct images {
    feeder *feeder;
    uint32_t *train, *held; /* the job's rows, in their order */
    size_t n_train, n_held;
    mixer mixer; /* where the recipe mixes images */
    uint32_t epoch;
    uint64_t taken; /* batches of it */
} images;

/* Which rows are held out depends on the seed and the job's rows alone. */
static assay_status rows_split(images *m, batches *b, const train_job *job, size_t held) {
    assay_status status = ASSAY_OK;
    size_t n = job->n_rows;
    ASSAY_TRY(mem_new(b->ctx, &m->train, n + 1, sizeof *m->train));
    ASSAY_TRY(mem_new(b->ctx, &m->held, held + 1, sizeof *m->held));
    rng r = rng_at(job->seed, RNG_SUBSET, 2, 0);
    for (size_t i = 0; i < n; i++) {
        size_t wanted = held - m->n_held; /* of the n - i that are left */
        if (rng_below(&r, n - i) < wanted)
            m->held[m->n_held++] = job->rows[i];
        else
            m->train[m->n_train++] = job->rows[i];
    }
done:
    return status;
}

static assay_status
feeder_start(images *m, batches *b, const train_recipe *recipe, const train_job *job) {
    const model_card *c = b->data->card;
    const feeder_source source = {.pixels = b->data->pixels,
                                  .labels = b->data->labels,
                                  .size = c->size,
                                  .channels = c->channels};
    feeder_transform transforms[2];
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
                        .rows = m->train,
                        .n_rows = m->n_train,
                        .transforms = transforms,
                        .n_transforms = n};
    memcpy(o.mean, c->mean, sizeof o.mean);
    memcpy(o.std, c->std, sizeof o.std);
    return feeder_create(&m->feeder, b->ctx, &source, &o);
}

static assay_status start(batches *b, const train_recipe *recipe, const train_job *job) {
    assay_status status = ASSAY_OK;
    const model_card *c = b->data->card;
    images *m;
    ASSAY_TRY(mem_new(b->ctx, &m, 1, sizeof *m));
    b->state = m;
    ASSAY_TRY(rows_split(m, b, job, batches_held(recipe, job->n_rows)));
    ASSAY_TRY(feeder_start(m, b, recipe, job));
    if (recipe->mixup > 0 || recipe->cutmix > 0)
        ASSAY_TRY(mixer_create(&m->mixer, b->ctx, recipe->mixup > 0 ? "mixup" : "cutmix",
                               recipe->mixup > 0 ? recipe->mixup : recipe->cutmix,
                               c->size, c->channels, c->classes, b->batch, job->seed));
    b->count = (int64_t)feeder_batches(m->feeder);
    b->input_bytes =
        (size_t)c->size * (size_t)c->size * (size_t)c->channels * sizeof(float);
    b->labels = 1;
done:
    return status;
}

static assay_status epoch(batches *b, uint32_t number) {
    images *m = b->state;
    m->epoch = number;
    m->taken = 0;
    return feeder_epoch(m->feeder, number);
}

static assay_status next(batches *b, train_batch *out) {
    images *m = b->state;
    feeder_batch f;
    assay_status status = feeder_next(m->feeder, &f);
    if (status != ASSAY_OK)
        return status;
    *out = (train_batch){.n = f.n, .inputs = f.images, .labels = f.labels};
    if (m->mixer.kind) {
        mixer_mix(&m->mixer, m->epoch, m->taken++, f.images, f.labels, f.n);
        out->inputs = m->mixer.mixed;
        out->other = m->mixer.other;
        out->share = m->mixer.share;
    }
    return ASSAY_OK;
}

static assay_status measure(batches *b, const trained_model *model, train_measure *out) {
    assay_status status = ASSAY_OK;
    const images *m = b->state;
    verdicts v = {0};
    double single;
    if (m->n_held == 0)
        return ASSAY_OK;
    ASSAY_TRY(verdicts_init(&v, b->ctx, m->n_held, (size_t)b->data->card->classes));
    ASSAY_TRY(verdicts_add(&v, model, b->data, m->held, predict_views_of(&model->card)));
    verdicts_measure(&v, m->held, b->data->labels, &out->accuracy, &single, &out->loss);
done:
    verdicts_free(&v);
    return status;
}

static void end(batches *b) {
    images *m = b->state;
    if (m) {
        feeder_destroy(m->feeder);
        mixer_destroy(&m->mixer);
        mem_free(b->ctx, m->train);
        mem_free(b->ctx, m->held);
    }
    mem_free(b->ctx, m);
}

const batches_kind batches_of_pixels = {.check = check,
                                        .key = key,
                                        .start = start,
                                        .epoch = epoch,
                                        .next = next,
                                        .measure = measure,
                                        .end = end};

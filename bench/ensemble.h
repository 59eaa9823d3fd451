/* What studies of an ensemble begin with: a random part of a dataset, members trained on
 * balanced two thirds of it as the audit trains them, what they say of every row, and
 * TRAK over them. */
#ifndef BENCH_ENSEMBLE_H
#define BENCH_ENSEMBLE_H

#include <assay/assay.h>

#include "attribute/trak/attribute.h"
#include "base/os.h"
#include "base/rng.h"
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_MEMBERS = 60, STUDY_ROWS = 10 };

typedef struct study {
    assay_ctx *ctx;
    dataset *data;
    npy_array pixels; /* the subset's rows, then all test rows */
    int32_t *labels;
    uint64_t train, total;
    int classes;
    model_card card;
    train_recipe recipe;
    trained_model model[MOST_MEMBERS];
    int members, sketch;
    float *logits; /* [members, total, classes] */
    uint8_t *seen;
    float *q; /* [train], borrowed by the kernels */
} study;

static inline double margin(const float *logits, int k, int label) {
    double z = 0, most = -INFINITY;
    for (int c = 0; c < k; c++)
        if (c != label && (double)logits[c] > most)
            most = logits[c];
    for (int c = 0; c < k; c++)
        if (c != label)
            z += exp((double)logits[c] - most);
    return (double)logits[label] - most - log(z);
}

static inline assay_status load(study *s,
                                const char *source,
                                const char *work,
                                uint64_t rows,
                                int epochs,
                                const char *model) {
    assay_status status = ASSAY_OK;
    char path[4096];
    npy_array all = {0};
    bool flip = false;
    snprintf(path, sizeof path, "%s/data.beton", work);
    ASSAY_TRY(os_mkdirs(work));
    ASSAY_TRY(dataset_open_any(&s->data, s->ctx, source, path, NULL));
    int size = train_size_for(s->data), ch = dataset_channels(s->data);
    snprintf(path, sizeof path, "%s/pixels.npy", work);
    ASSAY_TRY(dataset_pixels(s->data, s->ctx, size, ch, path, &all));
    uint64_t n = dataset_train_rows(s->data), tests = dataset_rows(s->data) - n;
    s->classes = dataset_classes(s->data);
    s->train = rows < n ? rows : n;
    s->total = s->train + tests;
    size_t each = (size_t)size * (size_t)size * (size_t)ch;
    const int64_t dim[4] = {(int64_t)s->total, size, size, ch};
    snprintf(path, sizeof path, "%s/subset.npy", work);
    ASSAY_TRY(npy_create(&s->pixels, s->ctx, path, ASSAY_U8, 4, dim));
    ASSAY_TRY(mem_new(s->ctx, &s->labels, s->total, sizeof *s->labels));
    rng_perm perm = rng_perm_make(n, 0, RNG_TEST, STUDY_ROWS);
    for (uint64_t i = 0; i < s->total; i++) {
        uint64_t row = i < s->train ? rng_perm_at(&perm, i) : n + (i - s->train);
        memcpy(s->pixels.data + i * each, all.data + row * each, each);
        s->labels[i] = dataset_label(s->data, row);
    }
    ASSAY_TRY(
        data_bears_flip(s->ctx, &s->pixels, s->labels, s->train, s->classes, 0, &flip));
    assay_train_options o = ASSAY_TRAIN_OPTIONS_INIT;
    o.epochs = epochs;
    o.model = model;
    ASSAY_TRY(train_recipe_make(&s->recipe, &o, s->train, size, flip));
    snprintf(s->card.name, sizeof s->card.name, "%s", s->recipe.model);
    s->card.size = size;
    s->card.channels = ch;
    s->card.classes = s->classes;
    dataset_statistics(&s->pixels, s->train, s->card.mean, s->card.std);
    ASSAY_TRY(mem_new(s->ctx, &s->card.class_name, (size_t)s->classes, sizeof(char *)));
    for (int c = 0; c < s->classes; c++)
        ASSAY_TRY(
            mem_strdup(s->ctx, &s->card.class_name[c], dataset_class_name(s->data, c)));
done:
    npy_close(&all);
    return status;
}

static inline assay_status
attribute(study *s, const char *work, att_trak **trak, row_store **store) {
    assay_status status = ASSAY_OK;
    train_job job[MOST_MEMBERS];
    uint32_t *rows[MOST_MEMBERS] = {0};
    char path[4096], hash[65];
    size_t k = (size_t)s->classes;
    memset(job, 0, sizeof job);
    ASSAY_TRY(mem_new(s->ctx, &s->seen, (size_t)s->members * s->train, 1));
    ASSAY_TRY(
        train_subsets(s->ctx, s->labels, s->train, s->classes, s->members, 0, s->seen));
    for (int m = 0; m < s->members; m++) {
        ASSAY_TRY(mem_new(s->ctx, &rows[m], s->train, sizeof **rows));
        for (uint64_t i = 0; i < s->train; i++)
            if (s->seen[(uint64_t)m * s->train + i])
                rows[m][job[m].n_rows++] = (uint32_t)i;
        job[m].rows = rows[m];
        job[m].seed = 1000 + (uint64_t)m;
        job[m].identity = "study";
        job[m].result = &s->model[m];
    }
    const train_data data = {.pixels = &s->pixels, .labels = s->labels, .card = &s->card};
    ASSAY_TRY(train_fleet(s->ctx, &data, &s->recipe, job, (size_t)s->members));
    ASSAY_TRY(mem_new(s->ctx, &s->logits, (size_t)s->members * s->total * k,
                      sizeof *s->logits));
    for (size_t m = 0; m < (size_t)s->members; m++) {
        ASSAY_TRY(train_predict(s->ctx, &s->model[m], &s->pixels, NULL, s->total,
                                s->recipe.flip, s->logits + m * s->total * k, NULL));
        const att_sketch sketch = {s->sketch, 77 + m};
        snprintf(path, sizeof path, "%s/features-%zu", work, m);
        snprintf(hash, sizeof hash, "%llu", (unsigned long long)os_now_ns());
        ASSAY_TRY(att_features(&store[m], s->ctx, &s->model[m], hash, &s->pixels,
                               s->labels, &sketch, path));
    }
    ASSAY_TRY(mem_new(s->ctx, &s->q, s->train, sizeof *s->q));
    for (uint64_t i = 0; i < s->train; i++) {
        int judges = 0;
        for (size_t m = 0; m < (size_t)s->members; m++)
            if (!s->seen[m * s->train + i]) {
                double f =
                    margin(s->logits + (m * s->total + i) * k, (int)k, s->labels[i]);
                s->q[i] += (float)(1 / (1 + exp(f)));
                judges++;
            }
        s->q[i] /= (float)judges;
    }
    const att_trak_options o = {.ridge = 1, .use_q = true};
    ASSAY_TRY(att_trak_create(trak, s->ctx, store, s->members, s->train, NULL, s->q, &o));
done:
    for (int m = 0; m < s->members; m++)
        mem_free(s->ctx, rows[m]);
    return status;
}

static inline void study_free(study *s) {
    for (int m = 0; m < s->members; m++)
        model_free(&s->model[m]);
    if (s->ctx) {
        mem_free(s->ctx, s->labels);
        mem_free(s->ctx, s->logits);
        mem_free(s->ctx, s->seen);
        mem_free(s->ctx, s->q);
        model_card_free(&s->card, s->ctx);
    }
    npy_close(&s->pixels);
    dataset_close(s->data);
    assay_ctx_destroy(s->ctx);
}

#endif

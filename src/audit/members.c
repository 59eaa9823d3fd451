/* The ensemble: members trained on balanced two-thirds subsets, and what they say of
 * every row. A training row is judged only by the members that never saw it. */
#include "audit/run.h"

#include "base/os.h"
#include "base/pool.h"
#include "base/rng.h"
#include "file/atomic.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static uint64_t member_seed(uint64_t seed, int member) {
    uint32_t w[4];
    rng_philox(w, seed, RNG_SUBSET, 1, (uint64_t)member, 0);
    return (uint64_t)w[0] | (uint64_t)w[1] << 32;
}

static assay_status file_hash(const audit_run *r, const char *path, char out[65]) {
    assay_status status = ASSAY_OK;
    os_map map = {0};
    hash_sha256 h;
    uint8_t digest[32];
    ASSAY_TRY(os_map_file(&map, path, false));
    hash_sha256_init(&h);
    hash_sha256_add(&h, map.data, map.bytes);
    hash_sha256_end(&h, digest);
    hash_hex(out, digest);
done:
    os_unmap(&map);
    (void)r;
    return status;
}

static assay_status card_make(const audit_run *r, model_card *card) {
    assay_status status = ASSAY_OK;
    const struct assay_audit *a = r->a;
    memset(card, 0, sizeof *card);
    snprintf(card->name, sizeof card->name, "%s", r->recipe.model);
    snprintf(card->dataset_sha256, sizeof card->dataset_sha256, "%s", a->sha256);
    snprintf(card->recipe, sizeof card->recipe, "%s", a->recipe);
    card->size = a->size;
    card->channels = a->channels;
    card->classes = a->classes;
    card->seed = a->seed;
    dataset_statistics(&r->pixels, a->train_rows, card->mean, card->std);
    ASSAY_TRY(
        mem_new(r->ctx, &card->class_name, (size_t)a->classes, sizeof *card->class_name));
    for (int c = 0; c < a->classes; c++)
        ASSAY_TRY(
            mem_strdup(r->ctx, &card->class_name[c], dataset_class_name(a->data, c)));
done:
    if (status != ASSAY_OK)
        model_card_free(card, r->ctx);
    return status;
}

assay_status members_train(audit_run *r) {
    assay_status status = ASSAY_OK;
    struct assay_audit *a = r->a;
    size_t m_count = (size_t)a->members;
    train_job *job = NULL;
    uint32_t **rows = NULL;
    char(*dir)[AUDIT_PATH] = NULL;
    char path[AUDIT_PATH];
    model_card card = {0};
    ASSAY_TRY(mem_new(r->ctx, &job, m_count, sizeof *job));
    ASSAY_TRY(mem_new(r->ctx, &rows, m_count, sizeof *rows));
    ASSAY_TRY(mem_new(r->ctx, &dir, m_count, sizeof *dir));
    ASSAY_TRY(mem_new(r->ctx, &r->model, m_count, sizeof *r->model));
    ASSAY_TRY(mem_new(r->ctx, &r->model_hash, m_count, sizeof *r->model_hash));
    ASSAY_TRY(mem_new(r->ctx, &r->seen, m_count * a->train_rows, 1));
    ASSAY_TRY(train_subsets(r->ctx, r->labels, a->train_rows, a->classes, a->members,
                            a->seed, r->seen));
    ASSAY_TRY(card_make(r, &card));
    for (size_t m = 0; m < m_count; m++) {
        uint8_t *seen = r->seen + m * a->train_rows;
        size_t n = 0;
        for (uint64_t i = 0; i < a->train_rows; i++) {
            seen[i] = seen[i] && r->active[i];
            n += seen[i];
        }
        ASSAY_TRY(mem_new(r->ctx, &rows[m], n, sizeof **rows));
        n = 0;
        for (uint64_t i = 0; i < a->train_rows; i++)
            if (seen[i])
                rows[m][n++] = (uint32_t)i;
        snprintf(path, sizeof path, "run/member-%zu", m);
        audit_file(r, dir[m], "%s", path);
        ASSAY_TRY(os_mkdirs(dir[m]));
        ASSAY_TRY(atomic_sweep(r->ctx, dir[m]));
        job[m] = (train_job){.dir = dir[m],
                             .rows = rows[m],
                             .n_rows = n,
                             .seed = member_seed(a->seed, (int)m),
                             .identity = r->key[PHASE_TRAINING],
                             .result = &r->model[m]};
    }
    const train_data data = {
        .pixels = &r->pixels, .labels = r->trained_labels, .card = &card};
    ASSAY_TRY(train_fleet(r->ctx, &data, &r->recipe, job, m_count));
    for (size_t m = 0; m < m_count; m++) {
        audit_file(r, path, "run/member-%zu/model.safetensors", m);
        ASSAY_TRY(file_hash(r, path, r->model_hash[m]));
    }
done:
    for (size_t m = 0; rows && m < m_count; m++)
        mem_free(r->ctx, rows[m]);
    mem_free(r->ctx, rows);
    mem_free(r->ctx, dir);
    mem_free(r->ctx, job);
    model_card_free(&card, r->ctx);
    return status;
}

static int largest(const float *p, int k) {
    int best = 0;
    for (int c = 1; c < k; c++)
        if (p[c] > p[best])
            best = c;
    return best;
}

static assay_status average(void *arg, int worker, size_t begin, size_t end) {
    (void)worker;
    audit_run *r = arg;
    assay_status status = ASSAY_OK;
    const struct assay_audit *a = r->a;
    int k = a->classes;
    double *sum = NULL;
    ASSAY_TRY(mem_new(r->ctx, &sum, (size_t)k, sizeof *sum));
    for (size_t i = begin; i < end; i++) {
        int judges = 0;
        for (int c = 0; c < k; c++)
            sum[c] = 0;
        for (int m = 0; m < a->members; m++) {
            if (i < a->train_rows && r->seen[(size_t)m * a->train_rows + i])
                continue;
            predict_add_probabilities(
                sum, r->logits + ((size_t)m * r->total_rows + i) * (size_t)k, (size_t)k);
            judges++;
        }
        for (int c = 0; c < k; c++)
            r->probs[i * (size_t)k + (size_t)c] = (float)(sum[c] / judges);
    }
done:
    mem_free(r->ctx, sum);
    return status;
}

assay_status members_predict(audit_run *r) {
    assay_status status = ASSAY_OK;
    struct assay_audit *a = r->a;
    size_t k = (size_t)a->classes, m_count = (size_t)a->members;
    char path[AUDIT_PATH];
    bool hit = false;
    ASSAY_TRY(
        mem_new(r->ctx, &r->logits, m_count * r->total_rows * k, sizeof *r->logits));
    ASSAY_TRY(mem_new(r->ctx, &r->probs, r->total_rows * k, sizeof *r->probs));
    const cache_item item = {"logits",
                             ASSAY_F32,
                             3,
                             {(int64_t)m_count, (int64_t)r->total_rows, (int64_t)k},
                             r->logits};
    audit_file(r, path, "run/predictions.safetensors");
    ASSAY_TRY(cache_load(r, path, r->key[PHASE_PREDICTING], &item, 1, &hit));
    if (!hit) {
        progress_begin(r->ctx, phase_name(PHASE_PREDICTING),
                       (int64_t)(m_count * r->total_rows), "images");
        for (size_t m = 0; m < m_count; m++)
            ASSAY_TRY(train_predict(r->ctx, &r->model[m], &r->pixels, NULL, r->total_rows,
                                    a->flip, r->logits + m * r->total_rows * k, NULL));
        progress_end(r->ctx);
        ASSAY_TRY(cache_save(r, path, r->key[PHASE_PREDICTING], &item, 1));
    }
    ASSAY_TRY(assay_parallel_for(r->ctx, r->total_rows, 4096, average, r));

    uint64_t right = 0, tests = r->base_rows - a->train_rows;
    for (uint64_t i = a->train_rows; i < r->base_rows; i++) {
        int given = r->labels[i], said = largest(r->probs + i * k, (int)k);
        right += said == given;
        a->confusion[(size_t)given * k + (size_t)said]++;
    }
    a->accuracy_ensemble = tests ? (double)right / (double)tests : NAN;
    double sum = 0;
    for (size_t m = 0; m < m_count; m++) {
        right = 0;
        for (uint64_t i = a->train_rows; i < r->base_rows; i++)
            right +=
                largest(r->logits + (m * r->total_rows + i) * k, (int)k) == r->labels[i];
        double acc = tests ? (double)right / (double)tests : NAN;
        if (m < 64)
            a->accuracy_single_members[m] = acc;
        sum += acc;
    }
    a->accuracy_single = sum / (double)m_count;
done:
    return status;
}

/* Members on balanced two thirds of the rows, and what they say of every row. */
#include "detect/mislabels/mislabels.h"

#include "base/os.h"
#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static assay_status card_make(mislabels *m) {
    assay_status status = ASSAY_OK;
    const model_card *of = &m->lab.card;
    m->card = (model_card){.size = of->size,
                           .channels = of->channels,
                           .classes = of->classes,
                           .seed = m->o.seed};
    memcpy(m->card.mean, of->mean, sizeof of->mean);
    memcpy(m->card.std, of->std, sizeof of->std);
    memcpy(m->card.dataset_sha256, of->dataset_sha256, sizeof of->dataset_sha256);
    (void)snprintf(m->card.name, sizeof m->card.name, "%s", m->recipe.model);
    ASSAY_TRY(mem_new(m->ctx, &m->card.class_name, (size_t)of->classes, sizeof(char *)));
    for (int c = 0; c < of->classes; c++)
        ASSAY_TRY(mem_strdup(m->ctx, &m->card.class_name[c],
                             dataset_class_name(m->lab.data, c)));
done:
    return status;
}

static assay_status recipe_make(mislabels *m) {
    assay_status status = ASSAY_OK;
    assay_train_options o = ASSAY_TRAIN_OPTIONS_INIT;
    bool flip = false;
    o.model = m->o.model;
    o.epochs = m->o.epochs;
    ASSAY_TRY(data_bears_flip(m->ctx, &m->lab.pixels, m->lab.labels, m->n,
                              m->lab.card.classes, m->o.seed, &flip));
    ASSAY_TRY(train_recipe_make(&m->recipe, &o, m->n, m->lab.size, flip));
done:
    return status;
}

static assay_status train(mislabels *m) {
    assay_status status = ASSAY_OK;
    size_t members = (size_t)m->o.members;
    const train_data data = {
        .pixels = &m->lab.pixels, .labels = m->lab.labels, .card = &m->card};
    train_job *job = NULL;
    uint32_t **rows = NULL;
    ASSAY_TRY(mem_new(m->ctx, &job, members, sizeof *job));
    ASSAY_TRY(mem_new(m->ctx, &rows, members, sizeof *rows));
    ASSAY_TRY(mem_new(m->ctx, &m->seen, members * m->n, 1));
    ASSAY_TRY(mem_new(m->ctx, &m->model, members, sizeof *m->model));
    ASSAY_TRY(train_subsets(m->ctx, m->lab.labels, m->n, m->lab.card.classes,
                            m->o.members, m->o.seed, m->seen));
    for (size_t i = 0; i < members; i++) {
        uint32_t w[4];
        rng_philox(w, m->o.seed, RNG_SUBSET, 1, i, 0);
        ASSAY_TRY(mem_new(m->ctx, &rows[i], m->n, sizeof **rows));
        job[i] = (train_job){.rows = rows[i],
                             .seed = (uint64_t)w[0] | (uint64_t)w[1] << 32,
                             .identity = "mislabels",
                             .result = &m->model[i]};
        for (size_t r = 0; r < m->n; r++)
            if (m->seen[i * m->n + r])
                rows[i][job[i].n_rows++] = (uint32_t)r;
    }
    ASSAY_TRY(train_fleet(m->ctx, &data, &m->recipe, job, members));
done:
    for (size_t i = 0; rows && i < members; i++)
        mem_free(m->ctx, rows[i]);
    mem_free(m->ctx, rows);
    mem_free(m->ctx, job);
    return status;
}

static assay_status predict(mislabels *m) {
    assay_status status = ASSAY_OK;
    size_t k = (size_t)m->lab.card.classes, all = m->n + m->tests;
    size_t members = (size_t)m->o.members;
    double *row = NULL;
    ASSAY_TRY(mem_new(m->ctx, &m->probs, members * all * k, sizeof *m->probs));
    ASSAY_TRY(mem_new(m->ctx, &m->judged, all * k, sizeof *m->judged));
    ASSAY_TRY(mem_new(m->ctx, &row, k, sizeof *row));
    progress_begin(m->ctx, "predicting", (int64_t)(members * all), "images");
    for (size_t i = 0; i < members; i++) {
        float *p = m->probs + i * all * k;
        const trained_model *model = &m->model[i];
        ASSAY_TRY(train_predict(m->ctx, model, &m->lab.pixels, m->row, all,
                                predict_views_of(&model->card), p, NULL));
        for (size_t r = 0; r < all; r++) {
            memset(row, 0, k * sizeof *row);
            predict_add_probabilities(row, p + r * k, k);
            for (size_t c = 0; c < k; c++)
                p[r * k + c] = (float)row[c];
        }
    }
    progress_end(m->ctx);
    mislabels_mean(m->judged, m, false);
done:
    mem_free(m->ctx, row);
    return status;
}

assay_status mislabels_judges(mislabels *m) {
    assay_status status = ASSAY_OK;
    uint64_t began = os_cpu_ns();
    ASSAY_TRY(recipe_make(m));
    ASSAY_TRY(card_make(m));
    ASSAY_TRY(train(m));
    ASSAY_TRY(predict(m));
    m->seconds = 1e-9 * (double)(os_cpu_ns() - began);
done:
    return status;
}

/* Whether a member is asked about a row. */
static bool asked(const mislabels *m, size_t member, size_t row, bool saw) {
    return row >= m->n || (m->seen[member * m->n + row] != 0) == saw;
}

void mislabels_mean(float *out, const mislabels *m, bool saw) {
    size_t k = (size_t)m->lab.card.classes, all = m->n + m->tests;
    for (size_t r = 0; r < all; r++)
        for (size_t c = 0; c < k; c++) {
            double sum = 0;
            int judges = 0;
            for (size_t i = 0; i < (size_t)m->o.members; i++)
                if (asked(m, i, r, saw)) {
                    sum += (double)m->probs[(i * all + r) * k + c];
                    judges++;
                }
            out[r * k + c] = (float)(sum / judges);
        }
}

att_member mislabels_member(const mislabels *m, int i) {
    return (att_member){.study = &m->lab.study,
                        .seed = m->o.seed + (uint64_t)i,
                        .params = m->model[i].weights.params,
                        .buffers = m->model[i].weights.buffers};
}

assay_status suspicion_rows(suspicion *out,
                            const mislabels *m,
                            const char *variant,
                            suspicion_of *of,
                            bool mean_of_members) {
    assay_status status = ASSAY_OK;
    int classes = m->lab.card.classes;
    size_t k = (size_t)classes, all = m->n + m->tests;
    bool saw = strcmp(variant, "seen") == 0;
    float *mean = NULL;
    ASSAY_TRY(mem_new(m->ctx, &mean, all * k, sizeof *mean));
    mislabels_mean(mean, m, saw);
    for (size_t r = 0; r < m->n; r++) {
        int label = m->lab.labels[m->row[r]], judges = 0;
        double sum = 0, low = INFINITY, high = -INFINITY;
        for (size_t i = 0; i < (size_t)m->o.members; i++)
            if (asked(m, i, r, saw)) {
                double x = of(m->probs + (i * all + r) * k, classes, label);
                low = x < low ? x : low;
                high = x > high ? x : high;
                sum += x;
                judges++;
            }
        out->score[r] =
            (float)(mean_of_members ? sum / judges : of(mean + r * k, classes, label));
        out->low[r] = (float)low;
        out->high[r] = (float)high;
    }
done:
    mem_free(m->ctx, mean);
    return status;
}

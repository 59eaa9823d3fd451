/* Does removing what attribution calls harmful help? On a random subset of a dataset:
 * take test rows that the ensemble gets wrong, remove the k training rows that
 * attribution names most harmful to each, retrain, and compare the row's margin with
 * retraining without k random rows of the same class mix. Prints the mean paired
 * difference with a 95 % interval over test rows.
 *
 *   counterfactual DATA WORKDIR [rows=5000] [tests=20] [remove=50] [seeds=5] [epochs=0]
 *                  [members=6] [sketch=512] [model=cnn]
 */
#include <assay/assay.h>

#include "attribute/trak/attribute.h"
#include "base/os.h"
#include "base/pool.h"
#include "base/rng.h"
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_MEMBERS = 60, DRAW_ROWS = 10, DRAW_TESTS = 11, DRAW_RANDOM = 12 };

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

static double margin(const float *logits, int k, int label) {
    double z = 0, most = -INFINITY;
    for (int c = 0; c < k; c++)
        if (c != label && (double)logits[c] > most)
            most = logits[c];
    for (int c = 0; c < k; c++)
        if (c != label)
            z += exp((double)logits[c] - most);
    return (double)logits[label] - most - log(z);
}

static assay_status load(study *s,
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
    rng_perm perm = rng_perm_make(n, 0, RNG_TEST, DRAW_ROWS);
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

static assay_status
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
        job[m].identity = "counterfactual";
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

/* Test rows that the ensemble gets wrong, in a seeded order. */
static size_t wrong_rows(const study *s, uint64_t *out, size_t want) {
    uint64_t tests = s->total - s->train;
    size_t k = (size_t)s->classes, n = 0;
    rng_perm perm = rng_perm_make(tests, 0, RNG_TEST, DRAW_TESTS);
    for (uint64_t j = 0; j < tests && n < want; j++) {
        uint64_t row = s->train + rng_perm_at(&perm, j);
        double best = -1;
        size_t said = 0;
        for (size_t c = 0; c < k; c++) {
            double p = 0;
            for (size_t m = 0; m < (size_t)s->members; m++)
                p += 1 / (1 + exp(-margin(s->logits + (m * s->total + row) * k, (int)k,
                                          (int)c)));
            if (p > best) {
                best = p;
                said = c;
            }
        }
        if ((int32_t)said != s->labels[row])
            out[n++] = row;
    }
    return n;
}

int main(int argc, char **argv) {
    assay_status status = ASSAY_OK;
    if (argc < 3) {
        fprintf(stderr, "usage: counterfactual DATA WORKDIR [rows] [tests] [remove] "
                        "[seeds] [epochs]\n");
        return 2;
    }
    long number[7] = {5000, 20, 50, 5, 0, 6, 512};
    for (int i = 3; i < argc && i < 10; i++)
        number[i - 3] = strtol(argv[i], NULL, 10);
    size_t tests = (size_t)number[1], remove = (size_t)number[2],
           seeds = (size_t)number[3];
    study s = {.members = (int)number[5], .sketch = (int)number[6]};
    const char *model_name = argc > 10 ? argv[10] : NULL;
    att_trak *trak = NULL;
    row_store *store[MOST_MEMBERS] = {0};
    uint64_t *target = NULL;
    att_top *top = NULL;
    train_job *job = NULL;
    trained_model *model = NULL;
    uint32_t *rows = NULL;
    double *diff = NULL;
    ASSAY_TRY(assay_ctx_create(&s.ctx, NULL));
    ASSAY_TRY(
        load(&s, argv[1], argv[2], (uint64_t)number[0], (int)number[4], model_name));
    ASSAY_TRY(attribute(&s, argv[2], &trak, store));
    ASSAY_TRY(mem_new(s.ctx, &target, tests, sizeof *target));
    tests = wrong_rows(&s, target, tests);
    ASSAY_TRY(mem_new(s.ctx, &top, tests * 2 * remove, sizeof *top));
    ASSAY_TRY(mem_new(s.ctx, &diff, tests, sizeof *diff));
    ASSAY_TRY(att_trak_top(trak, target, tests, (int)remove, top));
    size_t keep = s.train - remove, jobs = 2 * seeds, k = (size_t)s.classes;
    ASSAY_TRY(mem_new(s.ctx, &rows, 2 * seeds * s.train, sizeof *rows));
    ASSAY_TRY(mem_new(s.ctx, &job, jobs, sizeof *job));
    ASSAY_TRY(mem_new(s.ctx, &model, jobs, sizeof *model));
    const train_data data = {.pixels = &s.pixels, .labels = s.labels, .card = &s.card};
    double sum = 0, squares = 0;
    for (size_t t = 0; t < tests; t++) {
        const att_top *harmful = top + (t * 2 + 1) * remove;
        for (size_t seed = 0; seed < seeds; seed++)
            for (int random = 0; random < 2; random++) {
                train_job *j = &job[seed * 2 + (size_t)random];
                uint32_t *list = rows + (seed * 2 + (size_t)random) * s.train;
                uint8_t *out = NULL;
                ASSAY_TRY(mem_new(s.ctx, &out, s.train, 1));
                rng_perm perm =
                    rng_perm_make(s.train, seed, RNG_TEST, (uint32_t)(DRAW_RANDOM + t));
                for (size_t i = 0; i < remove; i++) {
                    uint32_t row = harmful[i].row;
                    if (random) { /* another row of the same class, at random */
                        int32_t label = s.labels[row];
                        uint64_t tries = 0;
                        while (tries < s.train) {
                            row = (uint32_t)rng_perm_at(&perm, tries++);
                            if (s.labels[row] == label && !out[row])
                                break;
                        }
                    }
                    out[row] = 1;
                }
                size_t n = 0;
                for (uint64_t i = 0; i < s.train; i++)
                    if (!out[i])
                        list[n++] = (uint32_t)i;
                mem_free(s.ctx, out);
                *j = (train_job){.rows = list,
                                 .n_rows = n,
                                 .seed = 5000 + seed,
                                 .identity = "counterfactual",
                                 .result = &model[seed * 2 + (size_t)random]};
                if (n != keep)
                    fprintf(stderr, "note: %zu rows removed instead of %zu\n",
                            (size_t)s.train - n, remove);
            }
        ASSAY_TRY(train_fleet(s.ctx, &data, &s.recipe, job, jobs));
        const uint32_t row = (uint32_t)target[t];
        double total = 0;
        float logits[1024];
        for (size_t j = 0; j < jobs; j++) {
            if (k > sizeof logits / sizeof *logits)
                ASSAY_TRY(ASSAY_E_UNSUPPORTED);
            ASSAY_TRY(train_predict(s.ctx, &model[j], &s.pixels, &row, 1, s.recipe.flip,
                                    logits, NULL));
            double m = margin(logits, (int)k, s.labels[row]);
            total += j % 2 ? -m : m;
            model_free(&model[j]);
        }
        diff[t] = total / (double)seeds;
        sum += diff[t];
        printf("test row %llu: %+.3f\n", (unsigned long long)(row - s.train), diff[t]);
        fflush(stdout);
    }
    for (size_t t = 0; t < tests; t++)
        squares += (diff[t] - sum / (double)tests) * (diff[t] - sum / (double)tests);
    double mean = sum / (double)tests,
           half = 2.093 * sqrt(squares / (double)(tests - 1) / (double)tests);
    printf("mean paired difference of the margin, %zu test rows, %zu seeds, %zu of %llu "
           "rows removed: "
           "%+.3f, 95 %% interval [%+.3f, %+.3f]\n",
           tests, seeds, remove, (unsigned long long)s.train, mean, mean - half,
           mean + half);
done:
    if (status != ASSAY_OK)
        fprintf(stderr, "error: %s\n  --> %s\n  help: %s\n", assay_last_error()->message,
                assay_last_error()->where, assay_last_error()->help);
    att_trak_destroy(trak);
    for (int m = 0; m < s.members; m++) {
        store_destroy(store[m]);
        model_free(&s.model[m]);
    }
    if (s.ctx) {
        mem_free(s.ctx, target);
        mem_free(s.ctx, top);
        mem_free(s.ctx, job);
        mem_free(s.ctx, model);
        mem_free(s.ctx, rows);
        mem_free(s.ctx, diff);
        mem_free(s.ctx, s.labels);
        mem_free(s.ctx, s.logits);
        mem_free(s.ctx, s.seen);
        mem_free(s.ctx, s.q);
        model_card_free(&s.card, s.ctx);
    }
    npy_close(&s.pixels);
    dataset_close(s.data);
    assay_ctx_destroy(s.ctx);
    return status == ASSAY_OK ? 0 : 1;
}

/* Does removing what attribution calls harmful help? On a random subset of a dataset:
 * take test rows that the ensemble gets wrong, remove the k training rows that
 * attribution names most harmful to each, retrain, and compare the row's margin with
 * retraining without k random rows of the same class mix. Prints the mean paired
 * difference with a 95 % interval over test rows.
 *
 *   counterfactual DATA WORKDIR [rows=5000] [tests=20] [remove=50] [seeds=5] [epochs=0]
 *                  [members=6] [sketch=512] [model=cnn]
 */
#include "ensemble.h"

#include <stdlib.h>

enum { DRAW_TESTS = 11, DRAW_RANDOM = 12 };

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
    for (int m = 0; m < s.members; m++)
        store_destroy(store[m]);
    if (s.ctx) {
        mem_free(s.ctx, target);
        mem_free(s.ctx, top);
        mem_free(s.ctx, job);
        mem_free(s.ctx, model);
        mem_free(s.ctx, rows);
        mem_free(s.ctx, diff);
    }
    study_free(&s);
    return status == ASSAY_OK ? 0 : 1;
}

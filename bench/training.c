/* How good and how dear is a recipe? Trains the members of an ensemble as an audit does,
 * on labels of which a share was flipped, and prints accuracy, processor time, and how
 * well the members that did not see a row tell the flipped labels from the others. The
 * table in docs/training.md is made of its lines.
 *
 *   training DATA WORKDIR [members=6] [noise=0.05] [seed=0] [epochs=] [batch=] [lr=]
 * [momentum=] [weight_decay=] [smoothing=] [translate=] [flip=] [model=] [schedule=]
 * [precision=]
 */
#include <assay/assay.h>

#include "base/os.h"
#include "base/rng.h"
#include "detect/detect.h"
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct study {
    assay_ctx *ctx;
    dataset *data;
    npy_array pixels;
    int32_t *truth, *given; /* [rows] */
    uint8_t *flipped;       /* [train] */
    uint8_t *seen;          /* [members, train] */
    size_t rows, train, flips;
    int classes, members;
    model_card card;
    train_recipe recipe;
    train_job *job;
    trained_model *model;
    float *logits; /* [rows, classes], of one member */
    double *sum;   /* [rows, classes]: probabilities of the members that may judge */
    double single; /* mean accuracy of one member */
} study;

static const char *text(int argc, char **argv, const char *key, const char *otherwise) {
    size_t n = strlen(key);
    for (int i = 3; i < argc; i++)
        if (strncmp(argv[i], key, n) == 0 && argv[i][n] == '=')
            return argv[i] + n + 1;
    return otherwise;
}

static double number(int argc, char **argv, const char *key, double otherwise) {
    const char *t = text(argc, argv, key, NULL);
    return t ? strtod(t, NULL) : otherwise;
}

static assay_status recipe_make(study *s, int argc, char **argv, uint64_t seed) {
    assay_status status = ASSAY_OK;
    assay_train_options o = ASSAY_TRAIN_OPTIONS_INIT;
    bool flip = false;
    o.model = text(argc, argv, "model", NULL);
    o.schedule = text(argc, argv, "schedule", NULL);
    o.precision = text(argc, argv, "precision", NULL);
    o.epochs = (int)number(argc, argv, "epochs", 0);
    o.batch = (int)number(argc, argv, "batch", 0);
    o.lr = number(argc, argv, "lr", 0);
    o.momentum = number(argc, argv, "momentum", -1);
    o.weight_decay = number(argc, argv, "weight_decay", -1);
    o.label_smoothing = number(argc, argv, "smoothing", -1);
    o.translate = (int)number(argc, argv, "translate", -1);
    o.flip = (int)number(argc, argv, "flip", -1);
    if (o.flip < 0)
        ASSAY_TRY(data_bears_flip(s->ctx, &s->pixels, s->given, s->train, s->classes,
                                  seed, &flip));
    ASSAY_TRY(train_recipe_make(&s->recipe, &o, s->train, s->card.size, flip));
done:
    return status;
}

static assay_status
load(study *s, const char *source, const char *work, double noise, uint64_t seed) {
    assay_status status = ASSAY_OK;
    char path[4096];
    ASSAY_TRY(os_mkdirs(work));
    (void)snprintf(path, sizeof path, "%s/data.beton", work);
    ASSAY_TRY(dataset_open_any(&s->data, s->ctx, source, path, NULL));
    s->rows = (size_t)dataset_rows(s->data);
    s->train = (size_t)dataset_train_rows(s->data);
    s->classes = dataset_classes(s->data);
    s->card = (model_card){.size = train_size_for(s->data),
                           .channels = dataset_channels(s->data),
                           .classes = s->classes};
    (void)snprintf(path, sizeof path, "%s/pixels.npy", work);
    ASSAY_TRY(dataset_pixels(s->data, s->ctx, s->card.size, s->card.channels, path,
                             &s->pixels));
    dataset_statistics(&s->pixels, s->train, s->card.mean, s->card.std);
    ASSAY_TRY(mem_new(s->ctx, &s->truth, s->rows, sizeof *s->truth));
    ASSAY_TRY(mem_new(s->ctx, &s->given, s->rows, sizeof *s->given));
    ASSAY_TRY(mem_new(s->ctx, &s->flipped, s->train, 1));
    for (size_t i = 0; i < s->rows; i++) {
        rng r = rng_at(seed, RNG_PLANT, 0, i);
        s->truth[i] = s->given[i] = dataset_label(s->data, i);
        if (i >= s->train || rng_uniform(&r) >= noise)
            continue;
        uint64_t other = 1 + rng_below(&r, (uint64_t)s->classes - 1);
        s->given[i] = (int32_t)(((uint64_t)s->truth[i] + other) % (uint64_t)s->classes);
        s->flipped[i] = 1;
        s->flips++;
    }
done:
    return status;
}

static assay_status fit(study *s, uint64_t seed) {
    assay_status status = ASSAY_OK;
    size_t members = (size_t)s->members;
    ASSAY_TRY(mem_new(s->ctx, &s->seen, (members + 2) / 3 * 3 * s->train, 1));
    ASSAY_TRY(mem_new(s->ctx, &s->job, members, sizeof *s->job));
    ASSAY_TRY(mem_new(s->ctx, &s->model, members, sizeof *s->model));
    ASSAY_TRY(train_subsets(s->ctx, s->given, s->train, s->classes,
                            (s->members + 2) / 3 * 3, seed, s->seen));
    for (size_t m = 0; m < members; m++) {
        uint32_t *rows;
        size_t n = 0;
        ASSAY_TRY(mem_new(s->ctx, &rows, s->train, sizeof *rows));
        for (size_t i = 0; i < s->train; i++)
            if (s->seen[m * s->train + i])
                rows[n++] = (uint32_t)i;
        s->job[m] = (train_job){
            .rows = rows, .n_rows = n, .seed = seed * 1000 + m, .result = &s->model[m]};
    }
    const train_data data = {.pixels = &s->pixels, .labels = s->given, .card = &s->card};
    ASSAY_TRY(train_fleet(s->ctx, &data, &s->recipe, s->job, members));
done:
    return status;
}

static int largest_float(const float *x, int n) {
    int best = 0;
    for (int c = 1; c < n; c++)
        best = x[c] > x[best] ? c : best;
    return best;
}

/* Test rows are judged by all members, training rows by those that did not see them. */
static assay_status judge(study *s) {
    assay_status status = ASSAY_OK;
    size_t k = (size_t)s->classes;
    ASSAY_TRY(mem_new(s->ctx, &s->logits, s->rows * k, sizeof *s->logits));
    ASSAY_TRY(mem_new(s->ctx, &s->sum, s->rows * k, sizeof *s->sum));
    for (int m = 0; m < s->members; m++) {
        double right = 0;
        ASSAY_TRY(train_predict(s->ctx, &s->model[m], &s->pixels, NULL, s->rows,
                                s->recipe.flip, s->logits, NULL));
        for (size_t i = 0; i < s->rows; i++) {
            if (i < s->train && s->seen[(size_t)m * s->train + i])
                continue;
            const float *x = s->logits + i * k;
            int best = largest_float(x, s->classes);
            double z = 0;
            right += i >= s->train && best == s->truth[i];
            for (size_t c = 0; c < k; c++)
                z += exp((double)x[c] - (double)x[best]);
            for (size_t c = 0; c < k; c++)
                s->sum[i * k + c] += exp((double)x[c] - (double)x[best]) / z;
        }
        s->single += right / (double)(s->rows - s->train) / s->members;
    }
done:
    return status;
}

static assay_status print(study *s, double wall, double cpu) {
    assay_status status = ASSAY_OK;
    size_t k = (size_t)s->classes;
    float *score = NULL;
    double right = 0, unseen = 0;
    char recipe[RECIPE_LINE];
    for (size_t i = s->train; i < s->rows; i++) {
        const double *p = s->sum + i * k;
        size_t best = 0;
        for (size_t c = 1; c < k; c++)
            best = p[c] > p[best] ? c : best;
        right += (int32_t)best == s->truth[i];
    }
    ASSAY_TRY(mem_new(s->ctx, &score, s->train, sizeof *score));
    for (size_t i = 0; i < s->train; i++) {
        double total = 0;
        for (size_t c = 0; c < k; c++)
            total += s->sum[i * k + c];
        score[i] =
            total > 0 ? (float)(1 - s->sum[i * k + (size_t)s->given[i]] / total) : 0;
        unseen += total > 0;
    }
    train_recipe_text(&s->recipe, recipe);
    printf("%s\n", recipe);
    printf("%d members: one %.2f %%, together %.2f %%; %.1f s of processor a member "
           "(%.0f GFLOP), "
           "%.1f s in all\n",
           s->members, 100 * s->single, 100 * right / (double)(s->rows - s->train),
           cpu / s->members, s->job[0].gflop, wall);
    if (s->flips && (size_t)unseen == s->train)
        printf("%zu labels flipped: AUROC %.4f, precision among as many %.2f %%\n",
               s->flips, detect_auroc(score, s->flipped, s->train),
               100 * detect_precision_at(score, s->flipped, s->train, s->flips));
done:
    mem_free(s->ctx, score);
    return status;
}

static void study_free(study *s) {
    for (int m = 0; s->job && m < s->members; m++)
        mem_free(s->ctx, (uint32_t *)s->job[m].rows);
    for (int m = 0; s->model && m < s->members; m++)
        model_free(&s->model[m]);
    mem_free(s->ctx, s->job);
    mem_free(s->ctx, s->model);
    mem_free(s->ctx, s->seen);
    mem_free(s->ctx, s->truth);
    mem_free(s->ctx, s->given);
    mem_free(s->ctx, s->flipped);
    mem_free(s->ctx, s->logits);
    mem_free(s->ctx, s->sum);
    npy_close(&s->pixels);
    dataset_close(s->data);
    assay_ctx_destroy(s->ctx);
}

int main(int argc, char **argv) {
    assay_status status = ASSAY_OK;
    study s = {0};
    if (argc < 3) {
        (void)fprintf(stderr, "usage: training DATA WORKDIR [key=value...]\n");
        return 2;
    }
    uint64_t seed = (uint64_t)number(argc, argv, "seed", 0);
    s.members = (int)number(argc, argv, "members", 6);
    ASSAY_TRY(assay_ctx_create(&s.ctx, NULL));
    ASSAY_TRY(load(&s, argv[1], argv[2], number(argc, argv, "noise", 0.05), seed));
    ASSAY_TRY(recipe_make(&s, argc, argv, seed));
    uint64_t began = os_now_ns(), began_cpu = os_cpu_ns();
    ASSAY_TRY(fit(&s, seed));
    double wall = 1e-9 * (double)(os_now_ns() - began);
    double cpu = 1e-9 * (double)(os_cpu_ns() - began_cpu);
    ASSAY_TRY(judge(&s));
    ASSAY_TRY(print(&s, wall, cpu));
done:
    if (status != ASSAY_OK)
        (void)fprintf(stderr, "%s (%s)\n", assay_last_error()->message,
                      assay_last_error()->where);
    study_free(&s);
    return status == ASSAY_OK ? 0 : 1;
}

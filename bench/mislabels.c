/* Which score finds wrong labels? A share of the training labels of a random part of a
 * dataset is flipped to other classes; an ensemble is trained on balanced two thirds as
 * the audit does; each score then ranks all rows. Prints the area under the ROC curve
 * with a 95 % interval (bootstrap over rows), the precision among as many rows as were
 * flipped, and the seconds of processor time behind each score, training included.
 *
 *   mislabels DATA WORKDIR [rows=10000] [percent=5] [seed=0] [members=6] [sketch=512]
 *             [epochs=0] [model]
 */
#include "ensemble.h"

#include "detect/detect.h"

#include <stdlib.h>

enum { DRAW_FLIPS = 13, DRAW_CLASS = 14, DRAW_ROUNDS = 15, ROUNDS = 50 };

/* Flips labels; true marks which. Returns how many. */
static size_t flip(study *s, uint8_t *wrong, double share, uint64_t seed) {
    size_t n = (size_t)(share * (double)s->train);
    rng_perm order = rng_perm_make(s->train, seed, RNG_TEST, DRAW_FLIPS);
    for (size_t i = 0; i < n; i++) {
        uint64_t row = rng_perm_at(&order, i);
        rng r = rng_at(seed, RNG_TEST, DRAW_CLASS, i);
        int by = 1 + (int)(rng_uniform(&r) * (s->classes - 1));
        s->labels[row] = (s->labels[row] + by) % s->classes;
        wrong[row] = 1;
    }
    return n;
}

/* Mean probabilities [total, classes] over the members that saw a training row, or that
 * did not; of test rows over all. */
static void mean_probs(float *out, const study *s, bool saw) {
    size_t k = (size_t)s->classes;
    for (uint64_t i = 0; i < s->total; i++) {
        int judges = 0;
        for (size_t m = 0; m < (size_t)s->members; m++) {
            const float *z = s->logits + (m * s->total + i) * k;
            double top = -INFINITY, sum = 0;
            if (i < s->train && (s->seen[m * s->train + i] != 0) != saw)
                continue;
            for (size_t c = 0; c < k; c++)
                top = (double)z[c] > top ? (double)z[c] : top;
            for (size_t c = 0; c < k; c++)
                sum += exp((double)z[c] - top);
            for (size_t c = 0; c < k; c++)
                out[i * k + c] += (float)(exp((double)z[c] - top) / sum);
            judges++;
        }
        for (size_t c = 0; c < k; c++)
            out[i * k + c] /= (float)judges;
    }
}

typedef struct judge {
    const study *s;
    const uint8_t *wrong;
    size_t flipped;
    float *drawn;      /* [train] */
    uint8_t *drawn_is; /* [train] */
} judge;

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void tell(const judge *j, const char *name, const float *score, double seconds) {
    size_t n = j->s->train;
    double round[ROUNDS], area = detect_auroc(score, j->wrong, n);
    for (int b = 0; b < ROUNDS; b++) {
        rng r = rng_at(1, RNG_TEST, DRAW_ROUNDS, (uint64_t)b);
        for (size_t i = 0; i < n; i++) {
            size_t at = (size_t)(rng_uniform(&r) * (double)n);
            j->drawn[i] = score[at];
            j->drawn_is[i] = j->wrong[at];
        }
        round[b] = detect_auroc(j->drawn, j->drawn_is, n);
    }
    qsort(round, ROUNDS, sizeof *round, ascending);
    printf("| %s | %.4f | %.4f-%.4f | %.1f %% | %.0f |\n", name, area, round[1],
           round[ROUNDS - 2], 100 * detect_precision_at(score, j->wrong, n, j->flipped),
           seconds);
    fflush(stdout);
}

/* Scores that are read off probabilities. */
static assay_status tell_probs(
    const judge *j, const float *p, const char *how, float *score, double seconds) {
    assay_status status = ASSAY_OK;
    const study *s = j->s;
    size_t k = (size_t)s->classes;
    char name[80];
    uint8_t *flag = NULL;
    const detect_input in = {.ctx = s->ctx,
                             .rows = s->total,
                             .train_rows = s->train,
                             .classes = s->classes,
                             .size = s->card.size,
                             .channels = s->card.channels,
                             .labels = s->labels,
                             .pixels = &s->pixels,
                             .probs = p};
    ASSAY_TRY(mem_new(s->ctx, &flag, s->train, 1));
    for (uint64_t i = 0; i < s->train; i++)
        score[i] = 1 - p[i * k + (size_t)s->labels[i]];
    snprintf(name, sizeof name, "1 - p (and loss), %s", how);
    tell(j, name, score, seconds);
    ASSAY_TRY(detect_label_filter(&in, flag));
    for (uint64_t i = 0; i < s->train; i++)
        score[i] += flag[i];
    snprintf(name, sizeof name, "confident learning, %s", how);
    tell(j, name, score, seconds);
    for (uint64_t i = 0; i < s->train; i++) {
        float best = 0;
        for (size_t c = 0; c < k; c++)
            if ((int32_t)c != s->labels[i] && p[i * k + c] > best)
                best = p[i * k + c];
        score[i] = best - p[i * k + (size_t)s->labels[i]];
    }
    snprintf(name, sizeof name, "normalised margin, %s", how);
    tell(j, name, score, seconds);
done:
    mem_free(s->ctx, flag);
    return status;
}

/* Self-influence, and the harm done to held-out test rows: their labels are right. */
static assay_status
tell_influence(const judge *j, att_trak *trak, const float *p, float *score, double cpu) {
    assay_status status = ASSAY_OK;
    const study *s = j->s;
    size_t tests = s->total - s->train, k = (size_t)s->classes;
    uint64_t *target = NULL, began = os_cpu_ns();
    float *weight = NULL;
    ASSAY_TRY(mem_new(s->ctx, &target, tests, sizeof *target));
    ASSAY_TRY(mem_new(s->ctx, &weight, tests, sizeof *weight));
    for (size_t t = 0; t < tests; t++) {
        target[t] = s->train + t;
        weight[t] = 1 - p[target[t] * k + (size_t)s->labels[target[t]]];
    }
    ASSAY_TRY(att_trak_self(trak, score));
    tell(j, "self-influence (TRAK)", score, cpu + (double)(os_cpu_ns() - began) * 1e-9);
    began = os_cpu_ns();
    ASSAY_TRY(att_trak_mean(trak, target, weight, tests, score));
    for (uint64_t i = 0; i < s->train; i++)
        score[i] = -score[i];
    tell(j, "harm to all test rows (TRAK)", score,
         cpu + (double)(os_cpu_ns() - began) * 1e-9);
done:
    mem_free(s->ctx, target);
    mem_free(s->ctx, weight);
    return status;
}

int main(int argc, char **argv) {
    assay_status status = ASSAY_OK;
    if (argc < 3) {
        fprintf(stderr, "usage: mislabels DATA WORKDIR [rows] [percent] [seed] [members] "
                        "[sketch] [epochs] [model]\n");
        return 2;
    }
    long number[6] = {10000, 5, 0, 6, 512, 0};
    for (int i = 3; i < argc && i < 9; i++)
        number[i - 3] = strtol(argv[i], NULL, 10);
    study s = {.members = (int)number[3], .sketch = (int)number[4]};
    att_trak *trak = NULL;
    row_store *store[MOST_MEMBERS] = {0};
    float *in = NULL, *out = NULL, *score = NULL;
    uint8_t *wrong = NULL;
    judge j = {.s = &s};
    ASSAY_TRY(assay_ctx_create(&s.ctx, NULL));
    ASSAY_TRY(load(&s, argv[1], argv[2], (uint64_t)number[0], (int)number[5],
                   argc > 9 ? argv[9] : NULL));
    ASSAY_TRY(mem_new(s.ctx, &wrong, s.train, 1));
    j.wrong = wrong;
    j.flipped = flip(&s, wrong, (double)number[1] / 100, (uint64_t)number[2]);
    uint64_t began = os_cpu_ns();
    ASSAY_TRY(attribute(&s, argv[2], &trak, store));
    double cpu = (double)(os_cpu_ns() - began) * 1e-9;
    size_t cells = s.total * (size_t)s.classes;
    ASSAY_TRY(mem_new(s.ctx, &in, cells, sizeof *in));
    ASSAY_TRY(mem_new(s.ctx, &out, cells, sizeof *out));
    ASSAY_TRY(mem_new(s.ctx, &score, s.train, sizeof *score));
    ASSAY_TRY(mem_new(s.ctx, &j.drawn, s.train, sizeof *j.drawn));
    ASSAY_TRY(mem_new(s.ctx, &j.drawn_is, s.train, 1));
    mean_probs(in, &s, true);
    mean_probs(out, &s, false);
    printf("%llu rows, %zu flipped, %d members of %s; training and features %.0f s\n\n",
           (unsigned long long)s.train, j.flipped, s.members, s.card.name, cpu);
    printf("| score | AUROC | 95 %% | right among as many as flipped | seconds |\n"
           "|---|---|---|---|---|\n");
    ASSAY_TRY(tell_probs(&j, in, "members that saw the row", score, cpu));
    ASSAY_TRY(tell_probs(&j, out, "members that did not", score, cpu));
    ASSAY_TRY(tell_influence(&j, trak, out, score, cpu));
done:
    if (status != ASSAY_OK)
        fprintf(stderr, "error: %s\n  --> %s\n  help: %s\n", assay_last_error()->message,
                assay_last_error()->where, assay_last_error()->help);
    att_trak_destroy(trak);
    for (int m = 0; m < s.members; m++)
        store_destroy(store[m]);
    if (s.ctx) {
        mem_free(s.ctx, in);
        mem_free(s.ctx, out);
        mem_free(s.ctx, score);
        mem_free(s.ctx, wrong);
        mem_free(s.ctx, j.drawn);
        mem_free(s.ctx, j.drawn_is);
    }
    study_free(&s);
    return status == ASSAY_OK ? 0 : 1;
}

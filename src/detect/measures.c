/* How well a score ranks: area under the ROC curve, precision among the first. */
#include "detect/detect.h"

#include "base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double detect_auroc(const float *scores, const uint8_t *truth, size_t n) {
    size_t positive = 0;
    for (size_t i = 0; i < n; i++)
        positive += truth[i] != 0;
    size_t negative = n - positive;
    if (positive == 0 || negative == 0)
        return NAN;
    /* every pair of the two kinds, from the rarer one's side; wins count double */
    uint8_t rare = positive <= negative;
    double wins = 0;
    for (size_t i = 0; i < n; i++) {
        if ((truth[i] != 0) != rare)
            continue;
        uint64_t doubled = 0;
        for (size_t j = 0; j < n; j++) {
            unsigned other = (truth[j] != 0) != rare;
            unsigned above = rare ? scores[i] > scores[j] : scores[i] < scores[j];
            doubled += other & above;
            doubled += other & (above | (scores[i] == scores[j]));
        }
        wins += (double)doubled;
    }
    return wins / 2 / ((double)positive * (double)negative);
}

typedef struct ranked {
    float score;
    uint32_t row;
} ranked;

static int by_score(const void *x, const void *y) {
    const ranked *a = x, *b = y;
    if (a->score != b->score)
        return a->score < b->score ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

/* The area over rows that count so often each, in ascending order of scores. */
static double
weighed_area(const ranked *order, const uint32_t *often, const uint8_t *truth, size_t n) {
    double below = 0, positive = 0, wins = 0;
    for (size_t i = 0, end; i < n; i = end) {
        double good = 0, bad = 0;
        for (end = i; end < n && order[end].score == order[i].score; end++) {
            double times = often[order[end].row];
            good += truth[order[end].row] ? times : 0;
            bad += truth[order[end].row] ? 0 : times;
        }
        wins += good * (below + bad / 2);
        below += bad;
        positive += good;
    }
    return wins / (positive * below); /* NaN if one kind is not drawn */
}

static int ascending(const void *x, const void *y) {
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

assay_status detect_auroc_interval(double interval[2],
                                   assay_ctx *ctx,
                                   const float *scores,
                                   const uint8_t *truth,
                                   size_t n,
                                   int rounds,
                                   uint64_t seed) {
    assay_status status = ASSAY_OK;
    ranked *order = NULL;
    uint32_t *often = NULL;
    double *area = NULL;
    size_t kept = 0;
    interval[0] = interval[1] = NAN;
    if (rounds < 1 || n == 0)
        return ASSAY_OK;
    ASSAY_TRY(mem_new(ctx, &order, n, sizeof *order));
    ASSAY_TRY(mem_new(ctx, &often, n, sizeof *often));
    ASSAY_TRY(mem_new(ctx, &area, (size_t)rounds, sizeof *area));
    for (size_t i = 0; i < n; i++)
        order[i] = (ranked){scores[i], (uint32_t)i};
    qsort(order, n, sizeof *order, by_score);
    for (int b = 0; b < rounds; b++) {
        rng r = rng_at(seed, RNG_BOOTSTRAP, 0, (uint64_t)b);
        memset(often, 0, n * sizeof *often);
        for (size_t i = 0; i < n; i++)
            often[rng_below(&r, n)]++;
        area[kept] = weighed_area(order, often, truth, n);
        kept += !isnan(area[kept]);
    }
    if (kept == 0)
        goto done;
    qsort(area, kept, sizeof *area, ascending);
    interval[0] = area[(size_t)(.025 * (double)(kept - 1))];
    interval[1] = area[kept - 1 - (size_t)(.025 * (double)(kept - 1))];
done:
    mem_free(ctx, order);
    mem_free(ctx, often);
    mem_free(ctx, area);
    return status;
}

/* Integers in the order of the numbers (-0 below 0, which ranks no one wrongly). */
static uint32_t ordered(float v) {
    uint32_t bits;
    if (v == 0)
        v = 0;
    memcpy(&bits, &v, sizeof bits);
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}

double
detect_precision_at(const float *scores, const uint8_t *truth, size_t n, size_t count) {
    if (count > n)
        count = n;
    if (count == 0)
        return NAN;
    /* the largest value that at least `count` scores reach */
    uint32_t cut = 0;
    for (int bit = 31; bit >= 0; bit--) {
        uint32_t trial = cut | (uint32_t)1 << bit;
        size_t reach = 0;
        for (size_t i = 0; i < n; i++)
            reach += ordered(scores[i]) >= trial;
        if (reach >= count)
            cut = trial;
    }
    size_t above = 0, found = 0;
    for (size_t i = 0; i < n; i++)
        above += ordered(scores[i]) > cut;
    size_t ties = count - above; /* of those at the cut, the first rows */
    for (size_t i = 0; i < n; i++) {
        uint32_t v = ordered(scores[i]);
        if (v > cut || (v == cut && ties > 0)) {
            found += truth[i] != 0;
            ties -= v == cut;
        }
    }
    return (double)found / (double)count;
}

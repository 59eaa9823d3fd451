/* How well a score ranks: area under the ROC curve, precision among the first. */
#include "detect/detect.h"

#include <math.h>
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

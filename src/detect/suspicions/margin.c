/* margin: the best other label's probability less that of the label given (the
 * normalised margin of confident learning, Northcutt et al. 2021). */
#include "detect/mislabels/mislabels.h"

static double of(const float *p, int classes, int label) {
    float best = 0;
    for (int c = 0; c < classes; c++)
        if (c != label && p[c] > best)
            best = p[c];
    return (double)best - (double)p[label];
}

static assay_status run(suspicion *out, const mislabels *m, const char *variant) {
    return suspicion_rows(out, m, variant, of, false);
}

const detect_suspicion assay_suspicion_margin = {
    .name = "margin",
    .summary = "the best other label's p less that of the label",
    .usual = "unseen",
    .run = run,
};

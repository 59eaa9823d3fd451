/* probability: 1 - p of the label given, which is what an audit ranks labels by. */
#include "detect/mislabels/mislabels.h"

static double of(const float *p, int classes, int label) {
    (void)classes;
    return p[label] < 1 ? 1 - (double)p[label] : 0;
}

static assay_status run(suspicion *out, const mislabels *m, const char *variant) {
    return suspicion_rows(out, m, variant, of, false);
}

const detect_suspicion assay_suspicion_probability = {
    .name = "probability",
    .summary = "1 - p of the label, p the members' mean",
    .usual = "unseen",
    .run = run,
};

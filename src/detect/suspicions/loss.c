/* loss: the mean of the members' losses. One member that is sure of another label weighs
 * more here than in the mean of probabilities. */
#include "detect/mislabels/mislabels.h"

#include <float.h>
#include <math.h>

static double of(const float *p, int classes, int label) {
    (void)classes;
    return -log(p[label] > FLT_MIN ? (double)p[label] : (double)FLT_MIN);
}

static assay_status run(suspicion *out, const mislabels *m, const char *variant) {
    return suspicion_rows(out, m, variant, of, true);
}

const detect_suspicion assay_suspicion_loss = {
    .name = "loss",
    .summary = "the mean of the members' losses",
    .usual = "unseen",
    .run = run,
};

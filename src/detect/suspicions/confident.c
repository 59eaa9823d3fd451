/* confident: rows that pass the filter of confident learning (Northcutt et al. 2021,
 * section 3.1) before those that do not, each by 1 - p. */
#include "detect/mislabels/mislabels.h"

#include <string.h>

static assay_status run(suspicion *out, const mislabels *m, const char *variant) {
    assay_status status = ASSAY_OK;
    size_t k = (size_t)m->lab.card.classes;
    detect_input in = {.ctx = m->ctx,
                       .rows = m->n,
                       .train_rows = m->n,
                       .classes = m->lab.card.classes,
                       .labels = m->lab.labels};
    float *probs = NULL;
    uint8_t *flag = NULL;
    ASSAY_TRY(mem_new(m->ctx, &probs, (m->n + m->tests) * k, sizeof *probs));
    ASSAY_TRY(mem_new(m->ctx, &flag, m->n, 1));
    mislabels_mean(probs, m, strcmp(variant, "seen") == 0);
    in.probs = probs;
    ASSAY_TRY(detect_label_scores(&in, out->score));
    ASSAY_TRY(detect_label_filter(&in, flag));
    for (size_t i = 0; i < m->n; i++)
        out->score[i] += flag[i];
done:
    mem_free(m->ctx, probs);
    mem_free(m->ctx, flag);
    return status;
}

const detect_suspicion assay_suspicion_confident = {
    .name = "confident",
    .summary = "confident learning's filter first, then 1 - p",
    .usual = "unseen",
    .run = run,
};

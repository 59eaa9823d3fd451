/* Wrong labels: training rows that pass the confident-learning filter, with their score.
 */
#include "detect/detect.h"

static assay_status run(const detect_input *in, detect_findings *out) {
    assay_status status = ASSAY_OK;
    float *score = NULL;
    uint8_t *filter = NULL;
    size_t k = (size_t)in->classes;
    if (!in->probs)
        goto done;
    ASSAY_TRY(mem_new(in->ctx, &score, in->train_rows, sizeof *score));
    ASSAY_TRY(mem_new(in->ctx, &filter, in->train_rows, sizeof *filter));
    ASSAY_TRY(detect_label_scores(in, score));
    ASSAY_TRY(detect_label_filter(in, filter));
    for (uint64_t i = 0; i < in->train_rows; i++) {
        if (!filter[i])
            continue;
        const float *p = in->probs + i * k;
        size_t likely = 0;
        for (size_t c = 1; c < k; c++)
            if (p[c] > p[likely])
                likely = c;
        const detect_finding f = {.kind = DETECT_LABEL,
                                  .row = (uint32_t)i,
                                  .other = (uint32_t)i,
                                  .group = -1,
                                  .likely = (int32_t)likely,
                                  .score = score[i]};
        ASSAY_TRY(detect_findings_add(out, &f));
    }
done:
    mem_free(in->ctx, score);
    mem_free(in->ctx, filter);
    return status;
}

extern const detect_method assay_detector_label;
const detect_method assay_detector_label = {
    "label", "training rows whose label the models that did not see them deny", run};

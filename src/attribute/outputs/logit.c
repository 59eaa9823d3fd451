/* logit: the class's, whatever the others say. */
#include "attribute/output.h"

static double
logit(float *slope, const float *logits, size_t classes, size_t label, void *arg) {
    (void)arg;
    for (size_t j = 0; j < classes; j++)
        slope[j] = j == label;
    return (double)logits[label];
}

const att_output_def assay_output_logit = {
    .name = "logit",
    .summary = "the class's logit",
    .run = logit,
};

/* log-probability: log p of the class, the loss with its sign turned, so that rows that
 * help raise it. */
#include "attribute/output.h"

#include <math.h>

static double log_probability(
    float *slope, const float *logits, size_t classes, size_t label, void *arg) {
    double most = (double)logits[0], sum = 0;
    (void)arg;
    for (size_t j = 1; j < classes; j++)
        most = fmax(most, (double)logits[j]);
    for (size_t j = 0; j < classes; j++)
        sum += exp((double)logits[j] - most);
    for (size_t j = 0; j < classes; j++)
        slope[j] = (float)((j == label ? 1 : 0) - exp((double)logits[j] - most) / sum);
    return (double)logits[label] - most - log(sum);
}

const att_output_def assay_output_log_probability = {
    .name = "log-probability",
    .summary = "log p of the class: minus the loss",
    .run = log_probability,
};

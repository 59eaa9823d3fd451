/* margin: how sure the model is, log(p / (1 - p)) = z_y - log sum over others of e^z. */
#include "attribute/output.h"

#include <math.h>

double att_output_margin(
    float *slope, const float *logits, size_t classes, size_t label, void *arg) {
    double most = -INFINITY, sum = 0;
    (void)arg;
    for (size_t j = 0; j < classes; j++)
        if (j != label)
            most = fmax(most, (double)logits[j]);
    for (size_t j = 0; j < classes; j++)
        if (j != label)
            sum += exp((double)logits[j] - most);
    for (size_t j = 0; j < classes; j++)
        slope[j] = j == label ? 1 : (float)(-exp((double)logits[j] - most) / sum);
    return (double)logits[label] - most - log(sum);
}

const att_output_def assay_output_margin = {
    .name = "margin",
    .summary = "log(p / (1 - p)) of the class",
    .run = att_output_margin,
};

/* reduce_log_sum: the logarithm of the sum over some axes. */
#include "nn/reduce.h"

#include <math.h>

static double value(const reduce_members *x) {
    double y = 0;
    for (int64_t i = 0; i < x->count; i++)
        y += reduce_at(x, i);
    return log(y);
}

static double slope(const reduce_members *x, double y, int64_t i) {
    (void)x, (void)i;
    return exp(-y);
}

static const reduction family = {REDUCE_LOG_SUM, value, slope};

const nn_op_def assay_op_reduce_log_sum = {
    REDUCE_OP,
    .name = "reduce_log_sum",
    .summary = "the logarithm of the sum over some axes",
    .family = &family,
    .cases = reduce_cases_positive,
};

/* reduce_log_sum_exp: the logarithm of the sum of exponentials over some axes, without
 * overflow. */
#include "nn/reduce.h"

#include <math.h>

static double value(const reduce_members *x) {
    double most = reduce_at(x, 0), sum = 0;
    for (int64_t i = 1; i < x->count; i++)
        most = fmax(most, reduce_at(x, i));
    for (int64_t i = 0; i < x->count; i++)
        sum += exp(reduce_at(x, i) - most);
    return most + log(sum);
}

static double slope(const reduce_members *x, double y, int64_t i) {
    return exp(reduce_at(x, i) - y);
}

static const reduction family = {REDUCE_LOG_SUM_EXP, value, slope};

const nn_op_def assay_op_reduce_log_sum_exp = {
    REDUCE_OP,
    .name = "reduce_log_sum_exp",
    .summary = "the logarithm of the sum of exponentials over some axes",
    .family = &family,
    .cases = reduce_cases,
};

/* reduce_l1: the sum of absolute values over some axes. The slope at 0 is 0. */
#include "nn/reduce.h"

#include <math.h>

static double value(const reduce_members *x) {
    double y = 0;
    for (int64_t i = 0; i < x->count; i++)
        y += fabs(reduce_at(x, i));
    return y;
}

static double slope(const reduce_members *x, double y, int64_t i) {
    (void)y;
    return (reduce_at(x, i) > 0) - (reduce_at(x, i) < 0);
}

static const reduction family = {REDUCE_L1, value, slope};

const nn_op_def assay_op_reduce_l1 = {
    REDUCE_OP,
    .name = "reduce_l1",
    .summary = "the sum of absolute values over some axes",
    .family = &family,
    .cases = reduce_cases,
};

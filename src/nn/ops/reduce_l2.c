/* reduce_l2: the root of the sum of squares over some axes. The slope at 0 is 0. */
#include "nn/reduce.h"

#include <math.h>

static double value(const reduce_members *x) {
    double y = 0;
    for (int64_t i = 0; i < x->count; i++)
        y += reduce_at(x, i) * reduce_at(x, i);
    return sqrt(y);
}

static double slope(const reduce_members *x, double y, int64_t i) {
    return y == 0 ? 0 : reduce_at(x, i) / y;
}

static const reduction family = {REDUCE_L2, value, slope};

const nn_op_def assay_op_reduce_l2 = {
    REDUCE_OP,
    .name = "reduce_l2",
    .summary = "the Euclidean length over some axes",
    .family = &family,
    .cases = reduce_cases,
};

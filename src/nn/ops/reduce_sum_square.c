/* reduce_sum_square: the sum of squares over some axes. */
#include "nn/reduce.h"

static double value(const reduce_members *x) {
    double y = 0;
    for (int64_t i = 0; i < x->count; i++)
        y += reduce_at(x, i) * reduce_at(x, i);
    return y;
}

static double slope(const reduce_members *x, double y, int64_t i) {
    (void)y;
    return 2 * reduce_at(x, i);
}

static const reduction family = {REDUCE_SUM_SQUARE, value, slope};

const nn_op_def assay_op_reduce_sum_square = {
    REDUCE_OP,
    .name = "reduce_sum_square",
    .summary = "the sum of squares over some axes",
    .family = &family,
    .cases = reduce_cases,
};

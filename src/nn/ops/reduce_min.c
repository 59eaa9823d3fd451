/* reduce_min: the smallest over some axes; NaN if there is one. Equal ones share the
 * gradient. */
#include "nn/reduce.h"

static double value(const reduce_members *x) {
    double y = reduce_at(x, 0);
    for (int64_t i = 1; i < x->count; i++) {
        double v = reduce_at(x, i);
        y = v < y || v != v ? v : y;
    }
    return y;
}

static double slope(const reduce_members *x, double y, int64_t i) {
    int64_t ties = 0;
    for (int64_t k = 0; k < x->count; k++)
        ties += reduce_at(x, k) == y;
    return reduce_at(x, i) == y ? 1 / (double)ties : 0;
}

static const reduction family = {REDUCE_MIN, value, slope};

const nn_op_def assay_op_reduce_min = {
    REDUCE_OP,         .name = "reduce_min",  .summary = "the smallest over some axes",
    .family = &family, .cases = reduce_cases,
};

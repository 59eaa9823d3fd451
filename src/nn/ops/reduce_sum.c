/* reduce_sum: the sum over some axes. */
#include "nn/reduce.h"
#include "nn/tangent.h"

static double value(const reduce_members *x) {
    double y = 0;
    for (int64_t i = 0; i < x->count; i++)
        y += reduce_at(x, i);
    return y;
}

static double slope(const reduce_members *x, double y, int64_t i) {
    (void)x, (void)y, (void)i;
    return 1;
}

static const reduction family = {REDUCE_SUM, value, slope};

const nn_op_def assay_op_reduce_sum = {
    REDUCE_OP,         .name = "reduce_sum",         .summary = "the sum over some axes",
    .family = &family, .tangent = nn_tangent_linear, .cases = reduce_cases,
};

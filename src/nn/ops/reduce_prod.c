/* reduce_prod: the product over some axes. The slope by one element is the product of the
 * others, also where some are 0. */
#include "nn/reduce.h"

static double value(const reduce_members *x) {
    double y = 1;
    for (int64_t i = 0; i < x->count; i++)
        y *= reduce_at(x, i);
    return y;
}

static double slope(const reduce_members *x, double y, int64_t i) {
    (void)y;
    double others = 1;
    for (int64_t k = 0; k < x->count; k++)
        others *= k == i ? 1 : reduce_at(x, k);
    return others;
}

static const reduction family = {REDUCE_PROD, value, slope};

const nn_op_def assay_op_reduce_prod = {
    REDUCE_OP,         .name = "reduce_prod", .summary = "the product over some axes",
    .family = &family, .cases = reduce_cases,
};

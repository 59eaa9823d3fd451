/* log: the natural logarithm. */
#include "nn/elementwise.h"

#include <math.h>

static double at(double x, double *slope) {
    *slope = 1 / x;
    return log(x);
}

static const unary family = {.kind = UNARY_LOG, .at = at};

const nn_op_def assay_op_log = {
    UNARY_OP,
    .name = "log",
    .summary = "the natural logarithm",
    .dtypes = NUM_FLOATS,
    .family = &family,
    .cases = unary_cases_positive,
};

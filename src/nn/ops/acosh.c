/* acosh: the inverse of the hyperbolic cosine; NaN below 1. */
#include "nn/elementwise.h"

#include <math.h>

static double at(double x, double *slope) {
    *slope = 1 / sqrt(x * x - 1);
    return acosh(x);
}

static const unary family = {.kind = UNARY_ACOSH, .at = at};

const nn_op_def assay_op_acosh = {
    UNARY_OP,
    .name = "acosh",
    .summary = "the inverse hyperbolic cosine",
    .dtypes = NUM_FLOATS,
    .family = &family,
    .cases = unary_cases_above_one,
};

/* asin: the arc sine; NaN outside -1..1. */
#include "nn/elementwise.h"

#include <math.h>

static double at(double x, double *slope) {
    *slope = 1 / sqrt(1 - x * x);
    return asin(x);
}

static const unary family = {.kind = UNARY_ASIN, .at = at};

const nn_op_def assay_op_asin = {
    UNARY_OP,
    .name = "asin",
    .summary = "the arc sine",
    .dtypes = NUM_FLOATS,
    .family = &family,
    .cases = unary_cases_unit,
};

/* ceil: the nearest whole number above. The slope is 0. */
#include "nn/elementwise.h"

#include <math.h>

static double at(double x, double *slope) {
    *slope = 0;
    return ceil(x);
}

static const unary family = {.kind = UNARY_CEIL, .at = at};

const nn_op_def assay_op_ceil = {
    UNARY_OP,
    .name = "ceil",
    .summary = "the nearest whole number above",
    .dtypes = NUM_FLOATS,
    .family = &family,
    .cases = unary_cases,
};

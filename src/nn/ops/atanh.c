/* atanh: the inverse of the hyperbolic tangent; NaN outside -1..1. */
#include "nn/elementwise.h"

#include <math.h>

static double at(double x, double *slope) {
    *slope = 1 / (1 - x * x);
    return atanh(x);
}

static const unary family = {.kind = UNARY_ATANH, .at = at};

const nn_op_def assay_op_atanh = {
    UNARY_OP,
    .name = "atanh",
    .summary = "the inverse hyperbolic tangent",
    .dtypes = NUM_FLOATS,
    .family = &family,
    .cases = unary_cases_unit,
};

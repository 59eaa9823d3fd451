/* asinh: the inverse of the hyperbolic sine. */
#include "nn/elementwise.h"

#include <math.h>

static double at(double x, double *slope) {
    *slope = 1 / sqrt(1 + x * x);
    return asinh(x);
}

static const unary family = {.kind = UNARY_ASINH, .at = at};

const nn_op_def assay_op_asinh = {
    UNARY_OP,
    .name = "asinh",
    .summary = "the inverse hyperbolic sine",
    .dtypes = NUM_FLOATS,
    .family = &family,
    .cases = unary_cases,
};

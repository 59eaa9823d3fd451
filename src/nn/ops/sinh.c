/* sinh: the hyperbolic sine. */
#include "nn/elementwise.h"

#include <math.h>

static double at(double x, double *slope) {
    *slope = cosh(x);
    return sinh(x);
}

static const unary family = {.kind = UNARY_SINH, .at = at};

const nn_op_def assay_op_sinh = {
    UNARY_OP,
    .name = "sinh",
    .summary = "the hyperbolic sine",
    .dtypes = NUM_FLOATS,
    .family = &family,
    .cases = unary_cases,
};

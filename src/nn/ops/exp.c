/* exp: e^x. */
#include "nn/elementwise.h"

#include <math.h>

static double at(double x, double *slope) {
    *slope = exp(x);
    return exp(x);
}

static const unary family = {.kind = UNARY_EXP, .at = at};

const nn_op_def assay_op_exp = {
    UNARY_OP,
    .name = "exp",
    .summary = "the exponential",
    .dtypes = NUM_FLOATS,
    .family = &family,
    .cases = unary_cases,
};

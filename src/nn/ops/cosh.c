/* cosh: the hyperbolic cosine. */
#include "nn/elementwise.h"

#include <math.h>

static double at(double x, double *slope) {
    *slope = sinh(x);
    return cosh(x);
}

static const unary family = {.kind = UNARY_COSH, .at = at};

const nn_op_def assay_op_cosh = {
    UNARY_OP,
    .name = "cosh",
    .summary = "the hyperbolic cosine",
    .dtypes = NUM_FLOATS,
    .family = &family,
    .cases = unary_cases,
};

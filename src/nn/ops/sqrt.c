/* sqrt: the square root. */
#include "nn/elementwise.h"

#include <math.h>

static double at(double x, double *slope) {
    *slope = 0.5 / sqrt(x);
    return sqrt(x);
}

static const unary family = {.kind = UNARY_SQRT, .at = at};

const nn_op_def assay_op_sqrt = {
    UNARY_OP,
    .name = "sqrt",
    .summary = "the square root",
    .dtypes = NUM_FLOATS,
    .family = &family,
    .cases = unary_cases_positive,
};

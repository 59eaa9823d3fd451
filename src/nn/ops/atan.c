/* atan: the arc tangent. */
#include "nn/elementwise.h"

#include <math.h>

static double at(double x, double *slope) {
    *slope = 1 / (1 + x * x);
    return atan(x);
}

static const unary family = {.kind = UNARY_ATAN, .at = at};

const nn_op_def assay_op_atan = {
    UNARY_OP,
    .name = "atan",
    .summary = "the arc tangent",
    .dtypes = NUM_FLOATS,
    .family = &family,
    .cases = unary_cases,
};

/* tan: the tangent of radians. */
#include "nn/elementwise.h"

#include <math.h>

static double at(double x, double *slope) {
    *slope = 1 + tan(x) * tan(x);
    return tan(x);
}

static const unary family = {.kind = UNARY_TAN, .at = at};

const nn_op_def assay_op_tan = {
    UNARY_OP,
    .name = "tan",
    .summary = "the tangent",
    .dtypes = NUM_FLOATS,
    .family = &family,
    .cases = unary_cases_unit,
};

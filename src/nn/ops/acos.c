/* acos: the arc cosine; NaN outside -1..1. */
#include "nn/elementwise.h"

#include <math.h>

static double at(double x, double *slope) {
    *slope = -1 / sqrt(1 - x * x);
    return acos(x);
}

static const unary family = {.kind = UNARY_ACOS, .at = at};

const nn_op_def assay_op_acos = {
    UNARY_OP,
    .name = "acos",
    .summary = "the arc cosine",
    .dtypes = NUM_FLOATS,
    .family = &family,
    .cases = unary_cases_unit,
};

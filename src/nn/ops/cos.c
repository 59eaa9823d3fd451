/* cos: the cosine of radians. */
#include "nn/elementwise.h"

#include <math.h>

static double at(double x, double *slope) {
    *slope = -sin(x);
    return cos(x);
}

static const unary family = {.kind = UNARY_COS, .at = at};

const nn_op_def assay_op_cos = {
    UNARY_OP,
    .name = "cos",
    .summary = "the cosine",
    .dtypes = NUM_FLOATS,
    .family = &family,
    .cases = unary_cases,
};

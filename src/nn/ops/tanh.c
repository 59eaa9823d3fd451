/* tanh: the hyperbolic tangent. */
#include "nn/elementwise.h"

#include <math.h>

static double at(double x, double *slope) {
    *slope = 1 - tanh(x) * tanh(x);
    return tanh(x);
}

static const unary family = {.kind = UNARY_TANH, .at = at};

const nn_op_def assay_op_tanh = {
    UNARY_OP,
    .name = "tanh",
    .summary = "the hyperbolic tangent",
    .dtypes = NUM_FLOATS,
    .family = &family,
    .cases = unary_cases,
};

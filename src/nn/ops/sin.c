/* sin: the sine of radians. */
#include "nn/elementwise.h"

#include <math.h>

static double at(double x, double *slope) {
    *slope = cos(x);
    return sin(x);
}

static const unary family = {.kind = UNARY_SIN, .at = at};

const nn_op_def assay_op_sin = {
    UNARY_OP,          .name = "sin",        .summary = "the sine", .dtypes = NUM_FLOATS,
    .family = &family, .cases = unary_cases,
};

/* erf: the error function. */
#include "nn/elementwise.h"

#include <math.h>

static double at(double x, double *slope) {
    *slope = 1.12837916709551257390 * exp(-x * x);
    return erf(x);
}

static const unary family = {.kind = UNARY_ERF, .at = at};

const nn_op_def assay_op_erf = {
    UNARY_OP,
    .name = "erf",
    .summary = "the error function",
    .dtypes = NUM_FLOATS,
    .family = &family,
    .cases = unary_cases,
};

/* reciprocal: 1 / x. */
#include "nn/elementwise.h"

static double at(double x, double *slope) {
    *slope = -1 / (x * x);
    return 1 / x;
}

static const unary family = {.kind = UNARY_RECIPROCAL, .at = at};

const nn_op_def assay_op_reciprocal = {
    UNARY_OP,
    .name = "reciprocal",
    .summary = "one over x",
    .dtypes = NUM_FLOATS,
    .family = &family,
    .cases = unary_cases_positive,
};

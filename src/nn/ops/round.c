/* round: the nearest whole number, ties to the even one. The slope is 0. */
#include "nn/elementwise.h"

#include <math.h>

static double at(double x, double *slope) {
    *slope = 0;
    return rint(x);
}

static const unary family = {.kind = UNARY_ROUND, .at = at};

const nn_op_def assay_op_round = {
    UNARY_OP,
    .name = "round",
    .summary = "the nearest whole number, ties to even",
    .dtypes = NUM_FLOATS,
    .family = &family,
    .cases = unary_cases,
};

/* floor: the nearest whole number below. The slope is 0. */
#include "nn/elementwise.h"

#include <math.h>

static double at(double x, double *slope) {
    *slope = 0;
    return floor(x);
}

static const unary family = {.kind = UNARY_FLOOR, .at = at};

const nn_op_def assay_op_floor = {
    UNARY_OP,
    .name = "floor",
    .summary = "the nearest whole number below",
    .dtypes = NUM_FLOATS,
    .family = &family,
    .cases = unary_cases,
};

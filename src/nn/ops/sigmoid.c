/* sigmoid: 1 / (1 + e^-x). */
#include "nn/elementwise.h"

#include <math.h>

static double at(double x, double *slope) {
    double y = 1 / (1 + exp(-x));
    *slope = y * (1 - y);
    return y;
}

static const unary family = {.kind = UNARY_SIGMOID, .at = at};

const nn_op_def assay_op_sigmoid = {
    UNARY_OP,
    .name = "sigmoid",
    .summary = "the logistic function",
    .dtypes = NUM_FLOATS,
    .family = &family,
    .cases = unary_cases,
};

/* abs: |x|. The slope at 0 is 0. */
#include "nn/elementwise.h"

#include <math.h>

static double at(double x, double *slope) {
    *slope = x > 0 ? 1 : x < 0 ? -1 : 0;
    return fabs(x);
}

static int64_t whole(int64_t x, bool is_unsigned) {
    return x < 0 && !is_unsigned ? (int64_t)(0 - (uint64_t)x) : x;
}

static const unary family = {.kind = UNARY_ABS, .at = at, .whole = whole};

const nn_op_def assay_op_abs = {
    UNARY_OP,          .name = "abs",     .summary = "the absolute value",
    .dtypes = NUM_ALL, .family = &family, .cases = unary_cases,
};

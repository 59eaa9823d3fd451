/* sign: 1 above 0, -1 below, 0 at 0; NaN stays NaN. The slope is 0. */
#include "nn/elementwise.h"

static double at(double x, double *slope) {
    *slope = 0;
    return x > 0 ? 1 : x < 0 ? -1 : x;
}

static int64_t whole(int64_t x, bool is_unsigned) {
    return is_unsigned ? x != 0 : (x > 0) - (x < 0);
}

static const unary family = {.kind = UNARY_SIGN, .at = at, .whole = whole};

const nn_op_def assay_op_sign = {
    UNARY_OP,          .name = "sign",    .summary = "the sign as 1, 0 or -1",
    .dtypes = NUM_ALL, .family = &family, .cases = unary_cases,
};

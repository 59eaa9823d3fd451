/* neg: -x. Integers wrap. */
#include "nn/elementwise.h"
#include "nn/tangent.h"

static double at(double x, double *slope) {
    *slope = -1;
    return -x;
}

static int64_t whole(int64_t x, bool is_unsigned) {
    (void)is_unsigned;
    return (int64_t)(0 - (uint64_t)x);
}

static const unary family = {.kind = UNARY_NEG, .at = at, .whole = whole};

const nn_op_def assay_op_neg = {
    UNARY_OP,
    .name = "neg",
    .summary = "the number with its sign turned",
    .dtypes = NUM_ALL,
    .family = &family,
    .tangent = nn_tangent_linear,
    .cases = unary_cases,
};

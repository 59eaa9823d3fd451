/* equal: whether a = b, with broadcasting; NaN equals nothing. */
#include "nn/elementwise.h"

static double at(double a, double b, double *slope) {
    (void)slope;
    return a == b;
}

static bool whole(int64_t *y, int64_t a, int64_t b, bool is_unsigned) {
    (void)is_unsigned;
    *y = a == b;
    return true;
}

static const binary family = {.kind = -1, .at = at, .whole = whole};

const nn_op_def assay_op_equal = {
    RELATION_OP,
    .name = "equal",
    .summary = "whether two values are equal",
    .dtypes = NUM_ALL | NUM_BOOL,
    .family = &family,
    .cases = binary_cases,
};

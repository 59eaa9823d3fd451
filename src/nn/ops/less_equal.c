/* less_equal: whether a <= b, with broadcasting. */
#include "nn/elementwise.h"

static double at(double a, double b, double *slope) {
    (void)slope;
    return a <= b;
}

static bool whole(int64_t *y, int64_t a, int64_t b, bool is_unsigned) {
    *y = is_unsigned ? (uint64_t)a <= (uint64_t)b : a <= b;
    return true;
}

static const binary family = {.kind = -1, .at = at, .whole = whole};

const nn_op_def assay_op_less_equal = {
    RELATION_OP,
    .name = "less_equal",
    .summary = "whether a is at most b",
    .dtypes = NUM_ALL | NUM_BOOL,
    .family = &family,
    .cases = binary_cases,
};

/* sub: a - b with broadcasting. Integers wrap. */
#include "nn/elementwise.h"

static double at(double a, double b, double *slope) {
    if (slope) {
        slope[0] = 1;
        slope[1] = -1;
    }
    return a - b;
}

static bool whole(int64_t *y, int64_t a, int64_t b, bool is_unsigned) {
    (void)is_unsigned;
    *y = (int64_t)((uint64_t)a - (uint64_t)b);
    return true;
}

static const binary family = {.kind = BINARY_SUB, .at = at, .whole = whole};

const nn_op_def assay_op_sub = {
    BINARY_OP,         .name = "sub",     .summary = "the difference of two values",
    .dtypes = NUM_ALL, .family = &family, .cases = binary_cases,
};

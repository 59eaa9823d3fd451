/* div: a / b with broadcasting. Integers are cut towards 0; one divided by 0 is an
 * error (NUMERIC). */
#include "nn/elementwise.h"

static double at(double a, double b, double *slope) {
    if (slope) {
        slope[0] = 1 / b;
        slope[1] = -a / (b * b);
    }
    return a / b;
}

static bool whole(int64_t *y, int64_t a, int64_t b, bool is_unsigned) {
    if (b == 0)
        return false;
    if (is_unsigned)
        *y = (int64_t)((uint64_t)a / (uint64_t)b);
    else
        *y = b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
    return true;
}

static const binary family = {.kind = BINARY_DIV, .at = at, .whole = whole};

const nn_op_def assay_op_div = {
    BINARY_OP,         .name = "div",     .summary = "the quotient of two values",
    .dtypes = NUM_ALL, .family = &family, .cases = binary_cases_positive,
};

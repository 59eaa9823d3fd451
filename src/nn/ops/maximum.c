/* maximum: the larger of two values, with broadcasting; NaN if one is. Where both are
 * equal each has half of the gradient. */
#include "nn/elementwise.h"

#include <math.h>

static double at(double a, double b, double *slope) {
    if (slope) {
        slope[0] = a > b ? 1 : a == b ? 0.5 : 0;
        slope[1] = b > a ? 1 : a == b ? 0.5 : 0;
    }
    return a > b || isnan(a) ? a : b;
}

static bool whole(int64_t *y, int64_t a, int64_t b, bool is_unsigned) {
    *y = (is_unsigned ? (uint64_t)a > (uint64_t)b : a > b) ? a : b;
    return true;
}

static const binary family = {.kind = BINARY_MAXIMUM, .at = at, .whole = whole};

const nn_op_def assay_op_maximum = {
    BINARY_OP,         .name = "maximum", .summary = "the larger of two values",
    .dtypes = NUM_ALL, .family = &family, .cases = binary_cases,
};

/* pow: a^b with broadcasting; the output has the type of a, b may have another. Whole
 * numbers wrap; one to a negative power is cut towards 0, and 0 to a negative power is an
 * error (NUMERIC). The slope by a is 0 where b is 0, that by b is 0 where a is 0 and b is
 * not negative. */
#include "nn/elementwise.h"

#include <math.h>

static double at(double a, double b, double *slope) {
    if (slope) {
        slope[0] = b == 0 ? 0 : b * pow(a, b - 1);
        slope[1] = a == 0 && b >= 0 ? 0 : pow(a, b) * log(a);
    }
    return pow(a, b);
}

static bool whole(int64_t *y, int64_t a, int64_t b, bool is_unsigned) {
    uint64_t result = 1, square = (uint64_t)a;
    if (!is_unsigned && b < 0) {
        *y = a == 1 ? 1 : a == -1 ? (b % 2 ? -1 : 1) : 0;
        return a != 0;
    }
    for (uint64_t rest = (uint64_t)b; rest; rest >>= 1, square *= square)
        if (rest & 1)
            result *= square;
    *y = (int64_t)result;
    return true;
}

static const binary family = {
    .kind = BINARY_POW, .at = at, .whole = whole, .mixed = true};

const nn_op_def assay_op_pow = {
    BINARY_OP,         .name = "pow",     .summary = "a to the power of b",
    .dtypes = NUM_ALL, .family = &family, .cases = binary_cases_positive,
};

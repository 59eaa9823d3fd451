/* mod: a - b floor(a / b): the remainder with the sign of the divisor, as in Python, with
 * broadcasting. By an integer 0: an error (NUMERIC). Its slopes are 1 and -floor(a / b).
 */
#include "nn/elementwise.h"

#include <math.h>

static double at(double a, double b, double *slope) {
    double r = fmod(a, b);
    if (slope) {
        slope[0] = 1;
        slope[1] = -floor(a / b);
    }
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

static bool whole(int64_t *y, int64_t a, int64_t b, bool is_unsigned) {
    if (b == 0)
        return false;
    if (is_unsigned) {
        *y = (int64_t)((uint64_t)a % (uint64_t)b);
        return true;
    }
    int64_t r = b == -1 ? 0 : a % b;
    *y = r != 0 && (r < 0) != (b < 0) ? r + b : r;
    return true;
}

static const binary family = {.kind = BINARY_MOD, .at = at, .whole = whole};

const nn_op_def assay_op_mod = {
    BINARY_OP,
    .name = "mod",
    .summary = "the remainder, with the sign of the divisor",
    .dtypes = NUM_ALL,
    .family = &family,
    .cases = binary_cases_positive,
};

/* fmod: a - b trunc(a / b): the remainder with the sign of the dividend, as in C, with
 * broadcasting. By an integer 0: an error (NUMERIC). Its slopes are 1 and -trunc(a / b).
 */
#include "nn/elementwise.h"

#include <math.h>

static double at(double a, double b, double *slope) {
    if (slope) {
        slope[0] = 1;
        slope[1] = -trunc(a / b);
    }
    return fmod(a, b);
}

static bool whole(int64_t *y, int64_t a, int64_t b, bool is_unsigned) {
    if (b == 0)
        return false;
    if (is_unsigned)
        *y = (int64_t)((uint64_t)a % (uint64_t)b);
    else
        *y = b == -1 ? 0 : a % b;
    return true;
}

static const binary family = {.kind = BINARY_FMOD, .at = at, .whole = whole};

const nn_op_def assay_op_fmod = {
    BINARY_OP,
    .name = "fmod",
    .summary = "the remainder, with the sign of the dividend",
    .dtypes = NUM_ALL,
    .family = &family,
    .cases = binary_cases_positive,
};

/* mul: a b, element by element, with broadcasting. Integers wrap. */
#include "nn/elementwise.h"
#include "nn/tangent.h"

static double at(double a, double b, double *slope) {
    if (slope) {
        slope[0] = b;
        slope[1] = a;
    }
    return a * b;
}

static bool whole(int64_t *y, int64_t a, int64_t b, bool is_unsigned) {
    (void)is_unsigned;
    *y = (int64_t)((uint64_t)a * (uint64_t)b);
    return true;
}

static const binary family = {.kind = BINARY_MUL, .at = at, .whole = whole};

const nn_op_def assay_op_mul = {
    BINARY_OP,
    .name = "mul",
    .summary = "the product of two values, element by element",
    .dtypes = NUM_ALL,
    .family = &family,
    .tangent = nn_tangent_product,
    .cases = binary_cases,
};

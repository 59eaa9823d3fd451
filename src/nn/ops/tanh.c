/* tanh: the hyperbolic tangent. */
#include "nn/elementwise.h"
#include "nn/tangent.h"

#include <math.h>

static double at(double x, double *slope) {
    *slope = 1 - tanh(x) * tanh(x);
    return tanh(x);
}

static const unary family = {.kind = UNARY_TANH, .at = at};

/* r (1 - y^2) */
static assay_status tanh_tangent(nn_value *out, const nn_tangent *t) {
    assay_status status = ASSAY_OK;
    const nn_value y = t->node->out, r = t->of[0];
    nn_value x;
    ASSAY_TRY(nn_tangent_call(&x, t, "mul", y, y, NULL, 0));
    ASSAY_TRY(nn_tangent_call(&x, t, "mul", x, r, NULL, 0));
    ASSAY_TRY(nn_tangent_call(out, t, "sub", r, x, NULL, 0));
done:
    return status;
}

const nn_op_def assay_op_tanh = {
    UNARY_OP,
    .name = "tanh",
    .summary = "the hyperbolic tangent",
    .dtypes = NUM_FLOATS,
    .family = &family,
    .tangent = tanh_tangent,
    .cases = unary_cases,
};

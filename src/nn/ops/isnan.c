/* isnan: which numbers are NaN. */
#include "nn/elementwise.h"

#include <math.h>

static assay_status isnan_infer(nn_node *node) {
    node->out_shape = node->in_shape[0];
    node->out_dtype = ASSAY_BOOL;
    return ASSAY_OK;
}

static bool holds(double v) {
    return isnan(v);
}

static assay_status isnan_forward(nn_io *io) {
    const nn_node *node = io->node;
    assay_dtype dtype = node->in_dtype[0];
    size_t count = (size_t)nn_shape_elements(&node->in_shape[0], io->n);
    uint8_t *y = io->out;
    for (size_t i = 0; i < count; i++) {
        double v;
        num_to_f64(&v, (const uint8_t *)io->in[0] + i * assay_dtype_size(dtype), dtype, 1,
                   1);
        y[i] = holds(v);
    }
    return ASSAY_OK;
}

static void isnan_reference(const nn_node *node,
                            int n,
                            bool training,
                            const double *const *in,
                            double *out,
                            const double *d_out,
                            double *const *d_in) {
    (void)training, (void)d_out, (void)d_in;
    int64_t count = nn_shape_elements(&node->in_shape[0], n);
    for (int64_t i = 0; i < count; i++)
        out[i] = holds(in[0][i]);
}

const nn_op_def assay_op_isnan = {
    .name = "isnan",
    .summary = "which numbers are NaN",
    .min_inputs = 1,
    .max_inputs = 1,
    .layout = NN_ANY,
    .dtypes = NUM_FLOATS,
    .no_grad = true,
    .infer = isnan_infer,
    .forward = isnan_forward,
    .reference = isnan_reference,
    .cases = unary_cases,
};

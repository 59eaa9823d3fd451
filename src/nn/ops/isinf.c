/* isinf: which numbers are infinite: "positive" and "negative" (1 each) say on which
 * side. */
#include "nn/elementwise.h"

#include <math.h>

static const char *const isinf_attrs[] = {"positive", "negative", NULL};

static assay_status isinf_infer(nn_node *node) {
    node->out_shape = node->in_shape[0];
    node->out_dtype = ASSAY_BOOL;
    return ASSAY_OK;
}

static bool holds(double v, bool positive, bool negative) {
    return isinf(v) && (v > 0 ? positive : negative);
}

static assay_status isinf_forward(nn_io *io) {
    const nn_node *node = io->node;
    assay_dtype dtype = node->in_dtype[0];
    size_t count = (size_t)nn_shape_elements(&node->in_shape[0], io->n);
    uint8_t *y = io->out;
    bool positive = nn_attr_i(node, "positive", 1) != 0;
    bool negative = nn_attr_i(node, "negative", 1) != 0;
    for (size_t i = 0; i < count; i++) {
        double v;
        num_to_f64(&v, (const uint8_t *)io->in[0] + i * assay_dtype_size(dtype), dtype, 1,
                   1);
        y[i] = holds(v, positive, negative);
    }
    return ASSAY_OK;
}

static void isinf_reference(const nn_node *node,
                            int n,
                            bool training,
                            const double *const *in,
                            double *out,
                            const double *d_out,
                            double *const *d_in) {
    (void)training, (void)d_out, (void)d_in;
    int64_t count = nn_shape_elements(&node->in_shape[0], n);
    bool positive = nn_attr_i(node, "positive", 1) != 0;
    bool negative = nn_attr_i(node, "negative", 1) != 0;
    for (int64_t i = 0; i < count; i++)
        out[i] = holds(in[0][i], positive, negative);
}

const nn_op_def assay_op_isinf = {
    .name = "isinf",
    .summary = "which numbers are infinite",
    .min_inputs = 1,
    .max_inputs = 1,
    .layout = NN_ANY,
    .dtypes = NUM_FLOATS,
    .no_grad = true,
    .attrs = isinf_attrs,
    .infer = isinf_infer,
    .forward = isinf_forward,
    .reference = isinf_reference,
    .cases = unary_cases,
};

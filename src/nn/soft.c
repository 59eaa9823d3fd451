/* Softmax along one axis. In storage a value is [outer, d, inner] with the axis in the
 * middle, whichever layout it has; the kernels know that much. */
#include "nn/soft.h"

#include "nn/rows.h"

#include <math.h>

const char *const soft_attrs[] = {"axis", NULL};

typedef struct soft_shape {
    size_t outer, d, inner;
} soft_shape;

static int axis_of(const nn_node *node) {
    int64_t axis = nn_attr_i(node, "axis", -1);
    return (int)(axis < 0 ? axis + node->in_shape[0].ndim : axis);
}

static soft_shape shape_of(const nn_node *node, int n) {
    const nn_shape *s = &node->in_shape[0];
    int64_t stride[NN_MAX_DIMS];
    int axis = axis_of(node);
    nn_strides(s, node->in_layout[0], stride);
    size_t d = (size_t)s->dim[axis], inner = (size_t)stride[axis];
    return (soft_shape){(size_t)nn_shape_elements(s, n) / (d * inner), d, inner};
}

assay_status soft_infer(nn_node *node) {
    const nn_shape *s = &node->in_shape[0];
    int64_t axis = nn_attr_i(node, "axis", -1);
    if (axis < -s->ndim || axis >= s->ndim)
        return nn_op_bad_shape(node, 0, "there is no such axis");
    if (axis_of(node) == 0 && nn_shape_open(s))
        return nn_op_bad_shape(node, 0, "the axis may not be that of the batch");
    node->out_shape = *s;
    return ASSAY_OK;
}

assay_status soft_plan(nn_plan *p) {
    p->backward_reads_out = true;
    return ASSAY_OK;
}

assay_status soft_forward(nn_io *io, bool logarithm) {
    soft_shape s = shape_of(io->node, io->n);
    row_kernels_get()->softmax((row_values){io->out, io->out_half},
                               (row_values){(void *)io->in[0], io->in_half & 1}, s.outer,
                               s.d, s.inner, logarithm);
    return ASSAY_OK;
}

assay_status soft_backward(nn_io *io, bool logarithm) {
    soft_shape s = shape_of(io->node, io->n);
    row_kernels_get()->softmax_back((row_values){io->d_in[0], io->in_half & 1},
                                    (row_values){(void *)io->d_out, io->out_half},
                                    (row_values){io->out, io->out_half}, s.outer, s.d,
                                    s.inner, logarithm);
    return ASSAY_OK;
}

void soft_reference(const nn_node *node,
                    int n,
                    bool logarithm,
                    const double *x,
                    double *out,
                    const double *d_out,
                    double *d_in) {
    soft_shape s = shape_of(node, n);
    for (size_t i = 0; i < s.outer * s.inner; i++) {
        size_t at = i / s.inner * s.d * s.inner + i % s.inner;
        double most = -INFINITY, sum = 0, pull = 0;
        for (size_t k = 0; k < s.d; k++)
            most = fmax(most, x[at + k * s.inner]);
        for (size_t k = 0; k < s.d; k++)
            sum += exp(x[at + k * s.inner] - most);
        for (size_t k = 0; k < s.d; k++) {
            double p = exp(x[at + k * s.inner] - most) / sum;
            out[at + k * s.inner] = logarithm ? x[at + k * s.inner] - most - log(sum) : p;
            if (d_out)
                pull += d_out[at + k * s.inner] * (logarithm ? 1 : p);
        }
        for (size_t k = at; d_out && d_in && k < at + s.d * s.inner; k += s.inner)
            d_in[k] =
                logarithm ? d_out[k] - exp(out[k]) * pull : out[k] * (d_out[k] - pull);
    }
}

/* relu_tangent: how relu's output y moves when its input moves by r: r where y > 0, else
 * nought. Inputs r, y. Where y is positive does not change by a derivative's reckoning,
 * so that y gets no gradient. */
#include "nn/mixed.h"
#include "nn/op.h"

static assay_status tangent_infer(nn_node *node) {
    if (!nn_shape_equal(&node->in_shape[0], &node->in_shape[1]))
        return nn_op_bad_shape(node, 1, "an output like the tangent is needed");
    node->out_shape = node->in_shape[0];
    return ASSAY_OK;
}

static assay_status tangent_plan(nn_plan *p) {
    p->backward_reads = 2;
    return ASSAY_OK;
}

static void masked(float *to, const float *from, const nn_io *io) {
    mixed_relu_back(to, false, from, io->in[1], false,
                    (size_t)nn_shape_elements(&io->node->in_shape[0], io->n));
}

static assay_status tangent_forward(nn_io *io) {
    masked(io->out, io->in[0], io);
    return ASSAY_OK;
}

static assay_status tangent_backward(nn_io *io) {
    if (io->d_in[0])
        masked(io->d_in[0], io->d_out, io);
    return ASSAY_OK;
}

static void tangent_reference(const nn_node *node,
                              int n,
                              bool training,
                              const double *const *in,
                              double *out,
                              const double *d_out,
                              double *const *d_in) {
    (void)training;
    int64_t count = nn_shape_elements(&node->in_shape[0], n);
    for (int64_t i = 0; i < count; i++) {
        out[i] = in[1][i] > 0 ? in[0][i] : 0;
        if (d_out && d_in[0])
            d_in[0][i] = in[1][i] > 0 ? d_out[i] : 0;
    }
}

static const nn_op_case tangent_cases[] = {
    {.name = "odd image",
     .batch = 3,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {4, {0, 5, 7, 3}}}, {NN_CASE_VALUE, {4, {0, 5, 7, 3}}}}},
    {.name = "vector",
     .batch = 4,
     .n = 4,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {2, {0, 17}}}, {NN_CASE_VALUE, {2, {0, 17}}}}},
    {0}};

const nn_op_def assay_op_relu_tangent = {
    .name = "relu_tangent",
    .summary = "how relu's output moves with its input",
    .min_inputs = 2,
    .max_inputs = 2,
    .held = 1u << 1,
    .infer = tangent_infer,
    .plan = tangent_plan,
    .forward = tangent_forward,
    .backward = tangent_backward,
    .reference = tangent_reference,
    .cases = tangent_cases,
};

/* instance_norm: each channel of each example is a group of its own (Ulyanov et al. 2016,
 * arXiv 1607.08022); eps 1e-5. Inputs x, scale [C], shift [C]. */
#include "nn/group.h"

static const char *const instance_norm_attrs[] = {"eps", NULL};

static int64_t groups_of(const nn_node *node) {
    return node->in_shape[0].dim[1];
}

static assay_status in_infer(nn_node *node) {
    if (node->in_shape[0].ndim != 4)
        return nn_op_bad_shape(node, 0, "images [N,C,H,W] are needed");
    return group_infer(node, groups_of(node));
}

static assay_status in_forward(nn_io *io) {
    group_forward(io, groups_of(io->node));
    return ASSAY_OK;
}

static assay_status in_backward(nn_io *io) {
    group_backward(io, groups_of(io->node));
    return ASSAY_OK;
}

static void in_reference(const nn_node *node,
                         int n,
                         bool training,
                         const double *const *in,
                         double *out,
                         const double *d_out,
                         double *const *d_in) {
    (void)training;
    group_reference(node, groups_of(node), n, in, out, d_out, d_in);
}

#define INPUTS(c, ...)                                                                   \
    .n_inputs = 3, .in = {{NN_CASE_VALUE, __VA_ARGS__},                                  \
                          {NN_CASE_PARAM, {1, {c}}},                                     \
                          {NN_CASE_PARAM, {1, {c}}}}

static const nn_op_case in_cases[] = {
    {.name = "sixteens", .batch = 3, .n = 2, INPUTS(16, {4, {0, 16, 5, 7}})},
    {.name = "odd channels",
     .batch = 2,
     .n = 2,
     INPUTS(19, {4, {0, 19, 3, 5}}),
     .attr = {{.name = "eps", .f = 0.1}},
     .n_attrs = 1},
    {0}};

const nn_op_def assay_op_instance_norm = {
    .name = "instance_norm",
    .summary = "normalisation of each channel of each example",
    .min_inputs = 3,
    .max_inputs = 3,
    .half_in = 1,
    .half_out = true,
    .attrs = instance_norm_attrs,
    .infer = in_infer,
    .plan = group_plan,
    .forward = in_forward,
    .backward = in_backward,
    .factors = group_factors,
    .reference = in_reference,
    .cases = in_cases,
};

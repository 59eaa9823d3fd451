/* group_norm: nn/group.h with the attribute `groups`; eps 1e-5. Inputs x, scale [C],
 * shift [C]. */
#include "nn/group.h"

static const char *const group_norm_attrs[] = {"groups", "eps", NULL};

static int64_t groups_of(const nn_node *node) {
    return nn_attr_i(node, "groups", 1);
}

static assay_status gn_infer(nn_node *node) {
    if (!nn_attr_get(node, "groups"))
        return err_set(ASSAY_E_INVALID, "group_norm needs the attribute 'groups'");
    return group_infer(node, groups_of(node));
}

static assay_status gn_forward(nn_io *io) {
    group_forward(io, groups_of(io->node));
    return ASSAY_OK;
}

static assay_status gn_backward(nn_io *io) {
    group_backward(io, groups_of(io->node));
    return ASSAY_OK;
}

static void gn_reference(const nn_node *node,
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

static const nn_op_case gn_cases[] = {
    {.name = "four groups",
     .batch = 3,
     .n = 2,
     INPUTS(32, {4, {0, 32, 5, 7}}),
     .attr = {{.name = "groups", .i = {4}, .count = 1}},
     .n_attrs = 1},
    {.name = "odd channels, one group",
     .batch = 2,
     .n = 2,
     INPUTS(19, {4, {0, 19, 3, 5}}),
     .attr = {{.name = "groups", .i = {1}, .count = 1}, {.name = "eps", .f = 0.1}},
     .n_attrs = 2},
    {.name = "vectors",
     .batch = 4,
     .n = 3,
     INPUTS(12, {2, {0, 12}}),
     .attr = {{.name = "groups", .i = {3}, .count = 1}},
     .n_attrs = 1},
    {.name = "many pixels, static",
     .batch = 2,
     .n = 2,
     INPUTS(6, {4, {2, 6, 11, 9}}),
     .attr = {{.name = "groups", .i = {2}, .count = 1}},
     .n_attrs = 1},
    {0}};

const nn_op_def assay_op_group_norm = {
    .name = "group_norm",
    .summary = "normalisation of each example's groups of channels",
    .min_inputs = 3,
    .max_inputs = 3,
    .half_in = 1,
    .half_out = true,
    .attrs = group_norm_attrs,
    .infer = gn_infer,
    .plan = group_plan,
    .forward = gn_forward,
    .backward = gn_backward,
    .factors = group_factors,
    .reference = gn_reference,
    .cases = gn_cases,
};

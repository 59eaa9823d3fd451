/* global_max_pool: the largest pixel of each channel. Forward notes which it was. */
#include "nn/op.h"

static assay_status gmp_infer(nn_node *node) {
    const nn_shape *x = &node->in_shape[0];
    if (x->ndim != 4)
        return nn_op_bad_shape(node, 0, "images [N,C,H,W] are needed");
    if (x->dim[2] * x->dim[3] > INT32_MAX)
        return nn_op_bad_shape(node, 0, "the image is too large");
    node->out_shape = (nn_shape){4, {x->dim[0], x->dim[1], 1, 1}};
    return ASSAY_OK;
}

static assay_status gmp_plan(nn_plan *p) {
    if (p->backward)
        p->save_bytes =
            (size_t)(p->node->in_shape[0].dim[1] * p->batch) * sizeof(int32_t);
    return ASSAY_OK;
}

static assay_status gmp_forward(nn_io *io) {
    int64_t c = io->node->in_shape[0].dim[1];
    int64_t pixels = nn_shape_each(&io->node->in_shape[0]) / c;
    const float *x = io->in[0];
    float *y = io->out;
    int32_t *won = io->save;
    for (int i = 0; i < io->n; i++, y += c, won = won ? won + c : NULL)
        for (int64_t p = 0; p < pixels; p++, x += c)
            for (int64_t k = 0; k < c; k++) {
                bool more = p == 0 || x[k] > y[k];
                y[k] = more ? x[k] : y[k];
                if (won && more)
                    won[k] = (int32_t)p;
            }
    return ASSAY_OK;
}

static assay_status gmp_backward(nn_io *io) {
    int64_t c = io->node->in_shape[0].dim[1];
    int64_t pixels = nn_shape_each(&io->node->in_shape[0]) / c;
    const float *d_y = io->d_out;
    const int32_t *won = io->save;
    float *d_x = io->d_in[0];
    for (int i = 0; i < io->n; i++, d_y += c, won += c)
        for (int64_t p = 0; p < pixels; p++, d_x += c)
            for (int64_t k = 0; k < c; k++)
                d_x[k] = won[k] == p ? d_y[k] : 0;
    return ASSAY_OK;
}

static void gmp_reference(const nn_node *node,
                          int n,
                          bool training,
                          const double *const *in,
                          double *out,
                          const double *d_out,
                          double *const *d_in) {
    (void)training;
    int64_t c = node->in_shape[0].dim[1], pixels = nn_shape_each(&node->in_shape[0]) / c;
    for (int64_t at = 0; at < n * c; at++) {
        int64_t first = at / c * pixels * c + at % c, won = first;
        for (int64_t p = 1; p < pixels; p++)
            if (in[0][first + p * c] > in[0][won])
                won = first + p * c;
        out[at] = in[0][won];
        if (d_out && d_in[0])
            d_in[0][won] = d_out[at];
    }
}

static const nn_op_case gmp_cases[] = {{.name = "odd",
                                        .batch = 3,
                                        .n = 2,
                                        .n_inputs = 1,
                                        .in = {{NN_CASE_VALUE, {4, {0, 19, 5, 3}}}}},
                                       {.name = "one pixel, static",
                                        .batch = 2,
                                        .n = 2,
                                        .n_inputs = 1,
                                        .in = {{NN_CASE_VALUE, {4, {2, 4, 1, 1}}}}},
                                       {0}};

const nn_op_def assay_op_global_max_pool = {
    .name = "global_max_pool",
    .summary = "the largest of each channel",
    .min_inputs = 1,
    .max_inputs = 1,
    .infer = gmp_infer,
    .plan = gmp_plan,
    .forward = gmp_forward,
    .backward = gmp_backward,
    .reference = gmp_reference,
    .cases = gmp_cases,
};

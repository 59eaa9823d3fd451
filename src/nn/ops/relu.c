/* relu: y = max(x, 0). Its backward looks at y, so that x need not be kept. A max-pooling
 * behind it is done in the same pass, which starts from nought instead of minus infinity:
 * the positive image is never written. */
#include "nn/mixed.h"
#include "nn/tangent.h"

#include <string.h>

static assay_status relu_infer(nn_node *node) {
    node->out_shape = node->in_shape[0];
    return ASSAY_OK;
}

/* Whether `pool` is a max-pooling that the kernels know. */
static bool pool_window(const nn_node *pool, nn_window *g) {
    int64_t k[2];
    return strcmp(pool->op->name, "max_pool") == 0 &&
           nn_attr_pair(pool, "kernel", 1, k) == ASSAY_OK &&
           nn_window_make(g, pool, k[0], k[1]) == ASSAY_OK && g->dilation[0] == 1 &&
           g->dilation[1] == 1;
}

static int relu_fuse(
    const nn_node *node, const nn_node *const *next, int n, nn_mode mode, bool x_grad) {
    (void)mode, (void)x_grad;
    nn_window g;
    return n > 0 && node->in_layout[0] == next[0]->in_layout[0] &&
           pool_window(next[0], &g);
}

static assay_status relu_plan(nn_plan *p) {
    nn_window g;
    if (p->n_fused && pool_window(p->fused[0], &g) && p->backward)
        p->save_bytes = (size_t)nn_shape_each(&p->fused[0]->out_shape) *
                        (size_t)p->batch * max_pool_tap_bytes(&g);
    p->backward_reads_out = p->n_fused == 0;
    return ASSAY_OK;
}

static size_t count_of(const nn_io *io) {
    return (size_t)nn_shape_each(&io->node->in_shape[0]) * (size_t)io->n;
}

static const image_kernels *kernels_of(const nn_io *io) {
    return nn_kernels_get()->image[io->in_half & 1][io->out_half];
}

static assay_status relu_forward(nn_io *io) {
    nn_window g;
    if (io->n_fused && pool_window(io->fused[0], &g))
        kernels_of(io)->max_pool(io->out, io->save, io->in[0], &g, (size_t)io->n, true);
    else
        mixed_relu(io->out, io->out_half, io->in[0], io->in_half & 1, count_of(io));
    return ASSAY_OK;
}

static assay_status relu_backward(nn_io *io) {
    nn_window g;
    if (io->n_fused && pool_window(io->fused[0], &g))
        kernels_of(io)->max_pool_back(io->d_in[0], io->d_out, io->save, &g,
                                      (size_t)io->n);
    else
        mixed_relu_back(io->d_in[0], io->in_half & 1, io->d_out, io->out, io->out_half,
                        count_of(io));
    return ASSAY_OK;
}

static assay_status relu_tangent(nn_value *out, const nn_tangent *t) {
    return nn_tangent_act(out, t, "relu_tangent", true);
}

static void relu_reference(const nn_node *node,
                           int n,
                           bool training,
                           const double *const *in,
                           double *out,
                           const double *d_out,
                           double *const *d_in) {
    (void)training;
    int64_t count = nn_shape_each(&node->in_shape[0]) * n;
    for (int64_t i = 0; i < count; i++) {
        out[i] = in[0][i] > 0 ? in[0][i] : 0;
        if (d_out && d_in[0])
            d_in[0][i] = in[0][i] > 0 ? d_out[i] : 0;
    }
}

static const nn_op_case relu_cases[] = {{.name = "odd image",
                                         .batch = 3,
                                         .n = 2,
                                         .n_inputs = 1,
                                         .in = {{NN_CASE_VALUE, {4, {0, 5, 7, 3}}}}},
                                        {.name = "vector",
                                         .batch = 4,
                                         .n = 4,
                                         .n_inputs = 1,
                                         .in = {{NN_CASE_VALUE, {2, {0, 17}}}}},
                                        {0}};

const nn_op_def assay_op_relu = {
    .name = "relu",
    .summary = "the positive part",
    .min_inputs = 1,
    .max_inputs = 1,
    .half_in = 1,
    .half_out = true,
    .infer = relu_infer,
    .fuse = relu_fuse,
    .plan = relu_plan,
    .forward = relu_forward,
    .backward = relu_backward,
    .tangent = relu_tangent,
    .reference = relu_reference,
    .cases = relu_cases,
};

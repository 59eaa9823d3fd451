/* global_avg_pool: the mean of each channel over the image, [N,C,H,W] to [N,C,1,1]. */
#include "nn/kernels.h"
#include "nn/tangent.h"

static assay_status gap_infer(nn_node *node) {
    const nn_shape *x = &node->in_shape[0];
    if (x->ndim != 4)
        return nn_op_bad_shape(node, 0, "images [N,C,H,W] are needed");
    node->out_shape = (nn_shape){4, {0, x->dim[1], 1, 1}};
    return ASSAY_OK;
}

static size_t pixels_of(const nn_node *node) {
    return (size_t)(node->in_shape[0].dim[2] * node->in_shape[0].dim[3]);
}
static size_t channels_of(const nn_node *node) {
    return (size_t)node->in_shape[0].dim[1];
}

static const image_kernels *kernels_of(const nn_io *io) {
    return nn_kernels_get()->image[(io->in_half & 1)][0];
}

/* Where example i of an image begins. */
static const void *example(const void *image, const nn_io *io, size_t i) {
    size_t each = (size_t)nn_shape_each(&io->node->in_shape[0]);
    return (const uint8_t *)image + i * each * ((io->in_half & 1) ? 2 : 4);
}

static assay_status gap_forward(nn_io *io) {
    size_t c = channels_of(io->node), pixels = pixels_of(io->node);
    const image_kernels *k = kernels_of(io);
    float *y = io->out, share = 1.0f / (float)pixels;
    for (size_t i = 0; i < (size_t)io->n; i++)
        k->sum_rows(y + i * c, example(io->in[0], io, i), pixels, c);
    for (size_t i = 0; i < (size_t)io->n * c; i++)
        y[i] *= share;
    return ASSAY_OK;
}

static assay_status gap_backward(nn_io *io) {
    size_t c = channels_of(io->node), pixels = pixels_of(io->node);
    float share = 1.0f / (float)pixels;
    for (size_t i = 0; i < (size_t)io->n; i++)
        kernels_of(io)->spread_row((uint8_t *)io->d_in[0] +
                                       i * pixels * c * ((io->in_half & 1) ? 2 : 4),
                                   (const float *)io->d_out + i * c, share, pixels, c);
    return ASSAY_OK;
}

static void gap_reference(const nn_node *node,
                          int n,
                          bool training,
                          const double *const *in,
                          double *out,
                          const double *d_out,
                          double *const *d_in) {
    (void)training;
    size_t c = channels_of(node), pixels = pixels_of(node);
    for (size_t i = 0; i < (size_t)n; i++)
        for (size_t k = 0; k < c; k++) {
            double sum = 0;
            for (size_t p = 0; p < pixels; p++) {
                size_t at = (i * pixels + p) * c + k;
                sum += in[0][at];
                if (d_out && d_in[0])
                    d_in[0][at] = d_out[i * c + k] / (double)pixels;
            }
            out[i * c + k] = sum / (double)pixels;
        }
}

static const nn_op_case gap_cases[] = {{.name = "odd",
                                        .batch = 3,
                                        .n = 2,
                                        .n_inputs = 1,
                                        .in = {{NN_CASE_VALUE, {4, {0, 19, 5, 7}}}}},
                                       {.name = "sixteens, batch 1",
                                        .batch = 1,
                                        .n = 1,
                                        .n_inputs = 1,
                                        .in = {{NN_CASE_VALUE, {4, {0, 32, 7, 7}}}}},
                                       {0}};

const nn_op_def assay_op_global_avg_pool = {
    .name = "global_avg_pool",
    .summary = "the mean of each channel",
    .min_inputs = 1,
    .max_inputs = 1,
    .half_in = 1,
    .infer = gap_infer,
    .forward = gap_forward,
    .backward = gap_backward,
    .tangent = nn_tangent_linear,
    .reference = gap_reference,
    .cases = gap_cases,
};

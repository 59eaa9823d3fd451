/* avg_pool: the mean of a window. Padding counts as zeros (PyTorch's default) unless
 * count_include_pad is 0 (ONNX's); what juts out behind the padding with ceil_mode never
 * counts. */
#include "nn/op.h"
#include "nn/tangent.h"

#include <string.h>

static const char *const pool_attrs[] = {
    "kernel", "stride", "pad", "dilation", "ceil_mode", "count_include_pad", NULL};

static assay_status pool_infer(nn_node *node) {
    nn_window g;
    assay_status status = nn_pool_window(&g, node);
    if (status == ASSAY_OK)
        node->out_shape = (nn_shape){4, {node->in_shape[0].dim[0], g.c, g.oh, g.ow}};
    return status;
}

/* How many taps at a place count, along one side (0: rows, 1: columns). */
static int64_t counted(const nn_window *g, int side, int64_t place, bool padding) {
    int64_t k = side ? g->kw : g->kh, size = side ? g->w : g->h, n = 0;
    for (int64_t tap = 0; tap < k; tap++) {
        int64_t at = place * g->stride[side] - g->pad[side] + tap * g->dilation[side];
        n += padding ? at < size + g->pad[side + 2] : at >= 0 && at < size;
    }
    return n;
}

/* One over the number of pixels that output pixel `o` is the mean of. */
static double share_of(const nn_node *node, const nn_window *g, int64_t o) {
    bool padding = nn_attr_i(node, "count_include_pad", 1) != 0;
    int64_t n =
        counted(g, 0, o / g->ow % g->oh, padding) * counted(g, 1, o % g->ow, padding);
    return n ? 1 / (double)n : 0;
}

/* The pixel of tap `tap` of output pixel `o` (counted over the batch); -1 in the padding.
 */
static int64_t pixel_of(const nn_window *g, int64_t o, int64_t tap) {
    int64_t q = o % g->ow, p = o / g->ow % g->oh, i = o / g->ow / g->oh;
    int64_t y = p * g->stride[0] - g->pad[0] + tap / g->kw * g->dilation[0];
    int64_t x = q * g->stride[1] - g->pad[1] + tap % g->kw * g->dilation[1];
    return y < 0 || y >= g->h || x < 0 || x >= g->w ? -1 : (i * g->h + y) * g->w + x;
}

static assay_status pool_forward(nn_io *io) {
    nn_window g;
    assay_status status = nn_pool_window(&g, io->node);
    if (status != ASSAY_OK)
        return status;
    const float *x = io->in[0];
    for (int64_t o = 0; o < io->n * g.oh * g.ow; o++) {
        float *y = (float *)io->out + o * g.c, share = (float)share_of(io->node, &g, o);
        memset(y, 0, (size_t)g.c * sizeof *y);
        for (int64_t tap = 0; tap < g.kh * g.kw; tap++) {
            int64_t pixel = pixel_of(&g, o, tap);
            for (int64_t c = 0; pixel >= 0 && c < g.c; c++)
                y[c] += x[pixel * g.c + c] * share;
        }
    }
    return ASSAY_OK;
}

static assay_status pool_backward(nn_io *io) {
    nn_window g;
    assay_status status = nn_pool_window(&g, io->node);
    if (status != ASSAY_OK)
        return status;
    const float *d_y = io->d_out;
    float *d_x = io->d_in[0];
    memset(d_x, 0, (size_t)(io->n * g.h * g.w * g.c) * sizeof *d_x);
    for (int64_t o = 0; o < io->n * g.oh * g.ow; o++) {
        float share = (float)share_of(io->node, &g, o);
        for (int64_t tap = 0; tap < g.kh * g.kw; tap++) {
            int64_t pixel = pixel_of(&g, o, tap);
            for (int64_t c = 0; pixel >= 0 && c < g.c; c++)
                d_x[pixel * g.c + c] += d_y[o * g.c + c] * share;
        }
    }
    return ASSAY_OK;
}

static void pool_reference(const nn_node *node,
                           int n,
                           bool training,
                           const double *const *in,
                           double *out,
                           const double *d_out,
                           double *const *d_in) {
    (void)training;
    nn_window g;
    if (nn_pool_window(&g, node) != ASSAY_OK)
        return;
    for (int64_t at = 0; at < n * g.oh * g.ow * g.c; at++) {
        int64_t o = at / g.c, c = at % g.c;
        double sum = 0, share = share_of(node, &g, o);
        for (int64_t tap = 0; tap < g.kh * g.kw; tap++) {
            int64_t pixel = pixel_of(&g, o, tap);
            if (pixel < 0)
                continue;
            sum += in[0][pixel * g.c + c];
            if (d_out && d_in[0])
                d_in[0][pixel * g.c + c] += d_out[at] * share;
        }
        out[at] = sum * share;
    }
}

static const nn_op_case pool_cases[] = {
    {.name = "2x2, odd image",
     .batch = 3,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 5, 7, 6}}}},
     .attr = {{.name = "kernel", .i = {2}, .count = 1}},
     .n_attrs = 1},
    {.name = "3x3, stride 2, pad 1",
     .batch = 1,
     .n = 1,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 4, 6, 5}}}},
     .attr = {{.name = "kernel", .i = {3}, .count = 1},
              {.name = "stride", .i = {2}, .count = 1},
              {.name = "pad", .i = {1}, .count = 1}},
     .n_attrs = 3},
    {.name = "3x2, rounded up, padding not counted",
     .batch = 3,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 3, 6, 8}}}},
     .attr = {{.name = "kernel", .i = {3, 2}, .count = 2},
              {.name = "stride", .i = {2, 3}, .count = 2},
              {.name = "pad", .i = {1, 0, 1, 1}, .count = 4},
              {.name = "ceil_mode", .i = {1}, .count = 1},
              {.name = "count_include_pad", .i = {0}, .count = 1}},
     .n_attrs = 5},
    {.name = "2x2, dilation 2, rounded up, padding counted",
     .batch = 2,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 3, 6, 7}}}},
     .attr = {{.name = "kernel", .i = {2}, .count = 1},
              {.name = "stride", .i = {2}, .count = 1},
              {.name = "pad", .i = {1}, .count = 1},
              {.name = "dilation", .i = {2}, .count = 1},
              {.name = "ceil_mode", .i = {1}, .count = 1}},
     .n_attrs = 5},
    {0}};

const nn_op_def assay_op_avg_pool = {
    .name = "avg_pool",
    .summary = "the mean of a window",
    .min_inputs = 1,
    .max_inputs = 1,
    .attrs = pool_attrs,
    .infer = pool_infer,
    .forward = pool_forward,
    .backward = pool_backward,
    .tangent = nn_tangent_linear,
    .reference = pool_reference,
    .cases = pool_cases,
};

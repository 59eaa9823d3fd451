/* max_pool: the largest value in a window; padding never wins. Forward notes which tap
 * won. A window with dilation goes by plain loops, which note the pixel that won. */
#include "nn/mixed.h"
#include "nn/tangent.h"

#include <math.h>
#include <string.h>

static const char *const pool_attrs[] = {"kernel",   "stride",    "pad",
                                         "dilation", "ceil_mode", NULL};

static assay_status pool_infer(nn_node *node) {
    nn_window g;
    assay_status status = nn_pool_window(&g, node);
    if (status != ASSAY_OK)
        return status;
    for (int i = 0; i < 4; i++)
        if (g.pad[i] > (i % 2 ? (g.kw - 1) * g.dilation[1] : (g.kh - 1) * g.dilation[0]))
            return err_set(ASSAY_E_INVALID, "%s: padding as wide as the window",
                           node->op->name);
    if (g.kh * g.kw > UINT16_MAX)
        return err_set(ASSAY_E_INVALID, "%s: the window is too large", node->op->name);
    node->out_shape = (nn_shape){4, {node->in_shape[0].dim[0], g.c, g.oh, g.ow}};
    return ASSAY_OK;
}

static bool dilated(const nn_window *g) {
    return g->dilation[0] > 1 || g->dilation[1] > 1;
}

/* The pixel of an example under tap `tap` of output pixel `o`; -1 in the padding. */
static int64_t pixel_of(const nn_window *g, int64_t o, int64_t tap) {
    int64_t y = o / g->ow * g->stride[0] - g->pad[0] + tap / g->kw * g->dilation[0];
    int64_t x = o % g->ow * g->stride[1] - g->pad[1] + tap % g->kw * g->dilation[1];
    return y < 0 || y >= g->h || x < 0 || x >= g->w ? -1 : y * g->w + x;
}

static float value_at(const void *values, int64_t i, bool half) {
    return half ? ten_from_bf16(((const uint16_t *)values)[i])
                : ((const float *)values)[i];
}

/* `won` (may be NULL) gets the pixel, -1 where the window lies in the padding. */
static void dilated_forward(const nn_io *io, const nn_window *g) {
    bool x_half = io->in_half & 1;
    int32_t *won = io->save;
    int64_t pixels = g->oh * g->ow, at = 0;
    for (int64_t o = 0; o < io->n * pixels; o++)
        for (int64_t c = 0; c < g->c; c++, at++) {
            int64_t image = o / pixels * g->h * g->w, best = -1;
            float most = -INFINITY;
            for (int64_t tap = 0; tap < g->kh * g->kw; tap++) {
                int64_t pixel = pixel_of(g, o % pixels, tap);
                if (pixel < 0)
                    continue;
                float v = value_at(io->in[0], (image + pixel) * g->c + c, x_half);
                if (best < 0 || v > most) {
                    most = v;
                    best = pixel;
                }
            }
            if (io->out_half)
                ((uint16_t *)io->out)[at] = ten_bf16(most);
            else
                ((float *)io->out)[at] = most;
            if (won)
                won[at] = (int32_t)best;
        }
}

/* Example by example in f32, since a pixel may win several windows. */
static void dilated_backward(const nn_io *io, const nn_window *g) {
    const int32_t *won = io->save;
    bool x_half = io->in_half & 1;
    float *d_x = io->scratch;
    int64_t each = g->h * g->w * g->c, outs = g->oh * g->ow * g->c;
    for (int64_t i = 0; i < io->n; i++, won += outs) {
        memset(d_x, 0, (size_t)each * sizeof *d_x);
        for (int64_t o = 0; o < outs; o++)
            if (won[o] >= 0)
                d_x[won[o] * g->c + o % g->c] +=
                    value_at(io->d_out, i * outs + o, io->out_half);
        mixed_copy((uint8_t *)io->d_in[0] + i * each * (x_half ? 2 : 4), x_half, d_x,
                   false, (size_t)each);
    }
}

static assay_status pool_plan(nn_plan *p) {
    nn_window g;
    assay_status status = nn_pool_window(&g, p->node);
    if (status != ASSAY_OK || !p->backward)
        return status;
    size_t each = dilated(&g) ? sizeof(int32_t) : max_pool_tap_bytes(&g);
    p->save_bytes = (size_t)nn_shape_each(&p->node->out_shape) * (size_t)p->batch * each;
    if (dilated(&g))
        p->backward_scratch = (size_t)nn_shape_each(&p->node->in_shape[0]) * 4;
    return ASSAY_OK;
}

static const image_kernels *kernels_of(const nn_io *io) {
    return nn_kernels_get()->image[io->in_half & 1][io->out_half];
}

static assay_status pool_forward(nn_io *io) {
    nn_window g;
    assay_status status = nn_pool_window(&g, io->node);
    if (status == ASSAY_OK && dilated(&g))
        dilated_forward(io, &g);
    else if (status == ASSAY_OK)
        kernels_of(io)->max_pool(io->out, io->save, io->in[0], &g, (size_t)io->n, false);
    return status;
}

static assay_status pool_backward(nn_io *io) {
    nn_window g;
    assay_status status = nn_pool_window(&g, io->node);
    if (status == ASSAY_OK && dilated(&g))
        dilated_backward(io, &g);
    else if (status == ASSAY_OK)
        kernels_of(io)->max_pool_back(io->d_in[0], io->d_out, io->save, &g,
                                      (size_t)io->n);
    return status;
}

static assay_status pool_tangent(nn_value *out, const nn_tangent *t) {
    return nn_tangent_act(out, t, "max_pool_tangent", false);
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
        int64_t c = at % g.c, q = at / g.c % g.ow, p = at / g.c / g.ow % g.oh;
        int64_t i = at / g.c / g.ow / g.oh, won = -1;
        for (int64_t tap = 0; tap < g.kh * g.kw; tap++) {
            int64_t y = p * g.stride[0] - g.pad[0] + tap / g.kw * g.dilation[0];
            int64_t x = q * g.stride[1] - g.pad[1] + tap % g.kw * g.dilation[1];
            if (y < 0 || y >= g.h || x < 0 || x >= g.w)
                continue;
            int64_t from = ((i * g.h + y) * g.w + x) * g.c + c;
            if (won < 0 || in[0][from] > in[0][won])
                won = from;
        }
        out[at] = won < 0 ? -HUGE_VAL : in[0][won];
        if (d_out && d_in[0] && won >= 0)
            d_in[0][won] += d_out[at];
    }
}

static const nn_op_case pool_cases[] = {
    {.name = "2x2, odd image",
     .batch = 3,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 5, 7, 9}}}},
     .attr = {{.name = "kernel", .i = {2}, .count = 1}},
     .n_attrs = 1},
    {.name = "3x3, stride 2, pad 1: overlapping",
     .batch = 2,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 17, 6, 8}}}},
     .attr = {{.name = "kernel", .i = {3}, .count = 1},
              {.name = "stride", .i = {2}, .count = 1},
              {.name = "pad", .i = {1}, .count = 1}},
     .n_attrs = 3},
    {.name = "3x2, batch 1",
     .batch = 1,
     .n = 1,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 16, 6, 5}}}},
     .attr = {{.name = "kernel", .i = {3, 2}, .count = 2},
              {.name = "stride", .i = {1, 3}, .count = 2}},
     .n_attrs = 2},
    {.name = "3x3, stride 2, rounded up",
     .batch = 2,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 16, 6, 5}}}},
     .attr = {{.name = "kernel", .i = {3}, .count = 1},
              {.name = "stride", .i = {2}, .count = 1},
              {.name = "ceil_mode", .i = {1}, .count = 1},
              {.name = "pad", .i = {0, 1, 0, 0}, .count = 4}},
     .n_attrs = 4},
    {.name = "2x3, dilation 2 1, overlapping",
     .batch = 3,
     .n = 2,
     .n_inputs = 1,
     .in = {{NN_CASE_VALUE, {4, {0, 5, 7, 6}}}},
     .attr = {{.name = "kernel", .i = {2, 3}, .count = 2},
              {.name = "stride", .i = {1}, .count = 1},
              {.name = "dilation", .i = {2, 1}, .count = 2},
              {.name = "pad", .i = {1}, .count = 1}},
     .n_attrs = 4},
    {0}};

const nn_op_def assay_op_max_pool = {
    .name = "max_pool",
    .summary = "the largest of a window",
    .min_inputs = 1,
    .max_inputs = 1,
    .half_in = 1,
    .half_out = true,
    .attrs = pool_attrs,
    .infer = pool_infer,
    .plan = pool_plan,
    .forward = pool_forward,
    .backward = pool_backward,
    .tangent = pool_tangent,
    .reference = pool_reference,
    .cases = pool_cases,
};

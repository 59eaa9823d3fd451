/* max_pool_tangent: how max_pool's output moves when its input x moves by r: r where x is
 * the largest of a window. Inputs r, x; attributes as max_pool, without dilation. Which
 * pixel wins does not change by a derivative's reckoning, so that x gets no gradient. */
#include "nn/kernels.h"
#include "nn/op.h"

static const char *const pool_attrs[] = {"kernel",   "stride",    "pad",
                                         "dilation", "ceil_mode", NULL};

static assay_status tangent_infer(nn_node *node) {
    nn_window g;
    if (node->in_shape[0].ndim != 4 ||
        !nn_shape_equal(&node->in_shape[0], &node->in_shape[1]))
        return nn_op_bad_shape(node, 1, "images like the tangent are needed");
    assay_status status = nn_pool_window(&g, node);
    if (status != ASSAY_OK)
        return status;
    for (int i = 0; i < 4; i++)
        if (g.pad[i] >= (i % 2 ? g.kw : g.kh))
            return err_set(ASSAY_E_INVALID, "%s: padding as wide as the window",
                           node->op->name);
    if (g.dilation[0] > 1 || g.dilation[1] > 1)
        return err_set(ASSAY_E_UNSUPPORTED, "%s takes no dilation", node->op->name);
    if (g.kh * g.kw > UINT16_MAX)
        return err_set(ASSAY_E_INVALID, "%s: the window is too large", node->op->name);
    node->out_shape = (nn_shape){4, {node->in_shape[0].dim[0], g.c, g.oh, g.ow}};
    return ASSAY_OK;
}

static assay_status tangent_plan(nn_plan *p) {
    nn_window g;
    assay_status status = nn_pool_window(&g, p->node);
    if (status != ASSAY_OK)
        return status;
    p->save_bytes = (size_t)nn_shape_each(&p->node->out_shape) * (size_t)p->batch *
                    max_pool_tap_bytes(&g);
    p->forward_scratch = (size_t)(g.kh * g.kw) * sizeof(int64_t);
    return ASSAY_OK;
}

/* out = r at the taps that won, which never lie in the padding; `n` images. `place` has
 * room for how far each tap lies behind the window's corner. */
static void pick(float *out,
                 const float *r,
                 const void *taps,
                 int64_t *place,
                 const nn_window *g,
                 int64_t n) {
    bool wide = max_pool_tap_bytes(g) > 1;
    const uint8_t *narrow_tap = taps;
    const uint16_t *wide_tap = taps;
    int64_t at = 0;
    for (int64_t tap = 0; tap < g->kh * g->kw; tap++)
        place[tap] = (tap / g->kw * g->w + tap % g->kw) * g->c;
    for (int64_t i = 0; i < n * g->oh; i++)
        for (int64_t q = 0; q < g->ow; q++) {
            int64_t y = i / g->oh * g->h + i % g->oh * g->stride[0] - g->pad[0];
            int64_t corner = (y * g->w + q * g->stride[1] - g->pad[1]) * g->c;
            for (int64_t c = 0; c < g->c; c++, at++)
                out[at] = r[corner + c + place[wide ? wide_tap[at] : narrow_tap[at]]];
        }
}

static assay_status tangent_forward(nn_io *io) {
    nn_window g;
    assay_status status = nn_pool_window(&g, io->node);
    if (status != ASSAY_OK)
        return status;
    nn_kernels_get()->image[0][0]->max_pool(io->out, io->save, io->in[1], &g,
                                            (size_t)io->n, false);
    pick(io->out, io->in[0], io->save, io->scratch, &g, io->n);
    return ASSAY_OK;
}

static assay_status tangent_backward(nn_io *io) {
    nn_window g;
    assay_status status = nn_pool_window(&g, io->node);
    if (status == ASSAY_OK && io->d_in[0])
        nn_kernels_get()->image[0][0]->max_pool_back(io->d_in[0], io->d_out, io->save, &g,
                                                     (size_t)io->n);
    return status;
}

static void tangent_reference(const nn_node *node,
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
            int64_t y = p * g.stride[0] - g.pad[0] + tap / g.kw;
            int64_t x = q * g.stride[1] - g.pad[1] + tap % g.kw;
            if (y < 0 || y >= g.h || x < 0 || x >= g.w)
                continue;
            int64_t from = ((i * g.h + y) * g.w + x) * g.c + c;
            if (won < 0 || in[1][from] > in[1][won])
                won = from;
        }
        out[at] = won < 0 ? 0 : in[0][won];
        if (d_out && d_in[0] && won >= 0)
            d_in[0][won] += d_out[at];
    }
}

static const nn_op_case tangent_cases[] = {
    {.name = "2x2, odd image",
     .batch = 3,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {4, {0, 5, 7, 9}}}, {NN_CASE_VALUE, {4, {0, 5, 7, 9}}}},
     .attr = {{.name = "kernel", .i = {2}, .count = 1}},
     .n_attrs = 1},
    {.name = "3x3, stride 2, pad 1: overlapping",
     .batch = 2,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {4, {0, 17, 6, 8}}}, {NN_CASE_VALUE, {4, {0, 17, 6, 8}}}},
     .attr = {{.name = "kernel", .i = {3}, .count = 1},
              {.name = "stride", .i = {2}, .count = 1},
              {.name = "pad", .i = {1}, .count = 1}},
     .n_attrs = 3},
    {.name = "3x3, stride 2, rounded up",
     .batch = 2,
     .n = 1,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {4, {0, 16, 6, 5}}}, {NN_CASE_VALUE, {4, {0, 16, 6, 5}}}},
     .attr = {{.name = "kernel", .i = {3}, .count = 1},
              {.name = "stride", .i = {2}, .count = 1},
              {.name = "ceil_mode", .i = {1}, .count = 1},
              {.name = "pad", .i = {0, 1, 0, 0}, .count = 4}},
     .n_attrs = 4},
    {.name = "17x17: taps of two bytes",
     .batch = 1,
     .n = 1,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {4, {0, 3, 19, 18}}}, {NN_CASE_VALUE, {4, {0, 3, 19, 18}}}},
     .attr = {{.name = "kernel", .i = {17}, .count = 1},
              {.name = "stride", .i = {1}, .count = 1}},
     .n_attrs = 2},
    {0}};

const nn_op_def assay_op_max_pool_tangent = {
    .name = "max_pool_tangent",
    .summary = "how max_pool's output moves with its input",
    .min_inputs = 2,
    .max_inputs = 2,
    .held = 1u << 1,
    .attrs = pool_attrs,
    .infer = tangent_infer,
    .plan = tangent_plan,
    .forward = tangent_forward,
    .backward = tangent_backward,
    .reference = tangent_reference,
    .cases = tangent_cases,
};

/* conv2d: convolution of images with a bias or without. Each of its three passes is our
 * own on matrix tiles, or oneDNN's; of the latter this file keeps the primitives for the
 * full batch and for one smaller one (the last of an epoch). */
#include "nn/conv_choice.h"
#include "nn/stem.h"
#include "nn/tangent.h"

#include <string.h>

static const char *const conv_attrs[] = {"stride", "pad", "dilation", "groups", NULL};

static assay_status window_of(const nn_node *node, nn_window *g) {
    const nn_shape *w = &node->in_shape[1];
    return nn_window_make(g, node, w->dim[2], w->dim[3]);
}

static assay_status conv_infer(nn_node *node) {
    const nn_shape *x = &node->in_shape[0], *w = &node->in_shape[1];
    nn_window g;
    if (x->ndim != 4)
        return nn_op_bad_shape(node, 0, "images [N,C,H,W] are needed");
    const int64_t groups = nn_attr_i(node, "groups", 1);
    if (w->ndim != 4 || groups < 1 || groups > x->dim[1] ||
        w->dim[1] * groups != x->dim[1] || w->dim[0] % groups)
        return nn_op_bad_shape(
            node, 1, "the weight must be [O,I,kh,kw] with I groups as in input 0");
    if (node->n_in > 2 &&
        (node->in_shape[2].ndim != 1 || node->in_shape[2].dim[0] != w->dim[0]))
        return nn_op_bad_shape(node, 2, "the bias must be [O]");
    assay_status status = window_of(node, &g);
    if (status == ASSAY_OK)
        node->out_shape = (nn_shape){4, {x->dim[0], w->dim[0], g.oh, g.ow}};
    return status;
}

static int conv_fuse(
    const nn_node *node, const nn_node *const *next, int n, nn_mode mode, bool x_grad) {
    return stem_fuse(node, next, n, mode, x_grad);
}

typedef struct conv_state {
    assay_ctx *ctx;
    bool small; /* our own loops, but for backward to x */
    direct_conv direct;
    dn_engine *engine;
    dn_conv_geometry geometry; /* of the full batch */
    amx_conv *own[3];          /* forward, backward-data, backward-weights; or NULL */
    unsigned what;             /* passes that are oneDNN's */
    dn_conv *full, *rest;
    int64_t rest_n;
    void *rest_scratch; /* where the plan's would be too small */
    nn_window window;
} conv_state;

static void unplan_apart(nn_plan *p) {
    conv_state *s = p->state;
    if (!s)
        return;
    for (int i = 0; i < 3; i++)
        amx_conv_destroy(s->own[i]);
    dn_conv_destroy(s->full);
    dn_conv_destroy(s->rest);
    mem_free(s->ctx, s->rest_scratch);
    mem_free(s->ctx, s);
}

static void grow(size_t *most, size_t bytes) {
    if (bytes > *most)
        *most = bytes;
}

/* Takes over the passes that our own kernels do better. */
static assay_status plan_own(conv_state *s, nn_plan *p) {
    assay_status status = ASSAY_OK;
    for (int i = 0; i < 3; i++) {
        const unsigned pass = 1u << i;
        if (!(s->what & pass))
            continue;
        conv_choice choice;
        ASSAY_TRY(conv_choose(&choice, p->ctx, p->engine, &s->geometry, pass, p->kernels));
        if (!choice.own)
            continue;
        ASSAY_TRY(
            amx_conv_create(&s->own[i], p->ctx, &s->geometry, pass, &choice.blocking));
        s->what &= ~pass;
        grow(i ? &p->backward_scratch : &p->forward_scratch, amx_conv_scratch(s->own[i]));
    }
done:
    return status;
}

static assay_status plan_apart(nn_plan *p) {
    assay_status status = ASSAY_OK;
    conv_state *s = NULL;
    ASSAY_TRY(mem_new(p->ctx, &s, 1, sizeof *s));
    p->state = s;
    s->ctx = p->ctx;
    s->engine = p->engine;
    ASSAY_TRY(window_of(p->node, &s->window));
    const nn_window *g = &s->window;
    s->geometry = (dn_conv_geometry){.n = p->batch,
                                     .c = g->c,
                                     .h = g->h,
                                     .w = g->w,
                                     .o = p->node->out_shape.dim[1],
                                     .oh = g->oh,
                                     .ow = g->ow,
                                     .kh = g->kh,
                                     .kw = g->kw,
                                     .groups = g->groups,
                                     .bf16 = p->dtype == ASSAY_BF16,
                                     .x_half = (p->in_half & 1),
                                     .y_half = p->out_half,
                                     .bias = p->node->n_in > 2};
    memcpy(s->geometry.stride, g->stride, sizeof g->stride);
    memcpy(s->geometry.pad, g->pad, sizeof g->pad);
    memcpy(s->geometry.dilation, g->dilation, sizeof g->dilation);
    s->what = DN_FORWARD | (p->want_d[0] ? DN_BACKWARD_DATA : 0u) |
              (p->want_d[1] ? DN_BACKWARD_WEIGHTS : 0u);
    /* Our own loops read and write f32 only. */
    s->small =
        !(p->in_half & 1) && !p->out_half && direct_make(&s->direct, g, s->geometry.o);
    if (s->small) {
        s->what &= DN_BACKWARD_DATA;
        p->forward_scratch = p->backward_scratch =
            (s->direct.padded_floats + 2 * s->direct.packed_floats) * sizeof(float);
    }
    ASSAY_TRY(plan_own(s, p));
    if (s->what) {
        ASSAY_TRY(dn_conv_create(&s->full, s->engine, &s->geometry, s->what));
        grow(&p->forward_scratch, dn_conv_scratch(s->full, DN_FORWARD));
        grow(&p->backward_scratch, dn_conv_scratch(s->full, DN_BACKWARD_DATA));
        grow(&p->backward_scratch, dn_conv_scratch(s->full, DN_BACKWARD_WEIGHTS));
    }
    p->backward_reads = (p->want_d[1] ? 1u : 0u) | 2u;
    p->factor_reads_x = p->factor_reads_d = true;
done:
    return status;
}

/* The primitives for n examples, made when n first comes. */
static assay_status for_batch(conv_state *s, int n, dn_conv **out) {
    assay_status status = ASSAY_OK;
    if (n == s->geometry.n) {
        *out = s->full;
        return ASSAY_OK;
    }
    if (n != s->rest_n) {
        s->rest_n = 0;
        dn_conv_destroy(s->rest);
        mem_free(s->ctx, s->rest_scratch);
        s->rest = NULL;
        s->rest_scratch = NULL;
        dn_conv_geometry g = s->geometry;
        g.n = n;
        ASSAY_TRY(dn_conv_create(&s->rest, s->engine, &g, s->what));
        size_t most = 0;
        for (unsigned what = DN_FORWARD; what <= DN_BACKWARD_WEIGHTS; what *= 2) {
            size_t full = dn_conv_scratch(s->full, what),
                   rest = dn_conv_scratch(s->rest, what);
            if (rest > full && rest > most)
                most = rest;
        }
        if (most)
            ASSAY_TRY(mem_new(s->ctx, &s->rest_scratch, most, 1));
        s->rest_n = n;
    }
    *out = s->rest;
done:
    return status;
}

static void *scratch_of(const conv_state *s, const nn_io *io) {
    return io->n != s->geometry.n && s->rest_scratch ? s->rest_scratch : io->scratch;
}

static void small_forward(const conv_state *s, const nn_io *io) {
    const direct_conv *d = &s->direct;
    const float *x = io->in[0];
    float *weight = io->scratch, *padded = weight + d->packed_floats;
    memset(padded, 0, d->padded_floats * sizeof *padded);
    direct_pack(d, weight, io->in[1]);
    for (size_t i = 0; i < (size_t)io->n; i++) {
        direct_pad(d, padded, x + i * (size_t)(d->g.h * d->g.w * d->g.c));
        nn_kernels_get()->direct((float *)io->out + i * d->out_floats, padded, weight,
                                 io->in[2], d);
    }
}

static void small_weights(const conv_state *s, const nn_io *io) {
    const direct_conv *d = &s->direct;
    const float *x = io->in[0];
    float *sum = io->scratch, *padded = sum + d->packed_floats;
    memset(sum, 0, (d->packed_floats + d->padded_floats) * sizeof *sum);
    for (size_t i = 0; i < (size_t)io->n; i++) {
        direct_pad(d, padded, x + i * (size_t)(d->g.h * d->g.w * d->g.c));
        nn_kernels_get()->direct_weights(sum, padded,
                                         (const float *)io->d_out + i * d->out_floats, d);
    }
    direct_unpack(d, io->d_in[1], sum);
}

static assay_status forward_apart(nn_io *io) {
    assay_status status = ASSAY_OK;
    conv_state *s = io->state;
    dn_conv *c;
    if (s->small) {
        small_forward(s, io);
        return ASSAY_OK;
    }
    if (s->own[0]) {
        amx_conv_forward(s->own[0], io->n, io->in[0], io->in[1], io->in[2], io->out,
                         io->scratch);
        return ASSAY_OK;
    }
    ASSAY_TRY(for_batch(s, io->n, &c));
    ASSAY_TRY(
        dn_conv_forward(c, io->in[0], io->in[1], io->in[2], io->out, scratch_of(s, io)));
done:
    return status;
}

static assay_status backward_apart(nn_io *io) {
    assay_status status = ASSAY_OK;
    conv_state *s = io->state;
    dn_conv *c = NULL;
    if (s->what)
        ASSAY_TRY(for_batch(s, io->n, &c));
    if (io->d_in[1] && s->small)
        small_weights(s, io);
    else if (io->d_in[1] && s->own[2])
        amx_conv_backward_weights(s->own[2], io->n, io->in[0], io->d_out, io->d_in[1],
                                  io->scratch);
    else if (io->d_in[1])
        ASSAY_TRY(dn_conv_backward_weights(c, io->in[0], io->d_out, io->d_in[1],
                                           scratch_of(s, io)));
    if (io->d_in[0] && s->own[1])
        amx_conv_backward_data(s->own[1], io->n, io->d_out, io->in[1], io->d_in[0],
                               io->scratch);
    else if (io->d_in[0])
        ASSAY_TRY(dn_conv_backward_data(c, io->d_out, io->in[1], io->d_in[0],
                                        scratch_of(s, io)));
    const dn_conv_geometry *g = &s->geometry;
    if (io->node->n_in > 2 && io->d_in[2])
        nn_kernels_get()->image[io->out_half][0]->sum_rows(
            io->d_in[2], io->d_out, (size_t)(io->n * g->oh * g->ow), (size_t)g->o);
done:
    return status;
}

static assay_status conv_plan(nn_plan *p) {
    return p->n_fused ? stem_plan(p) : plan_apart(p);
}
static void conv_unplan(nn_plan *p) {
    if (p->n_fused)
        stem_unplan(p);
    else
        unplan_apart(p);
}
static assay_status conv_forward(nn_io *io) {
    return io->n_fused ? stem_forward(io) : forward_apart(io);
}
static assay_status conv_backward(nn_io *io) {
    return io->n_fused ? stem_backward(io) : backward_apart(io);
}

static void conv_factors(const nn_io *io, nn_factor *f) {
    const conv_state *s = io->state;
    const nn_window *g = &s->window;
    f->kind = NN_FACTOR_CONV;
    f->x = io->in[0];
    f->d = io->d_out;
    f->t = g->oh * g->ow;
    f->in = g->c;
    f->out = s->geometry.o;
    f->h = g->h;
    f->w = g->w;
    f->oh = g->oh;
    f->ow = g->ow;
    f->kh = g->kh;
    f->kw = g->kw;
    memcpy(f->stride, g->stride, sizeof f->stride);
    memcpy(f->pad, g->pad, sizeof f->pad);
    memcpy(f->dilation, g->dilation, sizeof f->dilation);
    f->groups = g->groups;
}

static void conv_reference(const nn_node *node,
                           int n,
                           bool training,
                           const double *const *in,
                           double *out,
                           const double *d_out,
                           double *const *d_in) {
    (void)training;
    nn_window g;
    if (window_of(node, &g) != ASSAY_OK)
        return;
    int64_t no = node->out_shape.dim[1];
    int64_t part = g.c / g.groups, out_part = no / g.groups;
    for (int64_t at = 0; at < n * g.oh * g.ow * no; at++) {
        int64_t o = at % no, q = at / no % g.ow, p = at / no / g.ow % g.oh;
        int64_t i = at / no / g.ow / g.oh;
        double v = node->n_in > 2 ? in[2][o] : 0;
        if (d_out && node->n_in > 2 && d_in[2])
            d_in[2][o] += d_out[at];
        for (int64_t tap = 0; tap < g.kh * g.kw * part; tap++) {
            int64_t c = tap % part, kv = tap / part % g.kw, ku = tap / part / g.kw;
            int64_t y = p * g.stride[0] - g.pad[0] + ku * g.dilation[0];
            int64_t x = q * g.stride[1] - g.pad[1] + kv * g.dilation[1];
            if (y < 0 || y >= g.h || x < 0 || x >= g.w)
                continue;
            int64_t from = ((i * g.h + y) * g.w + x) * g.c + o / out_part * part + c;
            int64_t weight = ((o * part + c) * g.kh + ku) * g.kw + kv;
            v += in[0][from] * in[1][weight];
            if (d_out && d_in[0])
                d_in[0][from] += d_out[at] * in[1][weight];
            if (d_out && d_in[1])
                d_in[1][weight] += d_out[at] * in[0][from];
        }
        out[at] = v;
    }
}

static const nn_op_case conv_cases[] = {
    {.name = "3x3, one channel",
     .batch = 3,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {4, {0, 1, 9, 7}}}, {NN_CASE_PARAM, {4, {32, 1, 3, 3}}}},
     .attr = {{.name = "pad", .i = {1}, .count = 1}},
     .n_attrs = 1},
    {.name = "3x3, three channels, bias",
     .batch = 2,
     .n = 2,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {4, {0, 3, 6, 5}}},
            {NN_CASE_PARAM, {4, {8, 3, 3, 3}}},
            {NN_CASE_PARAM, {1, {8}}}},
     .attr = {{.name = "pad", .i = {1, 1}, .count = 2}},
     .n_attrs = 1},
    {.name = "3x3, sixteens",
     .batch = 2,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {4, {0, 16, 7, 7}}}, {NN_CASE_PARAM, {4, {32, 16, 3, 3}}}},
     .attr = {{.name = "pad", .i = {1}, .count = 1}},
     .n_attrs = 1},
    {.name = "5x3, stride 2 1, odd channels",
     .batch = 2,
     .n = 1,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {4, {0, 5, 9, 8}}},
            {NN_CASE_PARAM, {4, {7, 5, 5, 3}}},
            {NN_CASE_PARAM, {1, {7}}}},
     .attr = {{.name = "stride", .i = {2, 1}, .count = 2},
              {.name = "pad", .i = {2, 0, 1, 1}, .count = 4}},
     .n_attrs = 2},
    {.name = "1x1, batch 1",
     .batch = 1,
     .n = 1,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {4, {0, 6, 4, 5}}}, {NN_CASE_PARAM, {4, {9, 6, 1, 1}}}}},
    {.name = "3x3, dilation 2",
     .batch = 2,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {4, {0, 4, 9, 9}}}, {NN_CASE_PARAM, {4, {4, 4, 3, 3}}}},
     .attr = {{.name = "dilation", .i = {2}, .count = 1},
              {.name = "pad", .i = {2}, .count = 1}},
     .n_attrs = 2},
    {.name = "3x2, two groups, bias, asymmetric padding, dilation 1 2",
     .batch = 3,
     .n = 2,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {4, {0, 6, 7, 9}}},
            {NN_CASE_PARAM, {4, {10, 3, 3, 2}}},
            {NN_CASE_PARAM, {1, {10}}}},
     .attr = {{.name = "groups", .i = {2}, .count = 1},
              {.name = "stride", .i = {1, 2}, .count = 2},
              {.name = "dilation", .i = {1, 2}, .count = 2},
              {.name = "pad", .i = {0, 1, 2, 3}, .count = 4}},
     .n_attrs = 4},
    {.name = "groups of sixteen",
     .batch = 2,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {4, {0, 32, 5, 6}}}, {NN_CASE_PARAM, {4, {32, 16, 3, 3}}}},
     .attr = {{.name = "groups", .i = {2}, .count = 1},
              {.name = "pad", .i = {1}, .count = 1}},
     .n_attrs = 2},
    {.name = "depthwise 3x3, stride 2, padded below and right only",
     .batch = 2,
     .n = 2,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {4, {0, 24, 8, 7}}},
            {NN_CASE_PARAM, {4, {24, 1, 3, 3}}},
            {NN_CASE_PARAM, {1, {24}}}},
     .attr = {{.name = "groups", .i = {24}, .count = 1},
              {.name = "stride", .i = {2}, .count = 1},
              {.name = "pad", .i = {0, 0, 1, 1}, .count = 4}},
     .n_attrs = 3},
    {.name = "depthwise 5x3, dilated, odd channels",
     .batch = 3,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {4, {0, 19, 9, 6}}}, {NN_CASE_PARAM, {4, {19, 1, 5, 3}}}},
     .attr = {{.name = "groups", .i = {19}, .count = 1},
              {.name = "dilation", .i = {1, 2}, .count = 2},
              {.name = "pad", .i = {2}, .count = 1}},
     .n_attrs = 3},
    {.name = "a weight that is computed, static images",
     .batch = 2,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {4, {2, 3, 5, 4}}}, {NN_CASE_VALUE, {4, {4, 3, 3, 2}}}}},
    {.name = "depthwise, two outputs a channel, batch 1",
     .batch = 1,
     .n = 1,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {4, {0, 5, 6, 6}}},
            {NN_CASE_PARAM, {4, {10, 1, 3, 3}}},
            {NN_CASE_PARAM, {1, {10}}}},
     .attr = {{.name = "groups", .i = {5}, .count = 1},
              {.name = "pad", .i = {1}, .count = 1}},
     .n_attrs = 2},
    {0}};

const nn_op_def assay_op_conv2d = {
    .name = "conv2d",
    .summary = "a convolution over images",
    .min_inputs = 2,
    .max_inputs = 3,
    .rows_in = 1u << 1,
    .half_in = 1,
    .half_out = true,
    .attrs = conv_attrs,
    .infer = conv_infer,
    .fuse = conv_fuse,
    .plan = conv_plan,
    .unplan = conv_unplan,
    .forward = conv_forward,
    .backward = conv_backward,
    .factors = conv_factors,
    .tangent = nn_tangent_product,
    .reference = conv_reference,
    .cases = conv_cases,
};

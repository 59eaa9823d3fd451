/* conv_transpose: the transposed convolution, PyTorch's ConvTranspose2d: what a
 * convolution's backward pass to its input computes. Weight [I, O/groups, kh, kw]; pad is
 * taken off the output, output_pad (0) is added behind it (bottom, right).
 *
 * Seen from that convolution x is the output's gradient and y the input's: all three
 * passes are oneDNN's of it, with roles exchanged. A batch not filled runs example by
 * example. */
#include "nn/kernels.h"
#include "nn/tangent.h"

#include <string.h>

static const char *const ct_attrs[] = {"stride", "pad",        "dilation",
                                       "groups", "output_pad", NULL};

enum { X, WEIGHT, BIAS };

/* The convolution that this is the transpose of: its image is our output. */
static assay_status conv_of(const nn_node *node, nn_window *out) {
    assay_status status = ASSAY_OK;
    const nn_shape *x = &node->in_shape[X], *w = &node->in_shape[WEIGHT];
    int64_t extra[2] = {0, 0};
    nn_window g = {.oh = x->dim[2],
                   .ow = x->dim[3],
                   .kh = w->dim[2],
                   .kw = w->dim[3],
                   .groups = nn_attr_i(node, "groups", 1)};
    const nn_attr *add = nn_attr_get(node, "output_pad");
    if (add && (add->count < 1 || add->count > 2))
        ASSAY_FAIL(ASSAY_E_INVALID, "conv_transpose: output_pad has %d numbers",
                   add->count);
    for (int i = 0; add && i < 2; i++)
        extra[i] = add->i[i % add->count];
    ASSAY_TRY(nn_attr_pair(node, "stride", 1, g.stride));
    ASSAY_TRY(nn_attr_pair(node, "dilation", 1, g.dilation));
    ASSAY_TRY(nn_attr_pad(node, g.pad));
    if (g.groups < 1 || g.groups > x->dim[1] || x->dim[1] % g.groups)
        return nn_op_bad_shape(node, X, "the channels don't part into the groups");
    g.c = w->dim[1] * g.groups;
    for (int i = 0; i < 2; i++) {
        int64_t wide = ((i ? g.kw : g.kh) - 1) * g.dilation[i] + 1;
        int64_t size = ((i ? g.ow : g.oh) - 1) * g.stride[i] + wide - g.pad[i] -
                       g.pad[i + 2] + extra[i];
        if (extra[i] < 0 || (extra[i] >= g.stride[i] && extra[i] >= g.dilation[i]))
            ASSAY_FAIL(ASSAY_E_INVALID,
                       "conv_transpose: output_pad must be below stride or dilation");
        if (size < 1)
            return nn_op_bad_shape(node, X, "the padding leaves nothing");
        *(i ? &g.w : &g.h) = size;
        g.pad[i + 2] -= extra[i]; /* exact: no pixel is left over */
    }
    *out = g;
done:
    return status;
}

static assay_status ct_infer(nn_node *node) {
    const nn_shape *x = &node->in_shape[X], *w = &node->in_shape[WEIGHT];
    nn_window g;
    if (x->ndim != 4)
        return nn_op_bad_shape(node, X, "images [N,C,H,W] are needed");
    if (w->ndim != 4 || w->dim[0] != x->dim[1])
        return nn_op_bad_shape(node, WEIGHT,
                               "the weight must be [I,O,kh,kw] with I as in input 0");
    assay_status status = conv_of(node, &g);
    if (status != ASSAY_OK)
        return status;
    if (node->n_in > BIAS &&
        (node->in_shape[BIAS].ndim != 1 || node->in_shape[BIAS].dim[0] != g.c))
        return nn_op_bad_shape(node, BIAS, "the bias must be [O]");
    node->out_shape = (nn_shape){4, {x->dim[0], g.c, g.h, g.w}};
    return ASSAY_OK;
}

typedef struct ct_state {
    assay_ctx *ctx;
    nn_window g;
    size_t x_each, y_each, weights;
    int batch;
    dn_conv *full, *one; /* for the batch, and for one example */
} ct_state;

static void ct_unplan(nn_plan *p) {
    ct_state *s = p->state;
    if (!s)
        return;
    dn_conv_destroy(s->full);
    dn_conv_destroy(s->one);
    mem_free(s->ctx, s);
}

/* Of one copy of the weights in the scratch. */
static size_t weight_bytes(const ct_state *s) {
    return (s->weights * sizeof(float) + 63) / 64 * 64;
}

static void grow(size_t *most, const dn_conv *c, unsigned what) {
    size_t bytes = (dn_conv_scratch(c, what) + 63) / 64 * 64;
    if (bytes > *most)
        *most = bytes;
}

static assay_status ct_plan(nn_plan *p) {
    assay_status status = ASSAY_OK;
    ct_state *s = NULL;
    ASSAY_TRY(mem_new(p->ctx, &s, 1, sizeof *s));
    p->state = s;
    s->ctx = p->ctx;
    s->batch = p->batch;
    ASSAY_TRY(conv_of(p->node, &s->g));
    const nn_window *g = &s->g;
    s->x_each = (size_t)nn_shape_each(&p->node->in_shape[X]);
    s->y_each = (size_t)nn_shape_each(&p->node->out_shape);
    s->weights = (size_t)nn_shape_count(&p->node->in_shape[WEIGHT]);
    dn_conv_geometry geometry = {.n = p->batch,
                                 .c = g->c,
                                 .h = g->h,
                                 .w = g->w,
                                 .o = p->node->in_shape[X].dim[1],
                                 .oh = g->oh,
                                 .ow = g->ow,
                                 .kh = g->kh,
                                 .kw = g->kw,
                                 .groups = g->groups,
                                 .bf16 = p->dtype == ASSAY_BF16};
    memcpy(geometry.stride, g->stride, sizeof g->stride);
    memcpy(geometry.pad, g->pad, sizeof g->pad);
    memcpy(geometry.dilation, g->dilation, sizeof g->dilation);
    unsigned what = DN_BACKWARD_DATA | (p->want_d[X] ? DN_FORWARD : 0u) |
                    (p->want_d[WEIGHT] ? DN_BACKWARD_WEIGHTS : 0u);
    ASSAY_TRY(dn_conv_create(&s->full, p->engine, &geometry, what));
    if (p->batch > 1) {
        geometry.n = 1;
        ASSAY_TRY(dn_conv_create(&s->one, p->engine, &geometry, what));
    }
    for (int i = 0; i < (s->one ? 2 : 1); i++) {
        const dn_conv *c = i ? s->one : s->full;
        grow(&p->forward_scratch, c, DN_BACKWARD_DATA);
        grow(&p->backward_scratch, c, DN_FORWARD);
        grow(&p->backward_scratch, c, DN_BACKWARD_WEIGHTS);
    }
    p->backward_scratch += weight_bytes(s);
    p->backward_reads = (p->want_d[WEIGHT] ? 1u << X : 0u) | 1u << WEIGHT;
    p->factor_reads_x = p->factor_reads_d = true;
done:
    return status;
}

/* The primitives for n examples, and how many of them one call takes. */
static dn_conv *primitives(const ct_state *s, int n, int *step) {
    *step = n == s->batch ? n : 1;
    return n == s->batch ? s->full : s->one;
}

static assay_status ct_forward(nn_io *io) {
    assay_status status = ASSAY_OK;
    const ct_state *s = io->state;
    int step;
    dn_conv *c = primitives(s, io->n, &step);
    for (int i = 0; i < io->n; i += step)
        ASSAY_TRY(dn_conv_backward_data(
            c, (const float *)io->in[X] + (size_t)i * s->x_each, io->in[WEIGHT],
            (float *)io->out + (size_t)i * s->y_each, io->scratch));
    if (io->node->n_in > BIAS)
        nn_kernels_get()->add_row(io->out, io->in[BIAS],
                                  (size_t)(io->n * s->g.h * s->g.w), (size_t)s->g.c);
done:
    return status;
}

/* Summed over the calls, in their order. */
static assay_status weight_gradient(const nn_io *io, dn_conv *c, int step) {
    assay_status status = ASSAY_OK;
    const ct_state *s = io->state;
    float *part = io->scratch, *sum = io->d_in[WEIGHT];
    void *scratch = (uint8_t *)io->scratch + weight_bytes(s);
    for (int i = 0; i < io->n; i += step) {
        const float *x = (const float *)io->in[X] + (size_t)i * s->x_each;
        const float *d_y = (const float *)io->d_out + (size_t)i * s->y_each;
        ASSAY_TRY(dn_conv_backward_weights(c, d_y, x, i ? part : sum, scratch));
        if (i)
            nn_kernels_get()->add(sum, sum, part, s->weights);
    }
done:
    return status;
}

static assay_status ct_backward(nn_io *io) {
    assay_status status = ASSAY_OK;
    const ct_state *s = io->state;
    int step;
    dn_conv *c = primitives(s, io->n, &step);
    if (io->d_in[WEIGHT])
        ASSAY_TRY(weight_gradient(io, c, step));
    for (int i = 0; io->d_in[X] && i < io->n; i += step)
        ASSAY_TRY(dn_conv_forward(c, (const float *)io->d_out + (size_t)i * s->y_each,
                                  io->in[WEIGHT], NULL,
                                  (float *)io->d_in[X] + (size_t)i * s->x_each,
                                  (uint8_t *)io->scratch + weight_bytes(s)));
    if (io->node->n_in > BIAS && io->d_in[BIAS])
        nn_kernels_get()->image[0][0]->sum_rows(
            io->d_in[BIAS], io->d_out, (size_t)(io->n * s->g.h * s->g.w), (size_t)s->g.c);
done:
    return status;
}

static void ct_factors(const nn_io *io, nn_factor *f) {
    const ct_state *s = io->state;
    const nn_window *g = &s->g;
    f->kind = NN_FACTOR_CONV;
    f->transposed = true;
    f->x = io->d_out;
    f->d = io->in[X];
    f->t = g->oh * g->ow;
    f->in = g->c;
    f->out = io->node->in_shape[X].dim[1];
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

/* One pixel of x, channel by channel, into its window of y. */
static void spread(const nn_node *node,
                   const nn_window *g,
                   int64_t at,
                   const double *const *in,
                   double *out,
                   const double *d_out,
                   double *const *d_in) {
    int64_t channels = node->in_shape[X].dim[1], i = at / channels / g->ow / g->oh;
    int64_t c = at % channels, q = at / channels % g->ow,
            p = at / channels / g->ow % g->oh;
    int64_t part = channels / g->groups, outs = g->c / g->groups;
    for (int64_t tap = 0; tap < g->kh * g->kw * outs; tap++) {
        int64_t o = tap % outs, v = tap / outs % g->kw, u = tap / outs / g->kw;
        int64_t y = p * g->stride[0] - g->pad[0] + u * g->dilation[0];
        int64_t x = q * g->stride[1] - g->pad[1] + v * g->dilation[1];
        if (y < 0 || y >= g->h || x < 0 || x >= g->w)
            continue;
        int64_t to = ((i * g->h + y) * g->w + x) * g->c + c / part * outs + o;
        int64_t weight = ((c * outs + o) * g->kh + u) * g->kw + v;
        out[to] += in[X][at] * in[WEIGHT][weight];
        if (d_out && d_in[X])
            d_in[X][at] += d_out[to] * in[WEIGHT][weight];
        if (d_out && d_in[WEIGHT])
            d_in[WEIGHT][weight] += d_out[to] * in[X][at];
    }
}

static void ct_reference(const nn_node *node,
                         int n,
                         bool training,
                         const double *const *in,
                         double *out,
                         const double *d_out,
                         double *const *d_in) {
    (void)training;
    nn_window g;
    if (conv_of(node, &g) != ASSAY_OK)
        return;
    for (int64_t at = 0; at < n * g.h * g.w * g.c; at++) {
        out[at] = node->n_in > BIAS ? in[BIAS][at % g.c] : 0;
        if (d_out && node->n_in > BIAS && d_in[BIAS])
            d_in[BIAS][at % g.c] += d_out[at];
    }
    for (int64_t at = 0; at < n * nn_shape_each(&node->in_shape[X]); at++)
        spread(node, &g, at, in, out, d_out, d_in);
}

static const nn_op_case ct_cases[] = {
    {.name = "2x2, stride 2",
     .batch = 3,
     .n = 3,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {4, {0, 16, 4, 5}}},
            {NN_CASE_PARAM, {4, {16, 8, 2, 2}}},
            {NN_CASE_PARAM, {1, {8}}}},
     .attr = {{.name = "stride", .i = {2}, .count = 1}},
     .n_attrs = 1},
    {.name = "3x3, stride 2, padding and output padding, part of a batch",
     .batch = 4,
     .n = 3,
     .n_inputs = 3,
     .in = {{NN_CASE_VALUE, {4, {0, 5, 4, 3}}},
            {NN_CASE_PARAM, {4, {5, 7, 3, 3}}},
            {NN_CASE_PARAM, {1, {7}}}},
     .attr = {{.name = "stride", .i = {2}, .count = 1},
              {.name = "pad", .i = {1}, .count = 1},
              {.name = "output_pad", .i = {1}, .count = 1}},
     .n_attrs = 3},
    {.name = "3x2, groups, dilation, asymmetric padding",
     .batch = 2,
     .n = 2,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {4, {0, 6, 5, 4}}}, {NN_CASE_PARAM, {4, {6, 2, 3, 2}}}},
     .attr = {{.name = "groups", .i = {3}, .count = 1},
              {.name = "dilation", .i = {1, 2}, .count = 2},
              {.name = "stride", .i = {2, 1}, .count = 2},
              {.name = "pad", .i = {0, 1, 1, 0}, .count = 4}},
     .n_attrs = 4},
    {.name = "output padding without padding, batch 1",
     .batch = 1,
     .n = 1,
     .n_inputs = 2,
     .in = {{NN_CASE_VALUE, {4, {0, 1, 3, 3}}}, {NN_CASE_PARAM, {4, {1, 2, 3, 3}}}},
     .attr = {{.name = "stride", .i = {3, 2}, .count = 2},
              {.name = "output_pad", .i = {1}, .count = 1}},
     .n_attrs = 2},
    {0}};

const nn_op_def assay_op_conv_transpose = {
    .name = "conv_transpose",
    .summary = "a transposed convolution over images",
    .min_inputs = 2,
    .max_inputs = 3,
    .rows_in = 1u << WEIGHT,
    .attrs = ct_attrs,
    .infer = ct_infer,
    .plan = ct_plan,
    .unplan = ct_unplan,
    .forward = ct_forward,
    .backward = ct_backward,
    .factors = ct_factors,
    .tangent = nn_tangent_product,
    .reference = ct_reference,
    .cases = ct_cases,
};

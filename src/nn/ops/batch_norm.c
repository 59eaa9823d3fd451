/* batch_norm: y = (x - mean) / sqrt(var + eps) * scale + shift per channel (Ioffe &
 * Szegedy 2015, arXiv 1502.03167, algorithms 1 and 2). In training mean and variance are
 * the batch's and the running ones move towards them (the variance unbiased, as PyTorch
 * does); otherwise the running ones are used and examples are independent.
 *
 * What follows is done in the same pass, so that the normalised image is never written: a
 * ReLU, a 2 x 2 max-pooling behind it; or the end of a residual block, the sum with
 * another value and a ReLU in either order. */
#include "nn/norm.h"

#include <math.h>
#include <string.h>

static const char *const bn_attrs[] = {"eps", "momentum", NULL};

enum { X, SCALE, SHIFT, MEAN, VAR, OTHER };

static assay_status bn_infer(nn_node *node) {
    const nn_shape *x = &node->in_shape[X];
    if (x->ndim != 4 && x->ndim != 2)
        return nn_op_bad_shape(node, X, "images [N,C,H,W] or vectors [N,C] are needed");
    for (int i = 1; i < 5; i++)
        if (node->in_shape[i].ndim != 1 || node->in_shape[i].dim[0] != x->dim[1])
            return nn_op_bad_shape(node, i,
                                   "one number per channel of input 0 is needed");
    node->out_shape = *x;
    return ASSAY_OK;
}

static int bn_fuse(
    const nn_node *node, const nn_node *const *next, int n, nn_mode mode, bool x_grad) {
    (void)mode, (void)x_grad;
    return norm_follow(node, next, n, true);
}

typedef struct bn_state {
    assay_ctx *ctx;
    norm norm;
    size_t batch;
    bool backward;
} bn_state;

static void bn_unplan(nn_plan *p) {
    bn_state *s = p->state;
    if (s)
        mem_free(s->ctx, s);
}

static size_t factor_bytes(size_t c, size_t batch) {
    return (2 * c * batch * sizeof(float) + 63) / 64 * 64;
}

static assay_status bn_plan(nn_plan *p) {
    assay_status status = ASSAY_OK;
    bn_state *s = NULL;
    ASSAY_TRY(mem_new(p->ctx, &s, 1, sizeof *s));
    p->state = s;
    s->ctx = p->ctx;
    s->batch = (size_t)p->batch;
    s->backward = p->backward;
    norm_make(&s->norm, p->node, p->fused, p->n_fused);
    s->norm.x_half = (p->in_half & 1);
    s->norm.y_half = p->out_half;
    s->norm.other_half = p->in_half >> OTHER & 1;
    p->save_bytes = norm_save_at(NULL, &s->norm, s->batch, s->backward).bytes;
    p->forward_scratch = p->backward_scratch = norm_scratch(&s->norm);
    if (p->mode == NN_TRAIN)
        p->shared_bytes = norm_shared(&s->norm, p->shards);
    /* Constant statistics need x only for the gradients of scale and for the ReLU's mask.
     */
    bool scale_grad = p->want_d[SCALE] || p->mode == NN_CAPTURE;
    bool x_needed =
        p->mode == NN_TRAIN || (!s->norm.pool && (scale_grad || s->norm.relu));
    p->backward_reads = (x_needed ? 1u << X : 0u) | 1u << SCALE | 1u << SHIFT;
    p->factor_bytes = factor_bytes(s->norm.c, s->batch);
done:
    return status;
}

static norm_save save_of(const nn_io *io) {
    const bn_state *s = io->state;
    return norm_save_at(io->save, &s->norm, s->batch, s->backward);
}

static bn_affine affine_of(const nn_io *io, const norm_save *save) {
    bn_affine a = {save->mean, save->invstd, io->in[SCALE], io->in[SHIFT]};
    return a;
}

/* The shard's own statistics. Example by example, as fused passes do: the same sums.
 * Vectors are one stretch. */
static void shard_moments(const nn_io *io, const norm *m) {
    size_t rows = (size_t)io->n * m->each, stretch = m->each > 1 ? m->each : rows;
    double *sum = norm_shard_sums(m, io, false, rows);
    for (size_t r = 0; r < rows; r += stretch)
        norm_kernels(m)->moments(sum, sum + m->c, norm_at(io->in[X], r * m->c, m->x_half),
                                 r, stretch, m->c);
}

/* In training: first the shard's statistics, then, when all have theirs, the passage. */
static assay_status bn_forward(nn_io *io) {
    const bn_state *s = io->state;
    const norm *m = &s->norm;
    if (io->mode == NN_TRAIN && io->phase == 0) {
        shard_moments(io, m);
        return ASSAY_OK;
    }
    norm_save save = save_of(io);
    if (io->mode == NN_TRAIN) {
        double *sum = norm_sums(io->scratch);
        size_t rows = norm_all_moments(m, io, sum);
        bool moves = io->shard == 0;
        norm_finish(m, &save, sum, rows, moves ? io->buffer[MEAN] : NULL,
                    moves ? io->buffer[VAR] : NULL);
    } else {
        norm_running(m, &save, io->in[MEAN], io->in[VAR]);
    }
    bn_affine a = affine_of(io, &save);
    norm_forward(m, &save, &a, io->out, io->in[X], m->adds ? io->in[OTHER] : NULL, 0,
                 (size_t)io->n);
    return ASSAY_OK;
}

static void *d_other_of(const nn_io *io) {
    const bn_state *s = io->state;
    return s->norm.adds ? io->d_in[OTHER] : NULL;
}

/* Per-example gradients of scale and shift. */
static void fill_factor(nn_io *io, const norm_save *save, const bn_affine *a) {
    const norm *m = &((const bn_state *)io->state)->norm;
    const float *x = io->in[X];
    double *sum = norm_sums(io->scratch);
    float *scale = io->factor, *shift = scale + m->c * (size_t)io->n;
    for (size_t i = 0; i < (size_t)io->n; i++) {
        memset(sum, 0, 2 * m->c * sizeof *sum);
        norm_back_sums(m, save, a, sum, io->d_out, x + i * m->each * m->c, d_other_of(io),
                       i, 1);
        for (size_t k = 0; k < m->c; k++) {
            shift[i * m->c + k] = (float)sum[k];
            scale[i * m->c + k] = (float)sum[m->c + k];
        }
    }
}

static assay_status bn_backward(nn_io *io) {
    const norm *m = &((const bn_state *)io->state)->norm;
    norm_save save = save_of(io);
    bn_affine a = affine_of(io, &save);
    size_t n = (size_t)io->n;
    float *pull = NULL;
    if (io->mode == NN_CAPTURE) {
        fill_factor(io, &save, &a);
    } else if (io->phase == 0) {
        double *sum = norm_shard_sums(m, io, true, n * m->each);
        norm_back_sums(m, &save, &a, sum, io->d_out, io->in[X], d_other_of(io), 0, n);
        return ASSAY_OK;
    } else {
        double *sum = norm_sums(io->scratch);
        size_t rows = norm_all_back_sums(m, io, sum);
        pull = norm_floats(m, io->scratch);
        norm_pull(m, pull, sum, rows, io->shard, io->d_in[SCALE], io->d_in[SHIFT]);
    }
    if (io->d_in[X])
        norm_back(m, &save, &a, io->d_in[X], io->d_out, io->in[X], d_other_of(io), pull,
                  0, n);
    return ASSAY_OK;
}

static void bn_factors(const nn_io *io, nn_factor *f) {
    const norm *m = &((const bn_state *)io->state)->norm;
    f->kind = NN_FACTOR_DIAG;
    f->d = io->factor;
    f->d2 = f->d + m->c * (size_t)io->n;
}

static void bn_reference(const nn_node *node,
                         int n,
                         bool training,
                         const double *const *in,
                         double *out,
                         const double *d_out,
                         double *const *d_in) {
    size_t c = (size_t)node->in_shape[X].dim[1];
    size_t rows = (size_t)nn_shape_each(&node->in_shape[X]) / c * (size_t)n;
    double eps = nn_attr_f(node, "eps", 1e-5), count = (double)rows;
    for (size_t k = 0; k < c; k++) {
        double mean = in[MEAN][k], var = in[VAR][k], s0 = 0, s1 = 0;
        if (training) {
            mean = var = 0;
            for (size_t r = 0; r < rows; r++)
                mean += in[X][r * c + k] / count;
            for (size_t r = 0; r < rows; r++)
                var += (in[X][r * c + k] - mean) * (in[X][r * c + k] - mean) / count;
        }
        double inv = 1 / sqrt(var + eps);
        for (size_t r = 0; r < rows; r++) {
            double hat = (in[X][r * c + k] - mean) * inv;
            out[r * c + k] = hat * in[SCALE][k] + in[SHIFT][k];
            s0 += d_out ? d_out[r * c + k] : 0;
            s1 += d_out ? d_out[r * c + k] * hat : 0;
        }
        if (!d_out)
            continue;
        if (d_in[SHIFT])
            d_in[SHIFT][k] = s0;
        if (d_in[SCALE])
            d_in[SCALE][k] = s1;
        for (size_t r = 0; d_in[X] && r < rows; r++) {
            double hat = (in[X][r * c + k] - mean) * inv, d = d_out[r * c + k];
            if (training)
                d -= (s0 + hat * s1) / count;
            d_in[X][r * c + k] = d * in[SCALE][k] * inv;
        }
    }
}

#define BN_INPUTS(c, ...)                                                                \
    .n_inputs = 5, .in = {{NN_CASE_VALUE, __VA_ARGS__},                                  \
                          {NN_CASE_PARAM, {1, {c}}},                                     \
                          {NN_CASE_PARAM, {1, {c}}},                                     \
                          {NN_CASE_BUFFER, {1, {c}}},                                    \
                          {NN_CASE_BUFFER, {1, {c}}}}

static const nn_op_case bn_cases[] = {
    {.name = "sixteens", .batch = 4, .n = 4, BN_INPUTS(32, {4, {0, 32, 5, 7}})},
    {.name = "odd channels, part of a batch",
     .batch = 5,
     .n = 3,
     BN_INPUTS(19, {4, {0, 19, 3, 5}})},
    {.name = "vectors", .batch = 6, .n = 6, BN_INPUTS(7, {2, {0, 7}})},
    {.name = "large eps",
     .batch = 3,
     .n = 3,
     BN_INPUTS(4, {4, {0, 4, 2, 3}}),
     .attr = {{.name = "eps", .f = 0.3}},
     .n_attrs = 1},
    {0}};

const nn_op_def assay_op_batch_norm = {
    .name = "batch_norm",
    .summary = "normalisation per channel over the batch",
    .min_inputs = 5,
    .max_inputs = 5,
    .half_in = 1u << X | 1u << OTHER,
    .half_out = true,
    .batch_coupled = true,
    .phases = 2,
    .attrs = bn_attrs,
    .infer = bn_infer,
    .fuse = bn_fuse,
    .plan = bn_plan,
    .unplan = bn_unplan,
    .forward = bn_forward,
    .backward = bn_backward,
    .factors = bn_factors,
    .reference = bn_reference,
    .cases = bn_cases,
};

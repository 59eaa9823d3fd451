/* batch_norm: y = (x - mean) / sqrt(var + eps) * scale + shift per channel (Ioffe &
 * Szegedy 2015, arXiv 1502.03167, algorithms 1 and 2). In training mean and variance are
 * the batch's and the running ones move towards them (the variance unbiased, as PyTorch
 * does); otherwise the running ones are used and examples are independent.
 *
 * A ReLU behind it, and a 2 x 2 max-pooling behind that, are done in the same pass: the
 * normalised image is then never written. */
#include "nn/kernels.h"

#include <math.h>
#include <string.h>

static const char *const bn_attrs[] = {"eps", "momentum", NULL};

enum { X, SCALE, SHIFT, MEAN, VAR };

static size_t channels_of(const nn_node *node) {
    return (size_t)node->in_shape[X].dim[1];
}
static size_t rows_of(const nn_node *node, int n) {
    return (size_t)nn_shape_each(&node->in_shape[X]) / channels_of(node) * (size_t)n;
}

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

/* Whether a pooling takes disjoint 2 x 2 windows without padding. */
static bool is_simple_pool(const nn_node *pool, nn_window *g) {
    int64_t k[2];
    if (strcmp(pool->op->name, "max_pool") != 0 ||
        nn_attr_pair(pool, "kernel", 1, k) != ASSAY_OK ||
        nn_window_make(g, pool, k[0], k[1]) != ASSAY_OK)
        return false;
    bool pads = g->pad[0] || g->pad[1] || g->pad[2] || g->pad[3];
    return !pads && k[0] == 2 && k[1] == 2 && g->stride[0] == 2 && g->stride[1] == 2;
}

static int bn_fuse(const nn_node *node, const nn_node *const *next, int n, nn_mode mode) {
    (void)mode;
    nn_window g;
    if (n < 1 || strcmp(next[0]->op->name, "relu") != 0)
        return 0;
    return n > 1 && node->in_shape[X].ndim == 4 && is_simple_pool(next[1], &g) ? 2 : 1;
}

/* Where things lie in the memory that forward leaves to backward. */
typedef struct bn_save {
    float *mean, *invstd, *x_won;
    uint8_t *won;
    size_t bytes;
} bn_save;

static size_t round_up(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

static bn_save save_at(void *memory, size_t c, size_t pooled, bool pool, bool won) {
    bn_save s = {.bytes = 2 * round_up(c * sizeof(float))};
    uint8_t *at = memory;
    if (at) {
        s.mean = memory;
        s.invstd = (float *)(void *)(at + s.bytes / 2);
    }
    if (pool && won) {
        if (at) {
            s.x_won = (float *)(void *)(at + s.bytes);
            s.won = at + s.bytes + round_up(pooled * sizeof(float));
        }
        s.bytes += round_up(pooled * sizeof(float)) + round_up(pooled);
    }
    return s;
}

typedef struct bn_state {
    assay_ctx *ctx;
    nn_window pool;
    bool has_pool, has_relu, backward;
    size_t pooled; /* of the full batch */
    float eps, momentum;
} bn_state;

static void bn_unplan(void *state) {
    bn_state *s = state;
    if (s)
        mem_free(s->ctx, s);
}

static assay_status bn_plan(nn_plan *p) {
    assay_status status = ASSAY_OK;
    bn_state *s = NULL;
    size_t c = channels_of(p->node);
    ASSAY_TRY(mem_new(p->ctx, &s, 1, sizeof *s));
    p->state = s;
    s->ctx = p->ctx;
    s->has_relu = p->n_fused > 0;
    s->has_pool = p->n_fused > 1 && is_simple_pool(p->fused[1], &s->pool);
    s->backward = p->backward;
    s->eps = (float)nn_attr_f(p->node, "eps", 1e-5);
    s->momentum = (float)nn_attr_f(p->node, "momentum", 0.1);
    if (s->has_pool)
        s->pooled = (size_t)(s->pool.oh * s->pool.ow * s->pool.c) * (size_t)p->batch;
    p->save_bytes = save_at(NULL, c, s->pooled, s->has_pool, s->backward).bytes;
    /* Sums in double, then what follows from them in float. */
    p->forward_scratch =
        round_up(2 * c * sizeof(double)) + round_up(2 * c * sizeof(float));
    p->backward_scratch = p->forward_scratch;
    /* Constant statistics need x only for the gradients of scale and for the ReLU's mask.
     */
    bool scale_grad = p->want_d[SCALE] || p->mode == NN_CAPTURE;
    bool x_needed = p->mode == NN_TRAIN || (!s->has_pool && (scale_grad || s->has_relu));
    p->backward_reads = (x_needed ? 1u << X : 0u) | 1u << SCALE | 1u << SHIFT;
    p->factor_bytes = 2 * round_up(c * (size_t)p->batch * sizeof(float));
done:
    return status;
}

static bn_affine affine_of(const nn_io *io, const bn_save *save) {
    bn_affine a = {save->mean, save->invstd, io->in[SCALE], io->in[SHIFT]};
    return a;
}

static bn_save save_of(const nn_io *io) {
    const bn_state *s = io->state;
    return save_at(io->save, channels_of(io->node), s->pooled, s->has_pool, s->backward);
}

/* Fills mean and 1/sd; in training moves the running statistics. */
static void statistics(nn_io *io, const bn_save *save) {
    const bn_state *s = io->state;
    size_t c = channels_of(io->node), rows = rows_of(io->node, io->n);
    const float *var = io->in[VAR];
    if (io->mode == NN_TRAIN) {
        double *sum = io->scratch;
        float *batch_var =
            (float *)(void *)((uint8_t *)io->scratch + round_up(2 * c * sizeof(double)));
        nn_kernels_get()->moments(save->mean, batch_var, sum, io->in[X], rows, c);
        float unbias = rows > 1 ? (float)rows / (float)(rows - 1) : 1.0f;
        float *running_mean = io->buffer[MEAN], *running_var = io->buffer[VAR];
        for (size_t k = 0; running_mean && running_var && k < c; k++) {
            running_mean[k] += s->momentum * (save->mean[k] - running_mean[k]);
            running_var[k] += s->momentum * (batch_var[k] * unbias - running_var[k]);
        }
        var = batch_var;
    } else {
        memcpy(save->mean, io->in[MEAN], c * sizeof(float));
    }
    for (size_t k = 0; k < c; k++)
        save->invstd[k] = 1.0f / sqrtf(var[k] + s->eps);
}

static assay_status bn_forward(nn_io *io) {
    const bn_state *s = io->state;
    bn_save save = save_of(io);
    statistics(io, &save);
    bn_affine a = affine_of(io, &save);
    size_t c = channels_of(io->node);
    if (s->has_pool)
        nn_kernels_get()->bn_relu_pool(io->out, save.x_won, save.won, io->in[X], &a,
                                       &s->pool, (size_t)io->n);
    else
        nn_kernels_get()->bn(io->out, io->in[X], &a, rows_of(io->node, io->n), c,
                             s->has_relu);
    return ASSAY_OK;
}

/* Gradients of scale and shift over `n` examples from example `first` on, as doubles. */
static void
sums_over(const nn_io *io, double *sum, const bn_save *save, int first, int n) {
    const bn_state *s = io->state;
    bn_affine a = affine_of(io, save);
    size_t c = channels_of(io->node);
    size_t each = s->has_pool ? (size_t)(s->pool.oh * s->pool.ow) : rows_of(io->node, 1);
    size_t at = each * c * (size_t)first;
    const float *x = s->has_pool ? save->x_won : io->in[X];
    nn_kernels_get()->bn_back_sums(sum, io->d_out + at, x + at,
                                   s->has_pool ? save->won + at : NULL, &a,
                                   each * (size_t)n, c, s->has_relu);
}

/* Per-example gradients of scale and shift. */
static void fill_factor(nn_io *io, const bn_save *save, double *sum) {
    size_t c = channels_of(io->node);
    float *scale = io->factor, *shift = scale + c * (size_t)io->n;
    for (int i = 0; i < io->n; i++) {
        sums_over(io, sum, save, i, 1);
        for (size_t k = 0; k < c; k++) {
            shift[(size_t)i * c + k] = (float)sum[k];
            scale[(size_t)i * c + k] = (float)sum[c + k];
        }
    }
}

static assay_status bn_backward(nn_io *io) {
    const bn_state *s = io->state;
    size_t c = channels_of(io->node), rows = rows_of(io->node, io->n);
    bn_save save = save_of(io);
    bn_affine a = affine_of(io, &save);
    double *sum = io->scratch;
    float *s0 = NULL, *s1 = NULL;
    if (io->mode == NN_CAPTURE) {
        fill_factor(io, &save, sum);
    } else {
        s0 = (float *)(void *)((uint8_t *)io->scratch + round_up(2 * c * sizeof(double)));
        s1 = s0 + c;
        sums_over(io, sum, &save, 0, io->n);
        for (size_t k = 0; k < c; k++) {
            s0[k] = (float)(sum[k] / (double)rows);
            s1[k] = (float)(sum[c + k] / (double)rows);
            if (io->d_in[SHIFT])
                io->d_in[SHIFT][k] = (float)sum[k];
            if (io->d_in[SCALE])
                io->d_in[SCALE][k] = (float)sum[c + k];
        }
    }
    if (!io->d_in[X])
        return ASSAY_OK;
    if (s->has_pool)
        nn_kernels_get()->bn_back_pool(io->d_in[X], io->d_out, io->in[X], save.won, &a,
                                       s0, s1, &s->pool, (size_t)io->n);
    else
        nn_kernels_get()->bn_back(io->d_in[X], io->d_out, io->in[X], &a, s0, s1, rows, c,
                                  s->has_relu);
    return ASSAY_OK;
}

static void bn_factors(const nn_io *io, nn_factor *f) {
    size_t c = channels_of(io->node);
    f->kind = NN_FACTOR_DIAG;
    f->d = io->factor;
    f->d2 = f->d + c * (size_t)io->n;
}

static void bn_reference(const nn_node *node,
                         int n,
                         bool training,
                         const double *const *in,
                         double *out,
                         const double *d_out,
                         double *const *d_in) {
    size_t c = channels_of(node), rows = rows_of(node, n);
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
    .batch_coupled = true,
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

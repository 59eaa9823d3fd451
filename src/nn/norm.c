/* The parts of a batch norm, for whoever walks the examples. */
#include "nn/norm.h"

#include <math.h>
#include <string.h>

/* Whether a pooling takes disjoint 2 x 2 windows without padding. */
static bool is_simple_pool(const nn_node *pool, nn_window *g) {
    int64_t k[2];
    if (strcmp(pool->op->name, "max_pool") != 0 ||
        nn_attr_pair(pool, "kernel", 1, k) != ASSAY_OK ||
        nn_window_make(g, pool, k[0], k[1]) != ASSAY_OK)
        return false;
    bool pads = g->pad[0] || g->pad[1] || g->pad[2] || g->pad[3];
    bool inside = g->dilation[0] == 1 && g->dilation[1] == 1 && 2 * g->oh <= g->h &&
                  2 * g->ow <= g->w;
    return !pads && inside && k[0] == 2 && k[1] == 2 && g->stride[0] == 2 &&
           g->stride[1] == 2;
}

static bool is_op(const nn_node *node, const char *name) {
    return strcmp(node->op->name, name) == 0;
}

/* Whether `node` adds a value of its own shape to what comes before it. */
static bool is_plain_sum(const nn_node *node) {
    return is_op(node, "add") && node->n_in == 2 &&
           nn_shape_equal(&node->in_shape[0], &node->out_shape) &&
           nn_shape_equal(&node->in_shape[1], &node->out_shape) &&
           node->in_dtype[0] == ASSAY_F32 && node->in_dtype[1] == ASSAY_F32;
}

int norm_follow(const nn_node *bn, const nn_node *const *next, int n, bool adds) {
    nn_window g;
    if (n < 1)
        return 0;
    if (adds && is_plain_sum(next[0]))
        return n > 1 && is_op(next[1], "relu") ? 2 : 1;
    if (!is_op(next[0], "relu"))
        return 0;
    if (n > 1 && bn->in_shape[0].ndim == 4 && is_simple_pool(next[1], &g))
        return 2;
    return n > 1 && adds && is_plain_sum(next[1]) ? 2 : 1;
}

void norm_make(norm *out, const nn_node *bn, const nn_node *const *next, int n) {
    norm m = {.c = (size_t)bn->in_shape[0].dim[1]};
    m.each = m.out_each = (size_t)nn_shape_each(&bn->in_shape[0]) / m.c;
    for (int i = 0; i < n; i++) {
        if (is_op(next[i], "relu")) {
            m.relu = true;
            m.relu_first = i == 0;
        } else if (is_op(next[i], "add")) {
            m.adds = true;
        } else {
            m.pool = is_simple_pool(next[i], &m.window);
        }
    }
    if (m.pool)
        m.out_each = (size_t)(m.window.oh * m.window.ow);
    m.eps = (float)nn_attr_f(bn, "eps", 1e-5);
    m.momentum = (float)nn_attr_f(bn, "momentum", 0.1);
    *out = m;
}

static size_t round_up(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

/* Bytes of one example's bits. */
static size_t mask_each(const norm *m) {
    return (m->c + 15) / 16 * 2 * m->each;
}

norm_save norm_save_at(void *memory, const norm *m, size_t batch, bool backward) {
    size_t row = round_up(m->c * sizeof(float)), pooled = m->out_each * m->c * batch;
    norm_save s = {.bytes = 2 * row};
    uint8_t *at = memory;
    if (at) {
        s.mean = memory;
        s.invstd = (float *)(void *)(at + row);
    }
    if (m->pool && backward) {
        if (at) {
            s.x_won = at + s.bytes;
            s.won = at + s.bytes + round_up(pooled * (m->x_half ? 2 : 4));
        }
        s.bytes += round_up(pooled * (m->x_half ? 2 : 4)) + round_up(pooled);
    }
    if (m->adds && m->relu && !m->relu_first && backward) {
        if (at)
            s.mask = at + s.bytes;
        s.bytes += round_up(mask_each(m) * batch);
    }
    return s;
}

size_t norm_scratch(const norm *m) {
    return round_up(2 * m->c * sizeof(double)) + round_up(2 * m->c * sizeof(float));
}

float *norm_floats(const norm *m, void *scratch) {
    return (float *)(void *)((uint8_t *)scratch + round_up(2 * m->c * sizeof(double)));
}

/* ---- sums that shards share ---- */

/* A shard's place: 2 c sums, then its rows; whole cache lines. */
static size_t shard_doubles(const norm *m) {
    return round_up((2 * m->c + 1) * sizeof(double)) / sizeof(double);
}

size_t norm_shared(const norm *m, int shards) {
    return 2 * (size_t)shards * shard_doubles(m) * sizeof(double);
}

static double *shard_at(const norm *m, const nn_io *io, bool backward, int shard) {
    size_t place = (size_t)(2 * shard + backward);
    return (double *)io->shared + place * shard_doubles(m);
}

double *norm_shard_sums(const norm *m, const nn_io *io, bool backward, size_t rows) {
    double *sum = shard_at(m, io, backward, io->shard);
    memset(sum, 0, 2 * m->c * sizeof *sum);
    sum[2 * m->c] = (double)rows;
    return sum;
}

size_t norm_all_moments(const norm *m, const nn_io *io, double *sum) {
    const double *first = shard_at(m, io, false, 0);
    double rows = first[2 * m->c];
    memcpy(sum, first, 2 * m->c * sizeof *sum);
    for (int s = 1; s < io->shards; s++) {
        const double *more = shard_at(m, io, false, s);
        double count = more[2 * m->c], share = count / (rows + count);
        for (size_t k = 0; k < m->c; k++) {
            double off = more[k] - sum[k];
            sum[k] += off * share;
            sum[m->c + k] += more[m->c + k] + off * off * share * rows;
        }
        rows += count;
    }
    return (size_t)rows;
}

size_t norm_all_back_sums(const norm *m, const nn_io *io, double *sum) {
    double rows = 0;
    memset(sum, 0, 2 * m->c * sizeof *sum);
    for (int s = 0; s < io->shards; s++) {
        const double *more = shard_at(m, io, true, s);
        for (size_t k = 0; k < 2 * m->c; k++)
            sum[k] += more[k];
        rows += more[2 * m->c];
    }
    return (size_t)rows;
}

void norm_finish(const norm *m,
                 const norm_save *save,
                 const double *sum,
                 size_t rows,
                 float *running_mean,
                 float *running_var) {
    double unbias = rows > 1 ? (double)rows / (double)(rows - 1) : 1.0;
    for (size_t k = 0; k < m->c; k++) {
        double var = sum[m->c + k] / (double)rows;
        save->mean[k] = (float)sum[k];
        save->invstd[k] = (float)(1 / sqrt(var + (double)m->eps));
        if (!running_mean)
            continue;
        running_mean[k] += m->momentum * (save->mean[k] - running_mean[k]);
        running_var[k] += m->momentum * ((float)(var * unbias) - running_var[k]);
    }
}

void norm_running(const norm *m,
                  const norm_save *save,
                  const float *mean,
                  const float *var) {
    memcpy(save->mean, mean, m->c * sizeof *mean);
    for (size_t k = 0; k < m->c; k++)
        save->invstd[k] = (float)(1 / sqrt((double)var[k] + (double)m->eps));
}

void norm_pull(const norm *m,
               float *pull,
               const double *sum,
               size_t rows,
               int shard,
               float *d_scale,
               float *d_shift) {
    for (size_t k = 0; k < m->c; k++) {
        pull[k] = (float)(sum[k] / (double)rows);
        pull[m->c + k] = (float)(sum[m->c + k] / (double)rows);
        if (d_shift)
            d_shift[k] = shard == 0 ? (float)sum[k] : 0.0f;
        if (d_scale)
            d_scale[k] = shard == 0 ? (float)sum[m->c + k] : 0.0f;
    }
}

const image_kernels *norm_kernels(const norm *m) {
    return nn_kernels_get()->image[m->x_half][m->y_half];
}

static void *won_at(const norm *m, const norm_save *save, size_t o) {
    return save->x_won ? (uint8_t *)save->x_won + o * (m->x_half ? 2 : 4) : NULL;
}

/* What the kernels are told about the stretch from example `at` on. */
static bn_tail tail_at(
    const norm *m, const norm_save *save, const void *other, void *d_other, size_t at) {
    size_t o = at * m->each * m->c * (m->other_half ? 2 : 4);
    bn_tail t = {.relu = m->relu,
                 .relu_first = m->relu_first,
                 .other_half = m->adds && m->other_half};
    if (other)
        t.other = (const uint8_t *)other + o;
    if (d_other)
        t.d_other = (uint8_t *)d_other + o;
    if (save->mask)
        t.mask = save->mask + at * mask_each(m);
    return t;
}

void norm_forward(const norm *m,
                  const norm_save *save,
                  const bn_affine *a,
                  void *y,
                  const void *x,
                  const void *other,
                  size_t at,
                  size_t n) {
    size_t o = at * m->out_each * m->c;
    uint8_t *to = (uint8_t *)y + o * (m->y_half ? 2 : 4);
    bn_tail t = tail_at(m, save, other, NULL, at);
    if (m->pool)
        norm_kernels(m)->bn_relu_pool(to, won_at(m, save, o),
                                      save->won ? save->won + o : NULL, x, a, &m->window,
                                      n);
    else
        norm_kernels(m)->bn(to, x, a, &t, n * m->each, m->c);
}

void norm_back_sums(const norm *m,
                    const norm_save *save,
                    const bn_affine *a,
                    double *sum,
                    const void *d_y,
                    const void *x,
                    void *d_other,
                    size_t at,
                    size_t n) {
    size_t o = at * m->out_each * m->c;
    bn_tail t = tail_at(m, save, NULL, d_other, at);
    norm_kernels(m)->bn_back_sums(
        sum, norm_at(d_y, o, m->y_half), m->pool ? won_at(m, save, o) : x,
        m->pool ? save->won + o : NULL, a, &t, n * m->out_each, m->c);
}

void norm_back(const norm *m,
               const norm_save *save,
               const bn_affine *a,
               void *d_x,
               const void *d_y,
               const void *x,
               const void *d_other,
               const float *pull,
               size_t at,
               size_t n) {
    size_t o = at * m->out_each * m->c;
    const float *s1 = pull ? pull + m->c : NULL;
    bn_tail t = tail_at(m, save, NULL, NULL, at);
    if (m->pool) {
        norm_kernels(m)->bn_back_pool(d_x, norm_at(d_y, o, m->y_half), x, save->won + o,
                                      a, pull, s1, &m->window, n);
        return;
    }
    if (d_other && t.mask && m->other_half == m->y_half) {
        /* Behind the ReLU already; d_y may be gone. */
        d_y = d_other;
        t.relu = false;
        t.mask = NULL;
    }
    norm_kernels(m)->bn_back(d_x, norm_at(d_y, o, m->y_half), x, a, pull, s1, &t,
                             n * m->each, m->c);
}

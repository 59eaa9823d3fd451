/* Forward in training: a phase for the statistics, a phase that normalises. Backward: the
 * sums (from the winners alone if there is a pooling), then per example the gradient of
 * the convolution's output and at once its share of the weights' gradient. */
#include "nn/stem.h"

#include <string.h>

/* Inputs of the step: x, weight, then the batch norm's. */
enum { X, WEIGHT, SCALE, SHIFT, MEAN, VAR };

typedef struct stem_state {
    assay_ctx *ctx;
    direct_conv conv;
    norm norm;
    size_t batch, x_each;
    bool backward;
    bool x_half; /* the image lies in bf16 */
    bool keeps;  /* the convolution's output is kept, in bf16 */
} stem_state;

/* Computing in bf16, a convolution of more taps than this is cheaper to write and read
 * than to make four times. */
enum { MOST_TAPS_AGAIN = 12 };

int stem_fuse(
    const nn_node *conv, const nn_node *const *next, int n, nn_mode mode, bool x_grad) {
    nn_window g;
    direct_conv d;
    const nn_shape *w = &conv->in_shape[1];
    /* Capturing needs the gradient of every example's image: nothing is saved there. */
    if (mode == NN_CAPTURE || x_grad || conv->n_in != 2 || n < 1 ||
        strcmp(next[0]->op->name, "batch_norm") != 0 ||
        nn_window_make(&g, conv, w->dim[2], w->dim[3]) != ASSAY_OK ||
        !direct_make(&d, &g, w->dim[0]))
        return 0;
    return 1 + norm_follow(next[0], next + 1, n - 1, false);
}

static size_t round_up(size_t floats) {
    return (floats + 15) / 16 * 16;
}

/* The scratch of both passes: one layout. */
typedef struct stem_scratch {
    void *norm;
    float *padded, *weight, *d_weight, *y, *d_y, *x; /* x: of one example, if x_half */
    size_t bytes;
} stem_scratch;

static stem_scratch scratch_at(const stem_state *s, void *memory) {
    const direct_conv *d = &s->conv;
    size_t y = round_up(d->out_floats), w = round_up(d->packed_floats);
    stem_scratch t = {.norm = memory};
    size_t floats = norm_scratch(&s->norm) / sizeof(float);
    float *at = memory;
    size_t x = s->x_half ? round_up(s->x_each) : 0;
    t.bytes = (floats + round_up(d->padded_floats) + 2 * w + 2 * y + x) * sizeof(float);
    if (at) {
        t.padded = at + floats;
        t.weight = t.padded + round_up(d->padded_floats);
        t.d_weight = t.weight + w;
        t.y = t.d_weight + w;
        t.d_y = t.y + y;
        t.x = t.d_y + y;
    }
    return t;
}

assay_status stem_plan(nn_plan *p) {
    assay_status status = ASSAY_OK;
    stem_state *s = NULL;
    nn_window g;
    const nn_shape *w = &p->node->in_shape[1];
    ASSAY_TRY(mem_new(p->ctx, &s, 1, sizeof *s));
    p->state = s;
    s->ctx = p->ctx;
    s->batch = (size_t)p->batch;
    s->backward = p->backward;
    ASSAY_TRY(nn_window_make(&g, p->node, w->dim[2], w->dim[3]));
    if (!direct_make(&s->conv, &g, w->dim[0]))
        ASSAY_FAIL(ASSAY_E_INTERNAL, "a stem over a large patch");
    norm_make(&s->norm, p->fused[0], p->fused + 1, p->n_fused - 1);
    s->x_each = (size_t)nn_shape_each(&p->node->in_shape[X]);
    s->x_half = p->in_half >> X & 1;
    s->keeps =
        p->mode == NN_TRAIN && p->dtype == ASSAY_BF16 && s->conv.taps > MOST_TAPS_AGAIN;
    s->norm.x_half = s->keeps;
    s->norm.y_half = p->out_half;
    p->save_bytes = norm_save_at(NULL, &s->norm, s->batch, s->backward).bytes;
    if (s->keeps)
        p->save_bytes += s->batch * s->conv.out_floats * sizeof(uint16_t);
    p->forward_scratch = p->backward_scratch = scratch_at(s, NULL).bytes;
    if (p->mode == NN_TRAIN)
        p->shared_bytes = norm_shared(&s->norm, p->shards);
    p->backward_reads = 1u << X | 1u << WEIGHT | 1u << SCALE | 1u << SHIFT;
done:
    return status;
}

void stem_unplan(nn_plan *p) {
    stem_state *s = p->state;
    if (s)
        mem_free(s->ctx, s);
}

/* Everything a pass over the examples needs. */
typedef struct stem_pass {
    const stem_state *s;
    const nn_kernels *k;
    stem_scratch t;
    norm_save save;
    bn_affine affine;
    const void *x;
    uint16_t *kept;
    size_t n;
} stem_pass;

static stem_pass begin(const nn_io *io) {
    stem_pass p = {.s = io->state, .k = nn_kernels_get(), .x = io->in[X]};
    p.t = scratch_at(p.s, io->scratch);
    p.save = norm_save_at(io->save, &p.s->norm, p.s->batch, p.s->backward);
    p.affine = (bn_affine){p.save.mean, p.save.invstd, io->in[SCALE], io->in[SHIFT]};
    p.n = (size_t)io->n;
    p.kept = (uint16_t *)(void *)((uint8_t *)io->save + p.save.bytes);
    memset(p.t.padded, 0, p.s->conv.padded_floats * sizeof(float));
    direct_pack(&p.s->conv, p.t.weight, io->in[WEIGHT]);
    return p;
}

/* Example i into its frame. */
static void pad(const stem_pass *p, size_t i) {
    size_t each = p->s->x_each;
    const float *x = p->t.x;
    if (p->s->x_half)
        p->k->widen(p->t.x, (const uint16_t *)p->x + i * each, each);
    else
        x = (const float *)p->x + i * each;
    direct_pad(&p->s->conv, p->t.padded, x);
}

/* Example i's convolution into the scratch. */
static void convolve(const stem_pass *p, size_t i) {
    pad(p, i);
    p->k->direct(p->t.y, p->t.padded, p->t.weight, NULL, &p->s->conv);
}

/* What the norm reads of example i: as it was kept, or made again. */
static const void *normed(const stem_pass *p, size_t i) {
    if (p->s->keeps)
        return p->kept + i * p->s->conv.out_floats;
    convolve(p, i);
    return p->t.y;
}

assay_status stem_forward(nn_io *io) {
    stem_pass p = begin(io);
    const norm *m = &p.s->norm;
    if (io->mode == NN_TRAIN && io->phase == 0) {
        double *sum = norm_shard_sums(m, io, false, p.n * m->each);
        for (size_t i = 0; i < p.n; i++) {
            convolve(&p, i);
            p.k->image[0][0]->moments(sum, sum + m->c, p.t.y, i * m->each, m->each, m->c);
            if (p.s->keeps)
                p.k->narrow(p.kept + i * p.s->conv.out_floats, p.t.y,
                            p.s->conv.out_floats);
        }
        return ASSAY_OK;
    }
    if (io->mode == NN_TRAIN) {
        double *sum = norm_sums(p.t.norm);
        size_t rows = norm_all_moments(m, io, sum);
        bool moves = io->shard == 0;
        norm_finish(m, &p.save, sum, rows, moves ? io->buffer[MEAN] : NULL,
                    moves ? io->buffer[VAR] : NULL);
    } else {
        norm_running(m, &p.save, io->in[MEAN], io->in[VAR]);
    }
    for (size_t i = 0; i < p.n; i++)
        norm_forward(m, &p.save, &p.affine, io->out, normed(&p, i), NULL, i, 1);
    return ASSAY_OK;
}

assay_status stem_backward(nn_io *io) {
    stem_pass p = begin(io);
    const norm *m = &p.s->norm;
    const direct_conv *d = &p.s->conv;
    if (io->phase == 0) {
        double *sum = norm_shard_sums(m, io, true, p.n * m->each);
        if (m->pool)
            norm_back_sums(m, &p.save, &p.affine, sum, io->d_out, NULL, NULL, 0, p.n);
        for (size_t i = 0; i < p.n && !m->pool; i++)
            norm_back_sums(m, &p.save, &p.affine, sum, io->d_out, normed(&p, i), NULL, i,
                           1);
        return ASSAY_OK;
    }
    double *sum = norm_sums(p.t.norm);
    float *pull = norm_floats(m, p.t.norm);
    size_t rows = norm_all_back_sums(m, io, sum);
    norm_pull(m, pull, sum, rows, io->shard, io->d_in[SCALE], io->d_in[SHIFT]);
    if (!io->d_in[WEIGHT])
        return ASSAY_OK;
    memset(p.t.d_weight, 0, d->packed_floats * sizeof(float));
    for (size_t i = 0; i < p.n; i++) {
        const void *x = normed(&p, i);
        void *d_y = p.s->keeps ? p.t.y : p.t.d_y;
        norm_back(m, &p.save, &p.affine, d_y, io->d_out, x, NULL, pull, i, 1);
        if (p.s->keeps) {
            p.k->widen(p.t.d_y, d_y, d->out_floats);
            pad(&p, i);
        }
        p.k->direct_weights(p.t.d_weight, p.t.padded, p.t.d_y, d);
    }
    direct_unpack(d, io->d_in[WEIGHT], p.t.d_weight);
    return ASSAY_OK;
}

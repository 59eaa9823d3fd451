/* One head at a time: its rows are brought side by side into scratch (f32, queries
 * scaled, positions turned), then a block of query rows after the other meets the keys it
 * sees. The order of every sum depends on sizes only. */
#include "nn/attend.h"

#include "nn/gemm.h"
#include "nn/mixed.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 32 }; /* query rows whose scores exist at once */

attend_shape attend_shape_of(const nn_node *node) {
    const nn_shape *q = &node->in_shape[0];
    bool packed = node->n_in == 1;
    attend_shape s = {.heads = (size_t)nn_attr_i(node, "heads", 1),
                      .queries = (size_t)q->dim[1],
                      .keys = (size_t)node->in_shape[packed ? 0 : 1].dim[1],
                      .causal = nn_attr_i(node, "causal", 0) != 0,
                      .rotary = nn_attr_f(node, "rotary", 0)};
    s.width = (size_t)q->dim[2] / s.heads / (packed ? 3 : 1);
    s.out_width = packed ? s.width : (size_t)node->in_shape[2].dim[2] / s.heads;
    s.scale = (float)nn_attr_f(node, "scale", 1 / sqrt((double)s.width));
    return s;
}

static size_t round16(size_t n) {
    return (n + 15) / 16 * 16;
}
static size_t most(size_t a, size_t b) {
    return a > b ? a : b;
}

/* What the products of one head need. */
static size_t product_scratch(const attend_shape *s) {
    size_t wide = most(s->width, s->out_width);
    size_t n =
        most(gemm_scratch(BLOCK, s->keys, wide), gemm_scratch(BLOCK, wide, s->keys));
    return round16(most(n, gemm_scratch(s->keys, wide, BLOCK)));
}

size_t attend_forward_scratch(const attend_shape *s) {
    return round16(s->queries * s->width) + round16(s->keys * s->width) +
           round16(s->keys * s->out_width) + BLOCK * round16(s->keys) +
           round16(BLOCK * s->out_width) + product_scratch(s);
}

size_t attend_backward_scratch(const attend_shape *s) {
    size_t qk = round16(s->queries * s->width) + round16(s->keys * s->width);
    size_t v = round16(s->keys * s->out_width),
           d_out = round16(s->queries * s->out_width);
    return 2 * (qk + v) + d_out + 2 * BLOCK * round16(s->keys) + product_scratch(s);
}

/* ---- positions ---- */

assay_status attend_turns_create(void **out, assay_ctx *ctx, const attend_shape *s) {
    assay_status status = ASSAY_OK;
    float *turns = NULL;
    *out = NULL;
    if (s->rotary == 0)
        return ASSAY_OK;
    size_t half = s->width / 2, tokens = most(s->queries, s->keys);
    ASSAY_TRY(mem_new(ctx, &turns, tokens * s->width, sizeof *turns));
    for (size_t t = 0; t < tokens; t++)
        for (size_t i = 0; i < half; i++) {
            double angle =
                (double)t * pow(s->rotary, -2.0 * (double)i / (double)s->width);
            turns[t * s->width + i] = (float)cos(angle);
            turns[t * s->width + half + i] = (float)sin(angle);
        }
    *out = turns;
done:
    return status;
}

/* Turns rows [n, width] by `way` (1; -1: back) times their positions' angles. */
static void turn(float *x, const float *turns, size_t n, size_t width, float way) {
    size_t half = width / 2;
    for (size_t t = 0; turns && t < n; t++, x += width, turns += width)
        for (size_t i = 0; i < half; i++) {
            float c = turns[i], s = way * turns[half + i], a = x[i], b = x[half + i];
            x[i] = a * c - b * s;
            x[half + i] = b * c + a * s;
        }
}

/* ---- rows in and out ---- */

static void *row_at(attend_rows r, size_t t) {
    return (uint8_t *)r.at + t * r.ld * (r.half ? 2 : 4);
}

static float *take(float **scratch, size_t n) {
    float *p = *scratch;
    *scratch += round16(n);
    return p;
}

/* The rows side by side in f32. */
static float *gather(float **scratch, attend_rows r) {
    float *to = take(scratch, r.rows * r.width);
    for (size_t t = 0; t < r.rows; t++)
        mixed_copy(to + t * r.width, false, row_at(r, t), r.half, r.width);
    return to;
}

static void scatter(attend_rows r, size_t first, size_t n, const float *from) {
    for (size_t t = 0; r.at && t < n; t++)
        mixed_copy(row_at(r, first + t), r.half, from + t * r.width, false, r.width);
}

static void scale(float *x, float by, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] *= by;
}

/* q scaled, q and k turned to their positions. */
typedef struct gathered {
    float *q, *k, *v;
} gathered;

static gathered gather_head(const attend_head *a, float **scratch) {
    const attend_shape *s = a->shape;
    gathered g = {gather(scratch, a->q), gather(scratch, a->k), gather(scratch, a->v)};
    scale(g.q, s->scale, s->queries * s->width);
    turn(g.q, a->turns, s->queries, s->width, 1);
    turn(g.k, a->turns, s->keys, s->width, 1);
    return g;
}

/* ---- products; all matrices lie row by row ---- */

/* c[m,n] = a[m,k] b[n,k]^T */
static void times_turned(float *c,
                         size_t ldc,
                         const float *a,
                         const float *b,
                         size_t m,
                         size_t n,
                         size_t k,
                         float *scratch) {
    gemm_job j = gemm_times_turned(c, a, b, m, n, k);
    j.ldc = ldc;
    gemm_run(&j, scratch);
}

/* c[m,n] = a[m,k] b[k,n], rows of a `lda` apart */
static void times(float *c,
                  const float *a,
                  size_t lda,
                  const float *b,
                  size_t m,
                  size_t n,
                  size_t k,
                  float *scratch) {
    gemm_job j = gemm_times(c, a, b, m, n, k);
    j.a_row = lda;
    gemm_run(&j, scratch);
}

/* c[m,n] += a[k,m]^T b[k,n], rows of a `lda` apart */
static void add_turned_times(float *c,
                             const float *a,
                             size_t lda,
                             const float *b,
                             size_t m,
                             size_t n,
                             size_t k,
                             float *scratch) {
    gemm_job j = gemm_turned_times(c, a, b, m, n, k);
    j.a_col = lda;
    j.add = true;
    gemm_run(&j, scratch);
}

/* Query rows [first, first + rows), and how many keys any of them sees. */
typedef struct block {
    size_t first, rows, keys, sees;
} block;

static block block_at(const attend_head *a, size_t first) {
    const attend_shape *s = a->shape;
    block b = {first, s->queries - first < BLOCK ? s->queries - first : BLOCK, a->keys,
               a->keys};
    if (s->causal && first + b.rows < a->keys)
        b.keys = first + b.rows;
    if (s->causal && first + 1 < a->keys)
        b.sees = first + 1;
    return b;
}

void attend_forward(const attend_head *a, attend_rows out, float *scratch) {
    const attend_shape *s = a->shape;
    gathered g = gather_head(a, &scratch);
    size_t ld = round16(s->keys);
    float *score = take(&scratch, BLOCK * ld);
    float *mean = take(&scratch, BLOCK * s->out_width);
    for (size_t first = 0; first < s->queries; first += BLOCK) {
        block b = block_at(a, first);
        times_turned(score, ld, g.q + first * s->width, g.k, b.rows, b.keys, s->width,
                     scratch);
        row_kernels_get()->attend(score, a->log_sum + first, b.rows, b.keys, ld, b.sees);
        times(mean, score, ld, g.v, b.rows, s->out_width, b.keys, scratch);
        scatter(out, first, b.rows, mean);
    }
}

void attend_backward(const attend_head *a,
                     attend_rows d_out,
                     attend_rows d_q,
                     attend_rows d_k,
                     attend_rows d_v,
                     float *scratch) {
    const attend_shape *s = a->shape;
    gathered g = gather_head(a, &scratch);
    size_t ld = round16(s->keys);
    float *d = gather(&scratch, d_out);
    float *to_q = take(&scratch, s->queries * s->width);
    float *to_k = take(&scratch, s->keys * s->width);
    float *to_v = take(&scratch, s->keys * s->out_width);
    float *score = take(&scratch, BLOCK * ld), *d_p = take(&scratch, BLOCK * ld);
    memset(to_k, 0, s->keys * s->width * sizeof *to_k);
    memset(to_v, 0, s->keys * s->out_width * sizeof *to_v);
    for (size_t first = 0; first < s->queries; first += BLOCK) {
        block b = block_at(a, first);
        const float *q = g.q + first * s->width, *d_o = d + first * s->out_width;
        times_turned(score, ld, q, g.k, b.rows, b.keys, s->width, scratch);
        times_turned(d_p, ld, d_o, g.v, b.rows, b.keys, s->out_width, scratch);
        row_kernels_get()->attend_back(score, d_p, a->log_sum + first, b.rows, b.keys, ld,
                                       b.sees);
        times(to_q + first * s->width, d_p, ld, g.k, b.rows, s->width, b.keys, scratch);
        add_turned_times(to_k, d_p, ld, q, b.keys, s->width, b.rows, scratch);
        add_turned_times(to_v, score, ld, d_o, b.keys, s->out_width, b.rows, scratch);
    }
    scale(to_q, s->scale, s->queries * s->width);
    turn(to_q, a->turns, s->queries, s->width, -1);
    turn(to_k, a->turns, s->keys, s->width, -1);
    scatter(d_q, 0, s->queries, to_q);
    scatter(d_k, 0, s->keys, to_k);
    scatter(d_v, 0, s->keys, to_v);
}

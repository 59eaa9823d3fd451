/* EK-FAC of wide layers. Factors are those of KFC (Grosse and Martens 2016, section 3):
 * A from an example's patches, B from the derivatives at all its places. Eigenvalues need
 * no assumption about places: a layer's whole gradient is turned and squared, example by
 * example and class by class. */
#include "attribute/influence/ekfac_inside.h"

#include "attribute/algebra/linalg.h"
#include "attribute/algebra/matmul.h"
#include "base/pool.h"
#include "nn/kernels.h"

#include <string.h>

/* Batches go to so many sums, which are added up in order: bytes do not depend on
 * threads. */
enum { SHARDS = 4, BLOCK_BYTES = 1 << 28 };

/* What a factor's side is made of. */
static bool has_columns(const att_wide *w) {
    return !w->plain;
}
static bool has_rows(const att_wide *w) {
    return !w->plain && w->kind != NN_FACTOR_GATHER;
}

/* ---- factors ---- */

typedef struct moment_worker {
    float *tile; /* [LA_GRAM_ROWS, widest columns] */
    float *gram; /* of la_gram */
} moment_worker;

typedef struct moment_job {
    const att_layers *x;
    const att_wide *w;
    double *a[SHARDS], *b[SHARDS]; /* [columns, columns], [rows, rows]; or NULL */
    moment_worker *worker;
} moment_job;

/* Inputs of all places of the batch, 1 behind them for the bias; patches in the order
 * [kh, kw, in]. */
static void inputs_add(double *a, const moment_job *job, int worker, const nn_factor *f) {
    const moment_worker *mw = &job->worker[worker];
    size_t columns = job->w->columns, patch = columns - job->w->bias;
    bool conv = f->kind == NN_FACTOR_CONV;
    size_t each = (size_t)(conv ? f->oh * f->ow : f->t), all = (size_t)f->n * each;
    nn_window g = {f->in, f->h, f->w, f->oh, f->ow, f->kh, f->kw, {0}, {0}, {0}, 0};
    memcpy(g.stride, f->stride, sizeof g.stride);
    memcpy(g.pad, f->pad, sizeof g.pad);
    memcpy(g.dilation, f->dilation, sizeof g.dilation);
    for (size_t from = 0, n; from < all; from += n) {
        n = all - from < LA_GRAM_ROWS ? all - from : LA_GRAM_ROWS;
        for (size_t i = 0; i < n; i++) {
            float *to = mw->tile + i * columns;
            size_t example = (from + i) / each, place = (from + i) % each;
            if (conv)
                nn_kernels_get()->unfold(to,
                                         f->x + example * (size_t)(f->h * f->w * f->in),
                                         &g, place, 1, patch);
            else
                memcpy(to, f->x + (from + i) * patch, patch * sizeof *to);
            if (job->w->bias)
                to[patch] = 1;
        }
        la_gram((int64_t)n, (int64_t)columns, mw->tile, (int64_t)columns, mw->gram, a);
    }
}

static void moments_add(const moment_job *job, int worker, size_t shard, size_t pass) {
    const moment_worker *mw = &job->worker[worker];
    const att_wide *w = job->w;
    const nn_factor f = att_source_factor(job->x->source, worker, w->factor);
    int64_t places = f.kind == NN_FACTOR_CONV ? f.oh * f.ow : f.t;
    bool table = f.kind == NN_FACTOR_GATHER; /* its columns are the output's */
    double *of_d = table ? job->a[shard] : job->b[shard];
    /* a product with a weight that lies turned has inputs and derivatives change places
     */
    bool x_moves = f.transposed, d_moves = !f.transposed;
    if (!table && (x_moves || pass == 0))
        inputs_add(job->a[shard], job, worker, &f);
    if (d_moves || pass == 0)
        la_gram(f.n * places, f.out, f.d, f.out, mw->gram, of_d);
}

static assay_status run_moments(void *arg, int worker, size_t begin, size_t end) {
    const moment_job *job = arg;
    const att_layers *x = job->x;
    assay_status status = ASSAY_OK;
    moment_worker *mw = &job->worker[worker];
    size_t batch = att_wide_batch(x), side = job->w->columns;
    side = job->w->rows > side && has_rows(job->w) ? job->w->rows : side;
    if (!mw->tile)
        ASSAY_TRY(
            mem_new(x->ctx, &mw->tile, LA_GRAM_ROWS * job->w->columns, sizeof(float)));
    if (!mw->gram)
        ASSAY_TRY(mem_new(x->ctx, &mw->gram, side * side, sizeof(float)));
    for (size_t shard = begin; shard < end; shard++)
        for (size_t i = shard * batch; i < x->rows; i += SHARDS * batch)
            for (size_t pass = 0; pass < x->passes; pass++) {
                size_t n = x->rows - i < batch ? x->rows - i : batch;
                ASSAY_TRY(ctx_check(x->ctx));
                ASSAY_TRY(att_source_run(x->source, worker, x->row + i, n, pass, NULL));
                moments_add(job, worker, shard, pass);
            }
done:
    return status;
}

static void shards_sum(double *const *part, size_t count) {
    for (int shard = 1; shard < SHARDS; shard++)
        for (size_t i = 0; i < count; i++)
            part[0][i] += part[shard][i];
}

/* A of patches [taps, in] into the order of weights, [in, taps]; the bias stays last. */
static void
taps_turn(double *to, const double *from, size_t columns, size_t taps, size_t in) {
    for (size_t i = 0; i < columns; i++)
        for (size_t j = 0; j < columns; j++) {
            size_t p = i < taps * in ? i % taps * in + i / taps : i;
            size_t q = j < taps * in ? j % taps * in + j / taps : j;
            to[i * columns + j] = from[p * columns + q];
        }
}

static assay_status
columns_basis(ekfac_wide *out, const att_layers *x, const att_wide *w, double *a) {
    assay_status status = ASSAY_OK;
    double *turned = NULL;
    size_t columns = w->columns, patch = columns - w->bias;
    size_t in = w->kind == NN_FACTOR_CONV ? w->in : patch;
    ASSAY_TRY(mem_new(x->ctx, &turned, columns * columns, sizeof *turned));
    taps_turn(turned, a, columns, patch / in, in);
    ASSAY_TRY(ekfac_basis(&out->column_vector, x->ctx, turned, columns, (double)x->rows));
done:
    mem_free(x->ctx, turned);
    return status;
}

static assay_status bases(ekfac_wide *out, const att_layers *x, const att_wide *w) {
    assay_status status = ASSAY_OK;
    size_t workers = x->source->workers;
    moment_job job = {.x = x, .w = w};
    if (!has_columns(w))
        return ASSAY_OK;
    ASSAY_TRY(mem_new(x->ctx, &job.worker, workers, sizeof *job.worker));
    for (int shard = 0; shard < SHARDS; shard++) {
        ASSAY_TRY(
            mem_new(x->ctx, &job.a[shard], w->columns * w->columns, sizeof(double)));
        if (has_rows(w))
            ASSAY_TRY(mem_new(x->ctx, &job.b[shard], w->rows * w->rows, sizeof(double)));
    }
    ASSAY_TRY(assay_parallel_for(x->ctx, SHARDS, 1, run_moments, &job));
    shards_sum(job.a, w->columns * w->columns);
    ASSAY_TRY(columns_basis(out, x, w, job.a[0]));
    if (has_rows(w)) {
        shards_sum(job.b, w->rows * w->rows);
        ASSAY_TRY(
            ekfac_basis(&out->row_vector, x->ctx, job.b[0], w->rows, (double)x->rows));
    }
done:
    for (size_t i = 0; job.worker && i < workers; i++) {
        mem_free(x->ctx, job.worker[i].tile);
        mem_free(x->ctx, job.worker[i].gram);
    }
    mem_free(x->ctx, job.worker);
    for (int shard = 0; shard < SHARDS; shard++) {
        mem_free(x->ctx, job.a[shard]);
        mem_free(x->ctx, job.b[shard]);
    }
    return status;
}

/* ---- turned gradients ---- */

typedef struct turn_worker {
    float *batch, *turned; /* [batch, wide floats]; one layer's of the batch */
    float *make, *product; /* scratch */
} turn_worker;

static void grow(size_t *most, size_t x) {
    *most = x > *most ? x : *most;
}

static assay_status turn_room(turn_worker *t, const att_layers *x) {
    assay_status status = ASSAY_OK;
    size_t n = att_wide_batch(x), widest = 1, product = 1;
    if (t->product)
        return ASSAY_OK;
    for (int l = 0; l < x->wides; l++) {
        const att_wide *w = &x->wide[l];
        grow(&widest, w->rows * w->columns);
        for (size_t k = 1; k <= n; k++) /* the last batch may be a shorter one */
            grow(&product, gemm_scratch(k * w->rows, w->columns, w->columns));
        grow(&product, gemm_scratch(w->rows, w->columns, w->rows));
    }
    if (!t->batch)
        ASSAY_TRY(mem_new(x->ctx, &t->batch, n * x->wide_floats, sizeof(float)));
    if (!t->turned)
        ASSAY_TRY(mem_new(x->ctx, &t->turned, n * widest, sizeof(float)));
    if (!t->make)
        ASSAY_TRY(mem_new(x->ctx, &t->make, att_wide_scratch(x), sizeof(float)));
    ASSAY_TRY(mem_new(x->ctx, &t->product, product, sizeof(float)));
done:
    return status;
}

static void turn_free(turn_worker *t, assay_ctx *ctx) {
    mem_free(ctx, t->batch);
    mem_free(ctx, t->turned);
    mem_free(ctx, t->make);
    mem_free(ctx, t->product);
}

/* G <- Ur G Uc' of each of n gradients of a layer. */
static void
turn_layer(const turn_worker *t, const ekfac_wide *e, const att_wide *w, size_t n) {
    size_t size = w->rows * w->columns;
    float *g = t->batch + n * w->at;
    if (e->column_vector) {
        gemm_job job = gemm_times_turned(t->turned, g, e->column_vector, n * w->rows,
                                         w->columns, w->columns);
        gemm_run(&job, t->product);
        memcpy(g, t->turned, n * size * sizeof *g);
    }
    for (size_t i = 0; e->row_vector && i < n; i++) {
        gemm_job job = gemm_times(t->turned, e->row_vector, g + i * size, w->rows,
                                  w->columns, w->rows);
        gemm_run(&job, t->product);
        memcpy(g + i * size, t->turned, size * sizeof *g);
    }
}

/* Turned gradients of a batch, layer by layer as att_wide_make has them. */
static assay_status turned_make(turn_worker *t,
                                const ekfac *e,
                                const att_layers *x,
                                int worker,
                                size_t first,
                                size_t n,
                                size_t pass) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(turn_room(t, x));
    ASSAY_TRY(att_wide_make(t->batch, x, worker, first, n, pass, t->make));
    for (int l = 0; l < x->wides; l++)
        turn_layer(t, &e->wide[l], &x->wide[l], n);
done:
    return status;
}

/* ---- eigenvalues ---- */

typedef struct square_job {
    const ekfac *e;
    const att_layers *x;
    double *sum[SHARDS]; /* [wide floats] */
    turn_worker *worker;
} square_job;

static void
squares_add(double *sum, const turn_worker *t, const att_layers *x, size_t n) {
    for (int l = 0; l < x->wides; l++) {
        size_t size = x->wide[l].rows * x->wide[l].columns;
        const float *g = t->batch + n * x->wide[l].at;
        double *to = sum + x->wide[l].at;
        for (size_t i = 0; i < n; i++, g += size)
            for (size_t k = 0; k < size; k++)
                to[k] += (double)g[k] * (double)g[k];
    }
}

static assay_status run_squares(void *arg, int worker, size_t begin, size_t end) {
    const square_job *job = arg;
    const att_layers *x = job->x;
    assay_status status = ASSAY_OK;
    turn_worker *t = &job->worker[worker];
    size_t batch = att_wide_batch(x);
    for (size_t shard = begin; shard < end; shard++)
        for (size_t i = shard * batch; i < x->rows; i += SHARDS * batch)
            for (size_t pass = 0; pass < x->passes; pass++) {
                size_t n = x->rows - i < batch ? x->rows - i : batch;
                ASSAY_TRY(ctx_check(x->ctx));
                ASSAY_TRY(turned_make(t, job->e, x, worker, i, n, pass));
                squares_add(job->sum[shard], t, x, n);
            }
done:
    return status;
}

static assay_status values(ekfac *e, const att_layers *x) {
    assay_status status = ASSAY_OK;
    size_t workers = x->source->workers;
    square_job job = {.e = e, .x = x};
    ASSAY_TRY(mem_new(x->ctx, &job.worker, workers, sizeof *job.worker));
    for (int shard = 0; shard < SHARDS; shard++)
        ASSAY_TRY(mem_new(x->ctx, &job.sum[shard], x->wide_floats, sizeof(double)));
    ASSAY_TRY(assay_parallel_for(x->ctx, SHARDS, 1, run_squares, &job));
    shards_sum(job.sum, x->wide_floats);
    ASSAY_TRY(mem_new(x->ctx, &e->wide_value, x->wide_floats, sizeof(float)));
    for (size_t i = 0; i < x->wide_floats; i++)
        e->wide_value[i] = (float)(job.sum[0][i] / (double)x->rows);
done:
    for (size_t w = 0; job.worker && w < workers; w++)
        turn_free(&job.worker[w], x->ctx);
    mem_free(x->ctx, job.worker);
    for (int shard = 0; shard < SHARDS; shard++)
        mem_free(x->ctx, job.sum[shard]);
    return status;
}

assay_status ekfac_wide_make(ekfac *e, const att_layers *x) {
    assay_status status = ASSAY_OK;
    e->wides = x->wides;
    for (int l = 0; l < x->wides; l++) {
        ASSAY_TRY(ctx_check(x->ctx));
        ASSAY_TRY(bases(&e->wide[l], x, &x->wide[l]));
    }
    if (x->wides)
        ASSAY_TRY(values(e, x));
done:
    return status;
}

/* ---- scores ---- */

typedef struct turned_job {
    const ekfac *e;
    const att_layers *x;
    size_t first;
    float *out; /* [n, wide floats] */
    turn_worker *worker;
} turned_job;

static assay_status run_turned(void *arg, int worker, size_t begin, size_t end) {
    const turned_job *job = arg;
    const att_layers *x = job->x;
    assay_status status = ASSAY_OK;
    turn_worker *t = &job->worker[worker];
    size_t n = end - begin;
    ASSAY_TRY(turned_make(t, job->e, x, worker, job->first + begin, n, 0));
    for (int l = 0; l < x->wides; l++) {
        const att_wide *w = &x->wide[l];
        size_t size = w->rows * w->columns;
        for (size_t i = 0; i < n; i++)
            memcpy(job->out + (begin + i) * x->wide_floats + w->at,
                   t->batch + n * w->at + i * size, size * sizeof(float));
    }
done:
    return status;
}

/* One block of targets, divided by the eigenvalues, against all rows. */
static assay_status block_scores(float *scores,
                                 turned_job *job,
                                 const float *target,
                                 float *gradient,
                                 const size_t t[2],
                                 size_t rows,
                                 size_t targets) {
    assay_status status = ASSAY_OK;
    const att_layers *x = job->x;
    size_t block = att_wide_block(x, BLOCK_BYTES), count = t[1] - t[0];
    float *part = NULL;
    ASSAY_TRY(mem_new(x->ctx, &part, block * count, sizeof *part));
    job->out = gradient;
    for (size_t i = 0; i < rows; i += block) {
        size_t n = rows - i < block ? rows - i : block;
        job->first = i;
        ASSAY_TRY(assay_parallel_for(x->ctx, n, att_wide_batch(x), run_turned, job));
        ASSAY_TRY(mat_mul_nt(x->ctx, part, gradient, target, n, count, x->wide_floats));
        for (size_t r = 0; r < n; r++)
            for (size_t c = 0; c < count; c++)
                scores[(i + r) * targets + t[0] + c] += x->q[i + r] * part[r * count + c];
    }
done:
    mem_free(x->ctx, part);
    return status;
}

assay_status ekfac_wide_scores(float *scores,
                               const ekfac *e,
                               const att_layers *x,
                               size_t rows,
                               size_t targets,
                               float delta) {
    assay_status status = ASSAY_OK;
    size_t workers = x->source->workers;
    turned_job job = {.e = e, .x = x};
    float *target = NULL, *gradient = NULL;
    if (!x->wides)
        return ASSAY_OK;
    size_t block = att_wide_block(x, BLOCK_BYTES);
    ASSAY_TRY(mem_new(x->ctx, &job.worker, workers, sizeof *job.worker));
    ASSAY_TRY(mem_new(x->ctx, &target, block * x->wide_floats, sizeof *target));
    ASSAY_TRY(mem_new(x->ctx, &gradient, block * x->wide_floats, sizeof *gradient));
    for (size_t t[2] = {0}; t[0] < targets; t[0] = t[1]) {
        t[1] = targets - t[0] < block ? targets : t[0] + block;
        size_t n = t[1] - t[0];
        job.first = rows + t[0];
        job.out = target;
        ASSAY_TRY(assay_parallel_for(x->ctx, n, att_wide_batch(x), run_turned, &job));
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < x->wide_floats; k++)
                target[i * x->wide_floats + k] /= e->wide_value[k] + delta;
        ASSAY_TRY(block_scores(scores, &job, target, gradient, t, rows, targets));
    }
done:
    for (size_t w = 0; job.worker && w < workers; w++)
        turn_free(&job.worker[w], x->ctx);
    mem_free(x->ctx, job.worker);
    mem_free(x->ctx, target);
    mem_free(x->ctx, gradient);
    return status;
}

/* ---- of rows for themselves ---- */

typedef struct self_job {
    const ekfac *e;
    const att_layers *x;
    float delta;
    float *out;
    turn_worker *worker;
} self_job;

static assay_status run_self(void *arg, int worker, size_t begin, size_t end) {
    const self_job *job = arg;
    const att_layers *x = job->x;
    assay_status status = ASSAY_OK;
    turn_worker *t = &job->worker[worker];
    size_t n = end - begin;
    ASSAY_TRY(turned_make(t, job->e, x, worker, begin, n, 0));
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (int l = 0; l < x->wides; l++) {
            const att_wide *w = &x->wide[l];
            size_t size = w->rows * w->columns;
            const float *g = t->batch + n * w->at + i * size;
            const float *value = job->e->wide_value + w->at;
            for (size_t k = 0; k < size; k++)
                sum += (double)(g[k] * g[k] / (value[k] + job->delta));
        }
        job->out[begin + i] += x->q[begin + i] * (float)sum;
    }
done:
    return status;
}

assay_status ekfac_wide_self(
    float *out, const ekfac *e, const att_layers *x, size_t rows, float delta) {
    assay_status status = ASSAY_OK;
    size_t workers = x->source->workers;
    self_job job = {.e = e, .x = x, .delta = delta, .out = out};
    if (!x->wides)
        return ASSAY_OK;
    ASSAY_TRY(mem_new(x->ctx, &job.worker, workers, sizeof *job.worker));
    ASSAY_TRY(assay_parallel_for(x->ctx, rows, att_wide_batch(x), run_self, &job));
done:
    for (size_t w = 0; job.worker && w < workers; w++)
        turn_free(&job.worker[w], x->ctx);
    mem_free(x->ctx, job.worker);
    return status;
}

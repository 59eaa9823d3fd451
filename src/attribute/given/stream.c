/* For a block of targets each model's kernel is factorised in turn and its transformed
 * targets kept; then the rows stream by once, block after block, into scores and into the
 * strongest rows of each target. */
#include "attribute/given/stream.h"

#include "attribute/algebra/linalg.h"
#include "attribute/algebra/matmul.h"
#include "base/pool.h"

#include <math.h>
#include <string.h>

enum { ROWS = 1024 /* in a block */ };
#define USUAL_MEMORY ((uint64_t)512 << 20)

typedef struct scoring {
    assay_ctx *ctx;
    const given *g;
    stream_options o;
    float *weight;  /* [rows] mean over models of q, over their number */
    size_t targets; /* in a block, at most */
    float *psi;     /* [members][n, dim] transformed targets of the block at hand */
    float *phi;     /* [ROWS, dim] */
    float *tile;    /* [ROWS, n] */
    att_top *item;
    att_heap *heap; /* [all targets][2]: positive, negative */
    atomic_file out;
    uint64_t start;
} scoring;

static assay_status room_make(scoring *s) {
    assay_status status = ASSAY_OK;
    const given *g = s->g;
    size_t top = (size_t)s->o.top < g->rows ? (size_t)s->o.top : g->rows;
    uint64_t each = g->members * g->dim * sizeof(float) + ROWS * sizeof(float);
    size_t most = (size_t)(s->o.memory / each);
    float *one = NULL;
    s->targets = most < 1 ? 1 : most < g->targets ? most : g->targets;
    if (g->rows >= UINT32_MAX)
        ASSAY_FAIL(ASSAY_E_SHAPE, "%zu rows are too many", g->rows);
    ASSAY_TRY(mem_new(s->ctx, &s->weight, g->rows, sizeof *s->weight));
    ASSAY_TRY(mem_new(s->ctx, &s->psi, g->members * s->targets * g->dim, sizeof *s->psi));
    ASSAY_TRY(mem_new(s->ctx, &s->phi, ROWS * g->dim, sizeof *s->phi));
    ASSAY_TRY(mem_new(s->ctx, &s->tile, ROWS * s->targets, sizeof *s->tile));
    ASSAY_TRY(mem_new(s->ctx, &s->item, g->targets * 2 * top, sizeof *s->item));
    ASSAY_TRY(mem_new(s->ctx, &s->heap, g->targets * 2, sizeof *s->heap));
    for (size_t h = 0; h < g->targets * 2; h++)
        s->heap[h] = (att_heap){s->item + h * top, 0, (int)top};
    ASSAY_TRY(mem_new(s->ctx, &one, g->rows, sizeof *one));
    for (size_t m = 0; m < g->members; m++) {
        if (g->member[m].array[GIVEN_WEIGHT].data && !s->o.unweighed)
            ASSAY_TRY(given_read(one, g, m, GIVEN_WEIGHT, 0, g->rows));
        else
            for (size_t i = 0; i < g->rows; i++)
                one[i] = 1;
        for (size_t i = 0; i < g->rows; i++)
            s->weight[i] += one[i] / (float)(g->members * g->members);
    }
done:
    mem_free(s->ctx, one);
    return status;
}

/* ---- the transformed targets ---- */

/* Phi'Phi of a model, block by block. */
static assay_status
gram_make(const scoring *s, size_t member, double *gram, float *part) {
    assay_status status = ASSAY_OK;
    const given *g = s->g;
    for (size_t first = 0; first < g->rows; first += ROWS) {
        size_t n = g->rows - first < ROWS ? g->rows - first : ROWS;
        ASSAY_TRY(ctx_check(s->ctx));
        ASSAY_TRY(given_read(s->phi, g, member, GIVEN_ROWS, first, n));
        gemm_job job = gemm_turned_times(part, s->phi, s->phi, g->dim, g->dim, n);
        ASSAY_TRY(mat_run(s->ctx, &job));
        for (size_t i = 0; i < g->dim * g->dim; i++)
            gram[i] += (double)part[i];
    }
done:
    return status;
}

/* The mean size of the inverse's elements. */
static assay_status inverse_size(double *out, const scoring *s, const double *factor) {
    assay_status status = ASSAY_OK;
    size_t cells = s->g->dim * s->g->dim;
    double *inverse = NULL;
    *out = 0;
    ASSAY_TRY(mem_new(s->ctx, &inverse, cells, sizeof *inverse));
    memcpy(inverse, factor, cells * sizeof *inverse);
    ASSAY_TRY(la_cholesky_inverse((int64_t)s->g->dim, inverse));
    for (size_t i = 0; i < cells; i++)
        *out += fabs(inverse[i]) / (double)cells;
done:
    mem_free(s->ctx, inverse);
    return status;
}

static assay_status member_transform(
    const scoring *s, size_t member, size_t first, size_t n, double *gram, float *part) {
    assay_status status = ASSAY_OK;
    const given *g = s->g;
    double trace = 0, size = 1, *right = NULL;
    float *psi = s->psi + member * n * g->dim;
    memset(gram, 0, g->dim * g->dim * sizeof *gram);
    ASSAY_TRY(gram_make(s, member, gram, part));
    for (size_t i = 0; i < g->dim; i++)
        trace += gram[i * g->dim + i];
    for (size_t i = 0; i < g->dim; i++)
        gram[i * g->dim + i] += s->o.traker ? s->o.ridge
                                : trace > 0
                                    ? s->o.ridge * trace / (double)g->dim
                                    : 1; /* no gradient at all: scores are nought */
    status = la_cholesky((int64_t)g->dim, gram);
    if (status == ASSAY_E_NUMERIC)
        err_help("give a ridge above 0");
    ASSAY_TRY_AT(status, "%s", g->member[member].path[GIVEN_ROWS]);
    if (s->o.traker)
        ASSAY_TRY(inverse_size(&size, s, gram));
    ASSAY_TRY(mem_new(s->ctx, &right, n * g->dim, sizeof *right));
    ASSAY_TRY(given_read(psi, g, member, GIVEN_TARGETS, first, n));
    for (size_t i = 0; i < n * g->dim; i++)
        right[i] = (double)psi[i];
    ASSAY_TRY(la_cholesky_solve((int64_t)g->dim, gram, (int64_t)n, right));
    for (size_t i = 0; i < n * g->dim; i++)
        psi[i] = (float)(right[i] / size);
done:
    mem_free(s->ctx, right);
    return status;
}

static assay_status transform(const scoring *s, size_t first, size_t n) {
    assay_status status = ASSAY_OK;
    size_t cells = s->g->dim * s->g->dim;
    double *gram = NULL;
    float *part = NULL;
    ASSAY_TRY(la_self_check());
    ASSAY_TRY(mem_new(s->ctx, &gram, cells, sizeof *gram));
    ASSAY_TRY(mem_new(s->ctx, &part, cells, sizeof *part));
    for (size_t m = 0; m < s->g->members; m++) {
        ASSAY_TRY(member_transform(s, m, first, n, gram, part));
        progress_add(s->ctx, 1);
    }
done:
    mem_free(s->ctx, gram);
    mem_free(s->ctx, part);
    return status;
}

/* ---- rows stream by ---- */

typedef struct drain_job {
    const scoring *s;
    size_t row, rows, first, n;
} drain_job;

/* Each target has its heaps, and sees the rows in their order. */
static assay_status drain(void *arg, int worker, size_t begin, size_t end) {
    const drain_job *d = arg;
    (void)worker;
    for (size_t i = 0; i < d->rows; i++)
        for (size_t t = begin; t < end; t++) {
            float *x = &d->s->tile[i * d->n + t], size;
            *x *= d->s->weight[d->row + i];
            size = fabsf(*x);
            if (!isfinite(size)) {
                (void)err_set(ASSAY_E_NUMERIC, "a score is not finite");
                err_where("row %zu, target %zu", d->row + i, d->first + t);
                return ASSAY_E_NUMERIC;
            }
            if (size > 0)
                heap_offer(&d->s->heap[(d->first + t) * 2 + (*x < 0)],
                           (att_top){(uint32_t)(d->row + i), size});
        }
    return ASSAY_OK;
}

static assay_status write_tile(scoring *s, const drain_job *d) {
    assay_status status = ASSAY_OK;
    for (size_t i = 0; i < d->rows; i++) {
        uint64_t at = (uint64_t)(d->row + i) * s->g->targets + d->first;
        if (d->n == s->g->targets) { /* whole rows: all at once */
            ASSAY_TRY(atomic_write_at(&s->out, s->start + at * sizeof(float), s->tile,
                                      d->rows * d->n * sizeof(float)));
            return ASSAY_OK;
        }
        ASSAY_TRY(atomic_write_at(&s->out, s->start + at * sizeof(float),
                                  s->tile + i * d->n, d->n * sizeof(float)));
    }
done:
    return status;
}

static assay_status stream(scoring *s, size_t first, size_t n) {
    assay_status status = ASSAY_OK;
    const given *g = s->g;
    for (size_t row = 0; row < g->rows; row += ROWS) {
        size_t rows = g->rows - row < ROWS ? g->rows - row : ROWS;
        drain_job d = {s, row, rows, first, n};
        for (size_t m = 0; m < g->members; m++) {
            ASSAY_TRY(given_read(s->phi, g, m, GIVEN_ROWS, row, rows));
            gemm_job job = gemm_times_turned(s->tile, s->phi, s->psi + m * n * g->dim,
                                             rows, n, g->dim);
            job.add = m > 0;
            ASSAY_TRY(mat_run(s->ctx, &job));
        }
        ASSAY_TRY(assay_parallel_for(s->ctx, n, 8, drain, &d));
        if (s->out.path)
            ASSAY_TRY(write_tile(s, &d));
        progress_add(s->ctx, 1);
    }
done:
    return status;
}

static assay_status score(scoring *s) {
    assay_status status = ASSAY_OK;
    const given *g = s->g;
    const int64_t dim[] = {(int64_t)g->rows, (int64_t)g->targets};
    size_t blocks = (g->targets + s->targets - 1) / s->targets;
    if (s->o.scores)
        ASSAY_TRY(npy_begin(&s->out, &s->start, s->ctx, s->o.scores, ASSAY_F32, 2, dim));
    progress_begin(s->ctx, "scores",
                   (int64_t)(blocks * (g->members + (g->rows + ROWS - 1) / ROWS)),
                   "blocks");
    for (size_t first = 0; first < g->targets; first += s->targets) {
        size_t n = g->targets - first < s->targets ? g->targets - first : s->targets;
        ASSAY_TRY(transform(s, first, n));
        ASSAY_TRY(stream(s, first, n));
    }
    progress_end(s->ctx);
    if (s->o.scores)
        ASSAY_TRY(atomic_commit(&s->out));
done:
    return status;
}

assay_status stream_scores(att_top *out, const given *g, const stream_options *options) {
    assay_status status = ASSAY_OK;
    scoring s = {.ctx = g->ctx, .g = g, .o = *options, .out = {.fd = -1}};
    s.o.memory = s.o.memory ? s.o.memory : USUAL_MEMORY;
    ASSAY_TRY(room_make(&s));
    ASSAY_TRY(score(&s));
    for (size_t h = 0; h < g->targets * 2; h++)
        heap_take(out + h * (size_t)s.o.top, s.o.top, &s.heap[h], h % 2);
done:
    atomic_abandon(&s.out);
    mem_free(s.ctx, s.weight);
    mem_free(s.ctx, s.psi);
    mem_free(s.ctx, s.phi);
    mem_free(s.ctx, s.tile);
    mem_free(s.ctx, s.item);
    mem_free(s.ctx, s.heap);
    return status;
}

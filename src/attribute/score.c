/* assay_score: TRAK over features that were made elsewhere. For a block of targets each
 * model's kernel is factorised in turn and its transformed targets kept; then the rows
 * stream by once, block after block, into scores and into the strongest rows of each
 * target. Nothing of size rows x targets is held. */
#include <assay/attribute.h>

#include "attribute/algebra/linalg.h"
#include "attribute/algebra/matmul.h"
#include "attribute/given/given.h"
#include "attribute/trak/heap.h"
#include "base/json.h"
#include "base/options.h"
#include "base/os.h"
#include "base/pool.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROWS = 1024 /* in a block */, MOST_TOP = 100000, USUAL_TOP = 10 };
#define USUAL_MEMORY ((uint64_t)512 << 20)

typedef struct scoring {
    assay_ctx *ctx;
    assay_score_options o;
    bool traker; /* the ridge is absolute, inverses go over their mean element */
    given g;
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

static assay_status check(scoring *s, const assay_score_options *options) {
    assay_status status = ASSAY_OK;
    assay_score_options *o = &s->o;
    ASSAY_TRY(options_take(o, sizeof *o, options, "assay_score_options"));
    o->top = o->top ? o->top : USUAL_TOP;
    o->memory = o->memory ? o->memory : USUAL_MEMORY;
    s->traker = o->compat && strcmp(o->compat, "traker") == 0;
    if (o->compat && !s->traker) {
        (void)err_set(ASSAY_E_NOTFOUND, "there is no compat \"%s\"", o->compat);
        err_help("choose: traker");
        return ASSAY_E_NOTFOUND;
    }
    if (!(o->ridge >= 0) || isinf(o->ridge) || o->top < 1 || o->top > MOST_TOP)
        ASSAY_FAIL(ASSAY_E_INVALID, "ridge %g, %d strongest rows are out of range",
                   o->ridge, o->top);
    if (!o->traker == !o->features || (o->traker && !o->experiment)) {
        (void)err_set(ASSAY_E_INVALID, "whose features?");
        err_help("give files of rows' and of targets' features, or a TRAKer's save_dir "
                 "with the experiment's name");
        return ASSAY_E_INVALID;
    }
done:
    return status;
}

static size_t count(const char *const *list) {
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

static assay_status open_features(scoring *s) {
    assay_status status = ASSAY_OK;
    const assay_score_options *o = &s->o;
    size_t n = count(o->features), weights = count(o->weights);
    s->g.ctx = s->ctx;
    if (o->traker) {
        ASSAY_TRY(given_add_traker(&s->g, o->traker, o->experiment));
        return ASSAY_OK;
    }
    if (n == 0 || count(o->targets) != n || (weights && weights != n)) {
        (void)err_set(ASSAY_E_INVALID,
                      "%zu files of rows, %zu of targets, %zu of weights", n,
                      count(o->targets), weights);
        err_help("give one of each for each model; weights may be left out");
        return ASSAY_E_INVALID;
    }
    for (size_t m = 0; m < n; m++)
        ASSAY_TRY(given_add(&s->g, o->features[m], o->targets[m],
                            weights ? o->weights[m] : NULL));
done:
    return status;
}

static assay_status room_make(scoring *s) {
    assay_status status = ASSAY_OK;
    const given *g = &s->g;
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
    const given *g = &s->g;
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
    size_t cells = s->g.dim * s->g.dim;
    double *inverse = NULL;
    *out = 0;
    ASSAY_TRY(mem_new(s->ctx, &inverse, cells, sizeof *inverse));
    memcpy(inverse, factor, cells * sizeof *inverse);
    ASSAY_TRY(la_cholesky_inverse((int64_t)s->g.dim, inverse));
    for (size_t i = 0; i < cells; i++)
        *out += fabs(inverse[i]) / (double)cells;
done:
    mem_free(s->ctx, inverse);
    return status;
}

static assay_status member_transform(
    const scoring *s, size_t member, size_t first, size_t n, double *gram, float *part) {
    assay_status status = ASSAY_OK;
    const given *g = &s->g;
    double trace = 0, size = 1, *right = NULL;
    float *psi = s->psi + member * n * g->dim;
    memset(gram, 0, g->dim * g->dim * sizeof *gram);
    ASSAY_TRY(gram_make(s, member, gram, part));
    for (size_t i = 0; i < g->dim; i++)
        trace += gram[i * g->dim + i];
    for (size_t i = 0; i < g->dim; i++)
        gram[i * g->dim + i] += s->traker ? s->o.ridge
                                : trace > 0
                                    ? s->o.ridge * trace / (double)g->dim
                                    : 1; /* no gradient at all: scores are nought */
    status = la_cholesky((int64_t)g->dim, gram);
    if (status == ASSAY_E_NUMERIC)
        err_help("give a ridge above 0");
    ASSAY_TRY_AT(status, "%s", g->member[member].path[GIVEN_ROWS]);
    if (s->traker)
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
    size_t cells = s->g.dim * s->g.dim;
    double *gram = NULL;
    float *part = NULL;
    ASSAY_TRY(la_self_check());
    ASSAY_TRY(mem_new(s->ctx, &gram, cells, sizeof *gram));
    ASSAY_TRY(mem_new(s->ctx, &part, cells, sizeof *part));
    for (size_t m = 0; m < s->g.members; m++) {
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
        uint64_t at = (uint64_t)(d->row + i) * s->g.targets + d->first;
        if (d->n == s->g.targets) { /* whole rows: all at once */
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
    const given *g = &s->g;
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
    const given *g = &s->g;
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

/* ---- the document ---- */

static void tell_rows(
    json_out *j, buf *csv, size_t target, const char *key, const att_top *top, int n) {
    json_key(j, key);
    json_arr(j);
    for (int i = 0; i < n && top[i].row != UINT32_MAX; i++) {
        json_obj(j);
        json_kint(j, "row", top[i].row);
        json_knum(j, "score", (double)top[i].score);
        json_obj_end(j);
        buf_fmt(csv, "%zu,%s,%d,%u,%.9g\n", target, key, i + 1, top[i].row,
                (double)top[i].score);
    }
    json_arr_end(j);
}

static assay_status tell(scoring *s, char **json, uint64_t began) {
    assay_status status = ASSAY_OK;
    buf text = buf_make(s->ctx), csv = buf_make(s->ctx);
    json_out j = json_out_make(&text, 2);
    att_top *top = NULL;
    ASSAY_TRY(mem_new(s->ctx, &top, (size_t)s->o.top, sizeof *top));
    json_obj(&j);
    json_kstr(&j, "schema", "assay.score/1");
    json_kint(&j, "models", (int64_t)s->g.members);
    json_kint(&j, "rows", (int64_t)s->g.rows);
    json_kint(&j, "dim", (int64_t)s->g.dim);
    json_knum(&j, "ridge", s->o.ridge);
    buf_str(&csv, "target,kind,rank,row,score\n");
    json_key(&j, "targets");
    json_arr(&j);
    for (size_t t = 0; t < s->g.targets; t++) {
        json_obj(&j);
        json_kint(&j, "target", (int64_t)t);
        for (size_t sign = 0; sign < 2; sign++) {
            heap_take(top, s->o.top, &s->heap[t * 2 + sign], sign);
            tell_rows(&j, &csv, t, sign ? "harmful" : "helpful", top, s->o.top);
        }
        json_obj_end(&j);
    }
    json_arr_end(&j);
    json_knum(&j, "seconds", 1e-9 * (double)(os_now_ns() - began));
    json_obj_end(&j);
    buf_str(&text, "\n");
    ASSAY_TRY(buf_check(&text));
    ASSAY_TRY(buf_check(&csv));
    if (s->o.csv)
        ASSAY_TRY(atomic_put(s->ctx, s->o.csv, csv.data, csv.len));
    ASSAY_TRY(mem_strdup(s->ctx, json, text.data));
done:
    mem_free(s->ctx, top);
    buf_free(&text);
    buf_free(&csv);
    return status;
}

assay_status
assay_score(assay_ctx *ctx, const assay_score_options *options, char **json) {
    assay_status status = ASSAY_OK;
    scoring s = {.ctx = ctx, .o = ASSAY_SCORE_OPTIONS_INIT, .g = {.ctx = ctx}};
    uint64_t began = os_now_ns();
    *json = NULL;
    ASSAY_TRY(check(&s, options));
    ASSAY_TRY(open_features(&s));
    ASSAY_TRY(room_make(&s));
    ASSAY_TRY(score(&s));
    ASSAY_TRY(tell(&s, json, began));
done:
    atomic_abandon(&s.out);
    mem_free(ctx, s.weight);
    mem_free(ctx, s.psi);
    mem_free(ctx, s.phi);
    mem_free(ctx, s.tile);
    mem_free(ctx, s.item);
    mem_free(ctx, s.heap);
    given_free(&s.g);
    return status;
}

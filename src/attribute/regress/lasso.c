/* The LASSO by coordinate descent on covariances: rows' masks are brought to deviation 1,
 * then with q = c - C w a weight's best value is that of |q_j + w_j|, shrunk by lambda.
 */
#include "attribute/regress/regress.h"

#include "base/pool.h"
#include "simd/simd.h"

#include <math.h>
#include <string.h>

enum { PATH = 100, PATIENCE = 5, LEAST = 10, MOST_SWEEPS = 10000 };
static const double SPAN = 1e-3; /* of the path: the last lambda over the first */

/* Standardised covariances of one set of models. */
typedef struct scaled {
    assay_ctx *ctx;
    reg_moments m;
    float *gram;      /* [rows, rows], 1 on the diagonal; 0 where a mask never changes */
    float *scale;     /* [rows] 1 / deviation, or 0 */
    double *variance; /* [targets] of the outputs */
} scaled;

typedef struct walker {
    float *w, *best, *q; /* [rows] standardised weights; of the best lambda; c - C w */
    double *foretold;    /* [judging models] */
    uint32_t *active;
} walker;

typedef struct lasso {
    const reg_data *d;
    reg_data fit, judge;
    scaled first, all; /* of the fitted models, of all of them */
    float *turned;     /* [rows, judging models] masks about the fitted ones' means */
    double penalty;    /* given, or negative */
    float *w;          /* [targets, rows] */
    double *chosen;    /* [targets] */
    walker *walker;
} lasso;

static void scaled_free(scaled *s) {
    reg_moments_free(&s->m);
    mem_free(s->ctx, s->gram);
    mem_free(s->ctx, s->scale);
    mem_free(s->ctx, s->variance);
}

static assay_status scaled_make(scaled *s, assay_ctx *ctx, const reg_data *d) {
    assay_status status = ASSAY_OK;
    size_t n = d->rows;
    s->ctx = ctx;
    ASSAY_TRY(reg_moments_make(&s->m, ctx, d, true));
    ASSAY_TRY(mem_new(ctx, &s->gram, n * n, sizeof *s->gram));
    ASSAY_TRY(mem_new(ctx, &s->scale, n, sizeof *s->scale));
    ASSAY_TRY(mem_new(ctx, &s->variance, d->targets, sizeof *s->variance));
    for (size_t i = 0; i < n; i++) {
        double v = s->m.gram[i * n + i];
        s->scale[i] = v > 1e-12 ? (float)(1 / sqrt(v)) : 0;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            s->gram[i * n + j] =
                (float)(s->m.gram[i * n + j] * (double)s->scale[i] * (double)s->scale[j]);
    for (size_t t = 0; t < d->targets; t++)
        for (size_t i = 0; i < n; i++)
            s->m.cross[t * n + i] *= s->scale[i];
    for (size_t j = 0; j < d->models; j++)
        for (size_t t = 0; t < d->targets; t++) {
            double off = (double)d->y[j * d->targets + t] - s->m.y_mean[t];
            s->variance[t] += off * off / (double)d->models;
        }
done:
    return status;
}

/* One coordinate; returns the square of what it moved by. */
static double step(walker *k, const scaled *s, size_t rows, size_t j, double lambda) {
    if (s->scale[j] == 0)
        return 0;
    double z = (double)k->q[j] + (double)k->w[j];
    double to = z > lambda ? z - lambda : z < -lambda ? z + lambda : 0;
    float moved = (float)to - k->w[j];
    if (moved == 0)
        return 0;
    k->w[j] += moved;
    simd()->f32_axpy(k->q, -moved, s->gram + j * rows, rows);
    return (double)moved * (double)moved;
}

/* To the minimum for one lambda, from where it stands. */
static void
descend(walker *k, const scaled *s, size_t rows, double lambda, double small) {
    for (int sweep = 0; sweep < MOST_SWEEPS; sweep++) {
        double most = 0;
        size_t active = 0;
        for (size_t j = 0; j < rows; j++) {
            double moved = step(k, s, rows, j, lambda);
            most = moved > most ? moved : most;
            if (k->w[j] != 0)
                k->active[active++] = (uint32_t)j;
        }
        if (most < small)
            return;
        for (int inner = 0; inner < MOST_SWEEPS; inner++) {
            most = 0;
            for (size_t a = 0; a < active; a++) {
                double moved = step(k, s, rows, k->active[a], lambda);
                most = moved > most ? moved : most;
            }
            if (most < small)
                break;
        }
    }
}

static void start(walker *k, const scaled *s, size_t rows, size_t t) {
    memset(k->w, 0, rows * sizeof *k->w);
    memcpy(k->q, s->m.cross + t * rows, rows * sizeof *k->q);
}

static double judge(const lasso *l, walker *k, size_t t) {
    size_t n = l->judge.models, rows = l->d->rows;
    double error = 0;
    for (size_t i = 0; i < n; i++)
        k->foretold[i] = l->first.m.y_mean[t];
    for (size_t j = 0; j < rows; j++) {
        double w = (double)k->w[j] * (double)l->first.scale[j];
        const float *x = l->turned + j * n;
        for (size_t i = 0; w != 0 && i < n; i++)
            k->foretold[i] += w * (double)x[i];
    }
    for (size_t i = 0; i < n; i++) {
        double off = (double)l->judge.y[i * l->d->targets + t] - k->foretold[i];
        error += off * off / (double)n;
    }
    return error;
}

/* The lambda of a target's path that foretells the judging models best. */
static double walk(const lasso *l, walker *k, size_t t) {
    const scaled *s = &l->first;
    size_t rows = l->d->rows;
    double first = 0, least = INFINITY, best = 0, small = 1e-9 * s->variance[t];
    int since = 0;
    start(k, s, rows, t);
    for (size_t j = 0; j < rows; j++)
        first = fabs((double)k->q[j]) > first ? fabs((double)k->q[j]) : first;
    for (int i = 0; i < PATH && (i < LEAST || since < PATIENCE); i++) {
        double lambda = first * pow(SPAN, (double)i / (PATH - 1));
        descend(k, s, rows, lambda, small);
        double error = judge(l, k, t);
        since++;
        if (error < least) {
            least = error;
            best = lambda;
            since = 0;
            memcpy(k->best, k->w, rows * sizeof *k->w);
        }
    }
    return best;
}

static assay_status walker_make(walker *k, const lasso *l) {
    assay_status status = ASSAY_OK;
    assay_ctx *ctx = l->all.ctx;
    size_t rows = l->d->rows;
    ASSAY_TRY(mem_new(ctx, &k->w, rows, sizeof *k->w));
    ASSAY_TRY(mem_new(ctx, &k->best, rows, sizeof *k->best));
    ASSAY_TRY(mem_new(ctx, &k->q, rows, sizeof *k->q));
    ASSAY_TRY(mem_new(ctx, &k->foretold, l->judge.models + 1, sizeof *k->foretold));
    ASSAY_TRY(mem_new(ctx, &k->active, rows, sizeof *k->active));
done:
    return status;
}

/* A target's path, then its weights from all models, warm. */
static assay_status run_target(void *arg, int worker, size_t begin, size_t end) {
    const lasso *l = arg;
    assay_status status = ASSAY_OK;
    walker *k = &l->walker[worker];
    size_t rows = l->d->rows;
    if (!k->active)
        ASSAY_TRY(walker_make(k, l));
    for (size_t t = begin; t < end; t++) {
        const scaled *s = &l->all;
        double lambda = l->penalty < 0 ? walk(l, k, t) : l->penalty;
        start(k, s, rows, t);
        for (size_t j = 0; l->penalty < 0 && j < rows; j++)
            if (k->best[j] != 0 && s->scale[j] != 0) {
                k->w[j] = k->best[j];
                simd()->f32_axpy(k->q, -k->best[j], s->gram + j * rows, rows);
            }
        descend(k, s, rows, lambda, 1e-9 * s->variance[t]);
        for (size_t j = 0; j < rows; j++)
            l->w[t * rows + j] = k->w[j] * s->scale[j];
        l->chosen[t] = lambda;
        progress_add(s->ctx, 1);
    }
done:
    return status;
}

static assay_status turn_masks(lasso *l, assay_ctx *ctx) {
    size_t n = l->judge.models, rows = l->d->rows;
    assay_status status = mem_new(ctx, &l->turned, rows * n + 1, sizeof *l->turned);
    for (size_t i = 0; status == ASSAY_OK && i < n; i++)
        for (size_t j = 0; j < rows; j++)
            l->turned[j * n + i] =
                (float)(l->judge.holds[i * rows + j] - l->first.m.mean[j]);
    return status;
}

assay_status reg_lasso(float *w,
                       reg_moments *m,
                       reg_result *result,
                       assay_ctx *ctx,
                       const reg_data *d,
                       size_t fit,
                       double penalty) {
    assay_status status = ASSAY_OK;
    size_t workers = (size_t)assay_ctx_threads(ctx), nonzero = 0;
    lasso l = {.d = d,
               .fit = reg_part(d, 0, fit),
               .judge = reg_part(d, fit, d->models - fit),
               .penalty = penalty,
               .w = w};
    *m = (reg_moments){0};
    *result = (reg_result){0};
    if (penalty < 0) {
        ASSAY_TRY(scaled_make(&l.first, ctx, &l.fit));
        ASSAY_TRY(turn_masks(&l, ctx));
    }
    ASSAY_TRY(scaled_make(&l.all, ctx, d));
    ASSAY_TRY(mem_new(ctx, &l.chosen, d->targets, sizeof *l.chosen));
    ASSAY_TRY(mem_new(ctx, &l.walker, workers, sizeof *l.walker));
    progress_begin(ctx, "lasso", (int64_t)d->targets, "targets");
    ASSAY_TRY(assay_parallel_for(ctx, d->targets, 1, run_target, &l));
    progress_end(ctx);
    for (size_t i = 0; i < d->targets * d->rows; i++)
        nonzero += w[i] != 0;
    for (size_t t = 0; t < d->targets; t++)
        result->penalty += l.chosen[t] / (double)d->targets;
    result->nonzero = (double)nonzero / (double)d->targets;
    *m = l.all.m;
    l.all.m = (reg_moments){0};
done:
    for (size_t k = 0; l.walker && k < workers; k++) {
        mem_free(ctx, l.walker[k].w);
        mem_free(ctx, l.walker[k].best);
        mem_free(ctx, l.walker[k].q);
        mem_free(ctx, l.walker[k].foretold);
        mem_free(ctx, l.walker[k].active);
    }
    mem_free(ctx, l.walker);
    mem_free(ctx, l.chosen);
    mem_free(ctx, l.turned);
    scaled_free(&l.first);
    scaled_free(&l.all);
    return status;
}

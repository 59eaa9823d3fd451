/* Factors, eigenbases and corrected eigenvalues; scores by one product per target. */
#include "attribute/influence/ekfac_inside.h"

#include "attribute/algebra/linalg.h"
#include "attribute/algebra/matmul.h"
#include "base/pool.h"

#include <math.h>
#include <string.h>

assay_status
ekfac_basis(float **out, assay_ctx *ctx, double *gram, size_t n, double scale) {
    assay_status status = ASSAY_OK;
    double *value = NULL, *vector = NULL;
    ASSAY_TRY(mem_new(ctx, &value, n, sizeof *value));
    ASSAY_TRY(mem_new(ctx, &vector, n * n, sizeof *vector));
    ASSAY_TRY(mem_new(ctx, out, n * n, sizeof **out));
    for (size_t i = 0; i < n * n; i++) {
        if (!isfinite(gram[i]))
            ASSAY_FAIL(ASSAY_E_NUMERIC, "a layer's covariance is not finite");
        gram[i] /= scale;
    }
    ASSAY_TRY(la_eigen(ctx, (int64_t)n, gram, (int64_t)n, value, vector));
    for (size_t i = 0; i < n * n; i++)
        (*out)[i] = (float)vector[i];
done:
    mem_free(ctx, value);
    mem_free(ctx, vector);
    return status;
}

/* The same of x'x / scale. */
static assay_status
basis(float **out, assay_ctx *ctx, const float *x, size_t rows, size_t n, double scale) {
    assay_status status = ASSAY_OK;
    float *scratch = NULL;
    double *gram = NULL;
    ASSAY_TRY(mem_new(ctx, &scratch, n * n, sizeof *scratch));
    ASSAY_TRY(mem_new(ctx, &gram, n * n, sizeof *gram));
    la_gram((int64_t)rows, (int64_t)n, x, (int64_t)n, scratch, gram);
    ASSAY_TRY(ekfac_basis(out, ctx, gram, n, scale));
done:
    mem_free(ctx, scratch);
    mem_free(ctx, gram);
    return status;
}

/* x <- x U', rows of U being eigenvectors. */
static assay_status
turn(assay_ctx *ctx, float *x, const float *vector, size_t rows, size_t n) {
    assay_status status = ASSAY_OK;
    float *turned = NULL;
    ASSAY_TRY(mem_new(ctx, &turned, rows * n, sizeof *turned));
    ASSAY_TRY(mat_mul_nt(ctx, turned, x, vector, rows, n, n));
    memcpy(x, turned, rows * n * sizeof *x);
done:
    mem_free(ctx, turned);
    return status;
}

assay_status ekfac_turn(att_layers *x, const ekfac *e) {
    assay_status status = ASSAY_OK;
    for (int l = 0; l < e->count; l++) {
        att_layer *w = &x->layer[l];
        ASSAY_TRY(turn(e->ctx, w->a, e->layer[l].in_vector, x->rows, w->in));
        ASSAY_TRY(
            turn(e->ctx, w->d, e->layer[l].out_vector, x->passes * x->rows, w->out));
    }
done:
    return status;
}

/* L, from turned factors. Spoils them. */
static assay_status eigenvalues(ekfac *e, att_layers *x) {
    assay_status status = ASSAY_OK;
    double sum = 0, count = 0;
    for (int l = 0; l < e->count; l++) {
        const att_layer *w = &x->layer[l];
        ekfac_layer *layer = &e->layer[l];
        size_t each = x->rows * w->out;
        for (size_t i = 0; i < x->rows * w->in; i++)
            w->a[i] *= w->a[i] / (float)x->rows;
        for (size_t i = 0; i < each; i++) {
            float squares = 0;
            for (size_t pass = 0; pass < x->passes; pass++)
                squares += w->d[pass * each + i] * w->d[pass * each + i];
            w->d[i] = squares;
        }
        ASSAY_TRY(mem_new(e->ctx, &layer->value, w->in * w->out, sizeof(float)));
        const gemm_job job = {.m = w->in,
                              .n = w->out,
                              .k = x->rows,
                              .a = w->a,
                              .a_row = 1,
                              .a_col = w->in,
                              .b = w->d,
                              .b_row = w->out,
                              .b_col = 1,
                              .c = layer->value,
                              .ldc = w->out};
        ASSAY_TRY(mat_run(e->ctx, &job));
        for (size_t i = 0; i < w->in * w->out; i++)
            sum += (double)layer->value[i];
        count += (double)(w->in * w->out);
    }
    for (size_t i = 0; i < x->wide_floats; i++)
        sum += (double)e->wide_value[i];
    count += (double)x->wide_floats;
    e->mean = sum / count;
done:
    return status;
}

assay_status ekfac_make(ekfac *out, const att_member *m) {
    assay_status status = ASSAY_OK;
    const att_study *s = m->study;
    att_layers x = {0};
    *out = (ekfac){.ctx = s->ctx};
    ASSAY_TRY(la_self_check());
    ASSAY_TRY(att_capture(&x, m, s->rows, s->n_rows, ATT_GAUSSNEWTON));
    for (int l = 0; l < x.count; l++) {
        const att_layer *w = &x.layer[l];
        ekfac_layer *layer = &out->layer[l];
        *layer = (ekfac_layer){.in = w->in, .out = w->out};
        out->count = l + 1;
        ASSAY_TRY(ctx_check(s->ctx));
        ASSAY_TRY(basis(&layer->in_vector, s->ctx, w->a, x.rows, w->in, (double)x.rows));
        ASSAY_TRY(basis(&layer->out_vector, s->ctx, w->d, x.passes * x.rows, w->out,
                        (double)x.rows));
    }
    ASSAY_TRY(ekfac_wide_make(out, &x));
    ASSAY_TRY(ekfac_turn(&x, out));
    ASSAY_TRY(eigenvalues(out, &x));
done:
    att_layers_free(&x);
    if (status != ASSAY_OK)
        ekfac_free(out);
    return status;
}

void ekfac_free(ekfac *e) {
    for (int l = 0; l < e->count; l++) {
        mem_free(e->ctx, e->layer[l].in_vector);
        mem_free(e->ctx, e->layer[l].out_vector);
        mem_free(e->ctx, e->layer[l].value);
    }
    for (int l = 0; l < e->wides; l++) {
        mem_free(e->ctx, e->wide[l].row_vector);
        mem_free(e->ctx, e->wide[l].column_vector);
    }
    if (e->ctx)
        mem_free(e->ctx, e->wide_value);
    *e = (ekfac){0};
}

/* ---- scores ---- */

typedef struct score_worker {
    float *weight;  /* [widest in * out]: the target's gradient over L + delta */
    float *product; /* [rows, widest out] */
    float *scratch;
} score_worker;

typedef struct score_job {
    const ekfac *e;
    const att_layers *x;
    size_t rows, targets;
    float delta;
    float *scores;
    score_worker *worker;
} score_job;

static assay_status worker_make(const score_job *job, score_worker *w) {
    assay_status status = ASSAY_OK;
    size_t weight = 0, out = 0, scratch = 0;
    for (int l = 0; l < job->e->count; l++) {
        const ekfac_layer *layer = &job->e->layer[l];
        size_t need = gemm_scratch(job->rows, layer->out, layer->in);
        weight = layer->in * layer->out > weight ? layer->in * layer->out : weight;
        out = layer->out > out ? layer->out : out;
        scratch = need > scratch ? need : scratch;
    }
    ASSAY_TRY(mem_new(job->e->ctx, &w->weight, weight, sizeof(float)));
    ASSAY_TRY(mem_new(job->e->ctx, &w->product, job->rows * out, sizeof(float)));
    ASSAY_TRY(mem_new(job->e->ctx, &w->scratch, scratch, sizeof(float)));
done:
    return status;
}

/* One layer's part of a target's column: a_i' [ (a_t d_t') / (L + delta) ] d_i. */
static void
score_layer(const score_job *job, const score_worker *w, int l, size_t target) {
    const ekfac_layer *layer = &job->e->layer[l];
    const att_layer *x = &job->x->layer[l];
    size_t in = layer->in, out = layer->out;
    const float *a = x->a + (job->rows + target) * in;
    const float *d = x->d + (job->rows + target) * out;
    for (size_t i = 0; i < in; i++)
        for (size_t j = 0; j < out; j++)
            w->weight[i * out + j] =
                a[i] * d[j] / (layer->value[i * out + j] + job->delta);
    const gemm_job product = {.m = job->rows,
                              .n = out,
                              .k = in,
                              .a = x->a,
                              .a_row = in,
                              .a_col = 1,
                              .b = w->weight,
                              .b_row = out,
                              .b_col = 1,
                              .c = w->product,
                              .ldc = out};
    gemm_run(&product, w->scratch);
    for (size_t i = 0; i < job->rows; i++) {
        double sum = 0;
        for (size_t j = 0; j < out; j++)
            sum += (double)(w->product[i * out + j] * x->d[i * out + j]);
        job->scores[i * job->targets + target] += job->x->q[i] * (float)sum;
    }
}

static assay_status score_targets(void *arg, int worker, size_t begin, size_t end) {
    const score_job *job = arg;
    assay_status status = ASSAY_OK;
    score_worker *w = &job->worker[worker];
    if (!w->scratch)
        ASSAY_TRY(worker_make(job, w));
    for (size_t t = begin; t < end; t++)
        for (int l = 0; l < job->e->count; l++)
            score_layer(job, w, l, t);
done:
    return status;
}

static assay_status positive(const ekfac *e, float delta) {
    if (delta > 0)
        return ASSAY_OK;
    assay_status status =
        err_set(ASSAY_E_NUMERIC, "the Gauss-Newton matrix plus damping is singular");
    if (e->mean > 0)
        err_help("give a damping above 0");
    return status;
}

assay_status ekfac_scores(float *scores,
                          const ekfac *e,
                          const att_layers *x,
                          size_t rows,
                          size_t targets,
                          double damping) {
    assay_status status = ASSAY_OK;
    size_t workers = (size_t)assay_ctx_threads(e->ctx);
    score_job job = {.e = e,
                     .x = x,
                     .rows = rows,
                     .targets = targets,
                     .delta = (float)(damping * e->mean),
                     .scores = scores};
    ASSAY_TRY(positive(e, job.delta));
    ASSAY_TRY(mem_new(e->ctx, &job.worker, workers, sizeof *job.worker));
    ASSAY_TRY(assay_parallel_for(e->ctx, targets, 1, score_targets, &job));
    ASSAY_TRY(ekfac_wide_scores(scores, e, x, rows, targets, job.delta));
done:
    for (size_t w = 0; job.worker && w < workers; w++) {
        mem_free(e->ctx, job.worker[w].weight);
        mem_free(e->ctx, job.worker[w].product);
        mem_free(e->ctx, job.worker[w].scratch);
    }
    mem_free(e->ctx, job.worker);
    return status;
}

/* ---- of rows for themselves ---- */

/* One thin layer's part: (a_i^2)' [1 / (L + delta)] d_i^2. */
static assay_status self_layer(
    float *out, const ekfac *e, const att_layers *x, int l, size_t rows, float delta) {
    assay_status status = ASSAY_OK;
    const ekfac_layer *layer = &e->layer[l];
    const att_layer *w = &x->layer[l];
    size_t in = layer->in, outs = layer->out;
    float *a = NULL, *weight = NULL, *product = NULL;
    ASSAY_TRY(mem_new(e->ctx, &a, rows * in, sizeof *a));
    ASSAY_TRY(mem_new(e->ctx, &weight, in * outs, sizeof *weight));
    ASSAY_TRY(mem_new(e->ctx, &product, rows * outs, sizeof *product));
    for (size_t i = 0; i < rows * in; i++)
        a[i] = w->a[i] * w->a[i];
    for (size_t i = 0; i < in * outs; i++)
        weight[i] = 1 / (layer->value[i] + delta);
    ASSAY_TRY(mat_mul(e->ctx, product, a, weight, rows, outs, in));
    for (size_t i = 0; i < rows; i++) {
        const float *d = w->d + i * outs;
        double sum = 0;
        for (size_t j = 0; j < outs; j++)
            sum += (double)(product[i * outs + j] * d[j] * d[j]);
        out[i] += x->q[i] * (float)sum;
    }
done:
    mem_free(e->ctx, a);
    mem_free(e->ctx, weight);
    mem_free(e->ctx, product);
    return status;
}

assay_status
ekfac_self(float *out, const ekfac *e, const att_layers *x, size_t rows, double damping) {
    assay_status status = ASSAY_OK;
    float delta = (float)(damping * e->mean);
    ASSAY_TRY(positive(e, delta));
    for (int l = 0; l < e->count; l++)
        ASSAY_TRY(self_layer(out, e, x, l, rows, delta));
    ASSAY_TRY(ekfac_wide_self(out, e, x, rows, delta));
done:
    return status;
}

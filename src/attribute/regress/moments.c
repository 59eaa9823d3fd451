/* Means and covariances of masks and outputs, in blocks of models: products in f32, of
 * zeros and ones exact, added up in f64. */
#include "attribute/regress/regress.h"

#include "attribute/algebra/matmul.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 1024 /* models */ };

static assay_status means(reg_moments *m, const reg_data *d) {
    double each = 1 / (double)d->models;
    for (size_t j = 0; j < d->models; j++) {
        for (size_t i = 0; i < d->rows; i++)
            m->mean[i] += d->holds[j * d->rows + i];
        for (size_t t = 0; t < d->targets; t++) {
            double y = (double)d->y[j * d->targets + t];
            if (!isfinite(y)) {
                (void)err_set(ASSAY_E_NUMERIC, "what model %zu says is not finite", j);
                err_help("train with a smaller rate");
                return ASSAY_E_NUMERIC;
            }
            m->y_mean[t] += y * each;
        }
    }
    for (size_t i = 0; i < d->rows; i++)
        m->mean[i] *= each;
    return ASSAY_OK;
}

/* [n, rows] masks as numbers. */
static void spread(float *x, const reg_data *d, size_t first, size_t n) {
    const uint8_t *holds = d->holds + first * d->rows;
    for (size_t i = 0; i < n * d->rows; i++)
        x[i] = holds[i];
}

static assay_status cross_make(reg_moments *m, const reg_data *d, float *x, float *y) {
    assay_status status = ASSAY_OK;
    for (size_t first = 0; first < d->models; first += BLOCK) {
        size_t n = d->models - first < BLOCK ? d->models - first : BLOCK;
        spread(x, d, first, n);
        for (size_t j = 0; j < n; j++)
            for (size_t t = 0; t < d->targets; t++)
                y[j * d->targets + t] =
                    (float)((double)d->y[(first + j) * d->targets + t] - m->y_mean[t]);
        gemm_job job = gemm_turned_times(m->cross, y, x, d->targets, d->rows, n);
        job.add = first > 0;
        ASSAY_TRY(mat_run(m->ctx, &job));
    }
    /* outputs are centred, so the masks' means fall out */
    for (size_t i = 0; i < d->targets * d->rows; i++)
        m->cross[i] /= (float)d->models;
done:
    return status;
}

static assay_status gram_make(reg_moments *m, const reg_data *d, float *x) {
    assay_status status = ASSAY_OK;
    size_t n = d->rows;
    float *part = NULL;
    ASSAY_TRY(mem_new(m->ctx, &m->gram, n * n, sizeof *m->gram));
    ASSAY_TRY(mem_new(m->ctx, &part, n * n, sizeof *part));
    for (size_t first = 0; first < d->models; first += BLOCK) {
        size_t models = d->models - first < BLOCK ? d->models - first : BLOCK;
        ASSAY_TRY(ctx_check(m->ctx));
        spread(x, d, first, models);
        gemm_job job = gemm_turned_times(part, x, x, n, n, models);
        ASSAY_TRY(mat_run(m->ctx, &job));
        for (size_t i = 0; i < n * n; i++)
            m->gram[i] += (double)part[i];
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            m->gram[i * n + j] =
                m->gram[i * n + j] / (double)d->models - m->mean[i] * m->mean[j];
done:
    mem_free(m->ctx, part);
    return status;
}

assay_status
reg_moments_make(reg_moments *out, assay_ctx *ctx, const reg_data *d, bool gram) {
    assay_status status = ASSAY_OK;
    float *x = NULL, *y = NULL;
    *out = (reg_moments){.ctx = ctx};
    ASSAY_TRY(mem_new(ctx, &out->mean, d->rows, sizeof *out->mean));
    ASSAY_TRY(mem_new(ctx, &out->y_mean, d->targets, sizeof *out->y_mean));
    ASSAY_TRY(mem_new(ctx, &out->cross, d->targets * d->rows, sizeof *out->cross));
    ASSAY_TRY(mem_new(ctx, &x, BLOCK * d->rows, sizeof *x));
    ASSAY_TRY(mem_new(ctx, &y, BLOCK * d->targets, sizeof *y));
    ASSAY_TRY(means(out, d));
    ASSAY_TRY(cross_make(out, d, x, y));
    if (gram)
        ASSAY_TRY(gram_make(out, d, x));
done:
    mem_free(ctx, x);
    mem_free(ctx, y);
    if (status != ASSAY_OK)
        reg_moments_free(out);
    return status;
}

void reg_moments_free(reg_moments *m) {
    if (!m->ctx)
        return;
    mem_free(m->ctx, m->mean);
    mem_free(m->ctx, m->y_mean);
    mem_free(m->ctx, m->cross);
    mem_free(m->ctx, m->gram);
    *m = (reg_moments){0};
}

assay_status reg_predict(
    float *out, assay_ctx *ctx, const reg_data *d, const reg_moments *m, const float *w) {
    assay_status status = ASSAY_OK;
    float *x = NULL;
    ASSAY_TRY(mem_new(ctx, &x, BLOCK * d->rows, sizeof *x));
    for (size_t first = 0; first < d->models; first += BLOCK) {
        size_t n = d->models - first < BLOCK ? d->models - first : BLOCK;
        float *to = out + first * d->targets;
        for (size_t j = 0; j < n; j++)
            for (size_t i = 0; i < d->rows; i++)
                x[j * d->rows + i] =
                    (float)(d->holds[(first + j) * d->rows + i] - m->mean[i]);
        ASSAY_TRY(mat_mul_nt(ctx, to, x, w, n, d->targets, d->rows));
        for (size_t j = 0; j < n; j++)
            for (size_t t = 0; t < d->targets; t++)
                to[j * d->targets + t] += (float)m->y_mean[t];
    }
done:
    mem_free(ctx, x);
    return status;
}

assay_status reg_error(double *out,
                       assay_ctx *ctx,
                       const reg_data *d,
                       const reg_moments *m,
                       const float *w) {
    assay_status status = ASSAY_OK;
    size_t cells = d->models * d->targets;
    float *p = NULL;
    *out = 0;
    ASSAY_TRY(mem_new(ctx, &p, cells, sizeof *p));
    ASSAY_TRY(reg_predict(p, ctx, d, m, w));
    for (size_t i = 0; i < cells; i++) {
        double off = (double)p[i] - (double)d->y[i];
        *out += off * off / (double)cells;
    }
done:
    mem_free(ctx, p);
    return status;
}

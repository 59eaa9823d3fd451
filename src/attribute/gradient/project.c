/* Batches of examples through capture and a projector, into memory. */
#include "attribute/gradient/project.h"

#include "base/pool.h"
#include "simd/simd.h"

#include <math.h>
#include <string.h>

/* The map, planned from the factors of one example. */
static assay_status projection_make(att_project *p, const att_settings *o) {
    assay_status status = ASSAY_OK;
    const att_study *s = p->source.member.study;
    nn_factor *factor = NULL;
    ASSAY_TRY(att_source_run(&p->source, 0, s->rows, 1, 0, NULL));
    p->count = att_source_factors(&p->source, 0);
    ASSAY_TRY(mem_new(s->ctx, &factor, (size_t)p->count, sizeof *factor));
    for (int i = 0; i < p->count; i++)
        factor[i] = att_source_factor(&p->source, 0, i);
    ASSAY_TRY(att_projection_create(
        &p->projection, s->ctx, o->projector, o->dim, p->source.member.seed,
        nn_graph_param_floats(s->model->graph), factor, p->count));
done:
    mem_free(s->ctx, factor);
    return status;
}

assay_status
att_project_open(att_project *out, const att_member *m, const att_settings *o) {
    assay_status status = ASSAY_OK;
    *out = (att_project){0};
    ASSAY_TRY(att_source_open(&out->source, m, ATT_MARGIN, o->precision, ATT_LANES));
    ASSAY_TRY(projection_make(out, o));
    ASSAY_TRY(
        mem_new(m->study->ctx, &out->worker, out->source.workers, sizeof *out->worker));
done:
    if (status != ASSAY_OK)
        att_project_close(out);
    return status;
}

void att_project_close(att_project *p) {
    assay_ctx *ctx = p->source.ctx;
    for (size_t w = 0; p->worker && w < p->source.workers; w++) {
        mem_free(ctx, p->worker[w].factor);
        mem_free(ctx, p->worker[w].scratch);
    }
    if (ctx)
        mem_free(ctx, p->worker);
    att_projection_free(&p->projection);
    att_source_close(&p->source);
    *p = (att_project){0};
}

assay_status att_project_rows(
    att_project *p, int worker, const uint32_t *rows, size_t n, float *phi, float *q) {
    assay_status status = ASSAY_OK;
    assay_ctx *ctx = p->source.ctx;
    att_project_worker *w = &p->worker[worker];
    size_t dim = (size_t)p->projection.dim;
    if (!w->factor)
        ASSAY_TRY(mem_new(ctx, &w->factor, (size_t)p->count, sizeof *w->factor));
    if (!w->scratch)
        ASSAY_TRY(mem_new(ctx, &w->scratch, p->projection.scratch, sizeof *w->scratch));
    ASSAY_TRY(att_source_run(&p->source, worker, rows, n, 0, q));
    for (int i = 0; i < p->count; i++)
        w->factor[i] = att_source_factor(&p->source, worker, i);
    p->projection.projector->run(phi, &p->projection, w->factor, p->count, (int)n,
                                 w->scratch);
    for (size_t i = 0; i < n; i++, phi += dim)
        if (!isfinite(simd()->f32_dot64(phi, phi, dim))) {
            (void)err_set(ASSAY_E_NUMERIC, "the gradient of a row is not finite");
            err_where("row %u", rows[i]);
            err_help("the model's training diverged: train with a smaller rate");
            return ASSAY_E_NUMERIC;
        }
done:
    return status;
}

typedef struct study_job {
    att_project project;
    const uint32_t *rows;
    att_features *out;
} study_job;

static assay_status run_rows(void *arg, int worker, size_t begin, size_t end) {
    study_job *job = arg;
    return att_project_rows(&job->project, worker, job->rows + begin, end - begin,
                            job->out->phi + begin * (size_t)job->out->dim,
                            job->out->q + begin);
}

assay_status
att_project_study(att_features *out, const att_member *m, const att_settings *o) {
    assay_status status = ASSAY_OK;
    const att_study *s = m->study;
    size_t n = s->n_rows + s->n_targets;
    uint32_t *rows = NULL;
    study_job job = {.out = out};
    *out = (att_features){.ctx = s->ctx, .rows = n};
    ASSAY_TRY(mem_new(s->ctx, &rows, n, sizeof *rows));
    memcpy(rows, s->rows, s->n_rows * sizeof *rows);
    memcpy(rows + s->n_rows, s->targets, s->n_targets * sizeof *rows);
    job.rows = rows;
    ASSAY_TRY(att_project_open(&job.project, m, o));
    out->dim = job.project.projection.dim;
    out->floats = nn_graph_param_floats(s->model->graph);
    ASSAY_TRY(mem_new(s->ctx, &out->phi, n * (size_t)out->dim, sizeof *out->phi));
    ASSAY_TRY(mem_new(s->ctx, &out->q, n, sizeof *out->q));
    ASSAY_TRY(assay_parallel_for(s->ctx, n, ATT_LANES, run_rows, &job));
done:
    att_project_close(&job.project);
    mem_free(s->ctx, rows);
    if (status != ASSAY_OK)
        att_features_free(out);
    return status;
}

void att_features_free(att_features *x) {
    if (!x->ctx)
        return;
    mem_free(x->ctx, x->phi);
    mem_free(x->ctx, x->q);
    *x = (att_features){0};
}

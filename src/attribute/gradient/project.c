/* Batches of examples through capture and a projector. */
#include "attribute/gradient/project.h"

#include "base/pool.h"
#include "simd/simd.h"

#include <math.h>
#include <string.h>

typedef struct project_worker {
    nn_exec *exec;
    nn_factor *factor; /* [count] */
    float *scratch;
} project_worker;

typedef struct project_job {
    const att_member *m;
    const uint32_t *rows;
    assay_dtype precision;
    nn_weights weights; /* not changed */
    att_projection projection;
    att_features *out;
    int count; /* factors */
    float ones[ATT_LANES];
    project_worker *worker;
} project_job;

static assay_status
batch(const project_job *job, project_worker *w, size_t first, size_t n) {
    assay_status status = ASSAY_OK;
    att_feed(job->m->study, w->exec, job->rows + first, n);
    ASSAY_TRY(nn_exec_forward(w->exec, (int)n));
    const float *margin = nn_exec_value(w->exec, job->m->study->model->margin);
    for (size_t i = 0; job->out->q && i < n; i++)
        job->out->q[first + i] = (float)(1 / (1 + exp((double)margin[i])));
    ASSAY_TRY(nn_exec_backward(w->exec, job->ones));
    for (int i = 0; w->factor && i < job->count; i++)
        w->factor[i] = nn_exec_factor(w->exec, i);
done:
    return status;
}

static assay_status exec_make(const project_job *job, project_worker *w) {
    const zoo_model *z = job->m->study->model;
    const nn_exec_options o = {.mode = NN_CAPTURE,
                               .batch = ATT_LANES,
                               .target = z->margin,
                               .dtype = job->precision,
                               .shards = 1};
    return nn_exec_create(&w->exec, job->m->study->ctx, z->graph,
                          (nn_weights *)&job->weights, &o);
}

static assay_status worker_make(const project_job *job, project_worker *w) {
    assay_status status = ASSAY_OK;
    assay_ctx *ctx = job->m->study->ctx;
    ASSAY_TRY(exec_make(job, w));
    ASSAY_TRY(mem_new(ctx, &w->factor, (size_t)job->count, sizeof *w->factor));
    ASSAY_TRY(mem_new(ctx, &w->scratch, job->projection.scratch, sizeof *w->scratch));
done:
    return status;
}

static assay_status run_rows(void *arg, int worker, size_t begin, size_t end) {
    const project_job *job = arg;
    assay_status status = ASSAY_OK;
    project_worker *w = &job->worker[worker];
    size_t dim = (size_t)job->projection.dim;
    if (!w->scratch)
        ASSAY_TRY(worker_make(job, w));
    float *phi = job->out->phi + begin * dim;
    ASSAY_TRY(batch(job, w, begin, end - begin));
    job->projection.projector->run(phi, &job->projection, w->factor, job->count,
                                   (int)(end - begin), w->scratch);
    for (size_t i = begin; i < end; i++, phi += dim)
        if (!isfinite(simd()->f32_dot64(phi, phi, dim))) {
            (void)err_set(ASSAY_E_NUMERIC, "the gradient of a row is not finite");
            err_where("row %u", job->rows[i]);
            err_help("the model's training diverged: train with a smaller rate");
            return ASSAY_E_NUMERIC;
        }
done:
    return status;
}

/* The map, planned from the factors of one example. */
static assay_status projection_make(project_job *job, const char *name, int dim) {
    assay_status status = ASSAY_OK;
    const att_study *s = job->m->study;
    project_worker w = {0};
    ASSAY_TRY(exec_make(job, &w));
    ASSAY_TRY(batch(job, &w, 0, 1));
    job->count = nn_exec_factor_count(w.exec);
    ASSAY_TRY(mem_new(s->ctx, &w.factor, (size_t)job->count, sizeof *w.factor));
    for (int i = 0; i < job->count; i++)
        w.factor[i] = nn_exec_factor(w.exec, i);
    ASSAY_TRY(att_projection_create(&job->projection, s->ctx, name, dim, job->m->seed,
                                    nn_graph_param_floats(s->model->graph), w.factor,
                                    job->count));
done:
    nn_exec_destroy(w.exec);
    mem_free(s->ctx, w.factor);
    return status;
}

assay_status
att_project_study(att_features *out, const att_member *m, const att_settings *o) {
    assay_status status = ASSAY_OK;
    const att_study *s = m->study;
    size_t workers = (size_t)assay_ctx_threads(s->ctx), n = s->n_rows + s->n_targets;
    uint32_t *rows = NULL;
    project_job job = {.m = m,
                       .precision = o->precision,
                       .weights = {m->params, m->buffers},
                       .out = out};
    *out = (att_features){.ctx = s->ctx, .rows = n};
    if (nn_graph_buffer_floats(s->model->graph) && !m->buffers)
        ASSAY_FAIL(ASSAY_E_INVALID, "the model %s has running statistics, and none came",
                   s->model->name);
    ASSAY_TRY(mem_new(s->ctx, &rows, n, sizeof *rows));
    memcpy(rows, s->rows, s->n_rows * sizeof *rows);
    memcpy(rows + s->n_rows, s->targets, s->n_targets * sizeof *rows);
    job.rows = rows;
    for (int i = 0; i < ATT_LANES; i++)
        job.ones[i] = 1;
    ASSAY_TRY(projection_make(&job, o->projector, o->dim));
    out->dim = job.projection.dim;
    out->floats = nn_graph_param_floats(s->model->graph);
    ASSAY_TRY(mem_new(s->ctx, &out->phi, n * (size_t)out->dim, sizeof *out->phi));
    ASSAY_TRY(mem_new(s->ctx, &out->q, n, sizeof *out->q));
    ASSAY_TRY(mem_new(s->ctx, &job.worker, workers, sizeof *job.worker));
    ASSAY_TRY(assay_parallel_for(s->ctx, n, ATT_LANES, run_rows, &job));
done:
    for (size_t w = 0; job.worker && w < workers; w++) {
        nn_exec_destroy(job.worker[w].exec);
        mem_free(s->ctx, job.worker[w].factor);
        mem_free(s->ctx, job.worker[w].scratch);
    }
    mem_free(s->ctx, job.worker);
    mem_free(s->ctx, rows);
    att_projection_free(&job.projection);
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

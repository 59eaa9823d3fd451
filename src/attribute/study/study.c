/* Fleets of models on subsets, and their margins: the truth that attribution is measured
 * against. */
#include "attribute/study/study.h"

#include "attribute/study/examples.h"
#include "base/pool.h"
#include "base/rng.h"

#include <string.h>

enum { EVAL_BATCH = 100 };

void att_feed(const att_study *s, nn_exec *exec, const uint32_t *rows, size_t n) {
    att_examples(nn_exec_input(exec, s->model->images),
                 nn_exec_input(exec, s->model->labels), s->data, rows, n);
}

/* ---- training many ---- */

typedef struct fleet_worker {
    att_trainer *trainer;
    nn_weights weights; /* of the executor that looks at margins */
    nn_exec *eval;
} fleet_worker;

typedef struct fleet {
    const att_study *s;
    const att_run *runs;
    float *out;
    float *const *params, *const *buffers;
    fleet_worker *worker;
} fleet;

static assay_status worker_make(const att_study *s, fleet_worker *w) {
    assay_status status = ASSAY_OK;
    const nn_exec_options o = {.mode = NN_EVAL,
                               .batch = EVAL_BATCH,
                               .target = s->model->margin,
                               .dtype = ASSAY_F32,
                               .shards = 1};
    ASSAY_TRY(att_trainer_create(&w->trainer, s->ctx, s->data, s->model, &s->recipe));
    ASSAY_TRY(nn_weights_create(&w->weights, s->ctx, s->model->graph, 0));
    ASSAY_TRY(nn_exec_create(&w->eval, s->ctx, s->model->graph, &w->weights, &o));
done:
    return status;
}

static assay_status margins(const fleet *f, fleet_worker *w, float *out) {
    assay_status status = ASSAY_OK;
    const att_study *s = f->s;
    for (size_t first = 0; first < s->n_targets; first += EVAL_BATCH) {
        size_t n = s->n_targets - first < EVAL_BATCH ? s->n_targets - first : EVAL_BATCH;
        att_feed(s, w->eval, s->targets + first, n);
        ASSAY_TRY(nn_exec_forward(w->eval, (int)n));
        memcpy(out + first, nn_exec_value(w->eval, s->model->margin), n * sizeof *out);
    }
done:
    return status;
}

static assay_status run_fleet(void *arg, int worker, size_t begin, size_t end) {
    const fleet *f = arg;
    assay_status status = ASSAY_OK;
    fleet_worker *w = &f->worker[worker];
    size_t floats = nn_graph_param_floats(f->s->model->graph);
    if (!w->eval)
        ASSAY_TRY(worker_make(f->s, w));
    for (size_t i = begin; i < end; i++) {
        const att_run *run = &f->runs[i];
        ASSAY_TRY(att_trainer_start(w->trainer, run));
        ASSAY_TRY_AT(att_trainer_steps(w->trainer, run, 0, run->steps), "model %zu", i);
        att_trainer_store(w->trainer, w->weights.params, NULL);
        att_trainer_buffers(w->trainer, w->weights.buffers);
        ASSAY_TRY(margins(f, w, f->out + i * f->s->n_targets));
        if (f->params)
            memcpy(f->params[i], w->weights.params, floats * sizeof(float));
        if (f->buffers)
            att_trainer_buffers(w->trainer, f->buffers[i]);
        progress_add(f->s->ctx, 1);
    }
done:
    return status;
}

assay_status att_train_models(float *out,
                              float *const *params,
                              float *const *buffers,
                              const att_study *s,
                              const att_run *runs,
                              size_t n) {
    assay_status status = ASSAY_OK;
    size_t workers = (size_t)assay_ctx_threads(s->ctx);
    fleet f = {.s = s, .runs = runs, .out = out, .params = params, .buffers = buffers};
    if (params && !buffers && nn_graph_buffer_floats(s->model->graph)) {
        status = err_set(ASSAY_E_UNSUPPORTED, "the model %s has running statistics",
                         s->model->name);
        err_help("here models without batch norm are trained");
        return status;
    }
    ASSAY_TRY(mem_new(s->ctx, &f.worker, workers, sizeof *f.worker));
    ASSAY_TRY(assay_parallel_for(s->ctx, n, 1, run_fleet, &f));
done:
    for (size_t w = 0; f.worker && w < workers; w++) {
        nn_exec_destroy(f.worker[w].eval);
        nn_weights_destroy(&f.worker[w].weights, s->ctx);
        att_trainer_destroy(f.worker[w].trainer);
    }
    mem_free(s->ctx, f.worker);
    return status;
}

assay_status att_train_margins(
    float *out, float *const *params, const att_study *s, const att_run *runs, size_t n) {
    return att_train_models(out, params, NULL, s, runs, n);
}

/* ---- subsets ---- */

assay_status att_subsets_draw(att_subsets *out,
                              const att_study *s,
                              size_t count,
                              double share,
                              uint32_t stream,
                              uint64_t seed) {
    assay_status status = ASSAY_OK;
    size_t size = (size_t)(share * (double)s->n_rows);
    *out =
        (att_subsets){.ctx = s->ctx, .count = count, .size = size, .n_rows = s->n_rows};
    if (size < (size_t)s->recipe.batch || size >= s->n_rows)
        ASSAY_FAIL(ASSAY_E_INVALID, "subsets of %zu of %zu rows, in batches of %d", size,
                   s->n_rows, s->recipe.batch);
    ASSAY_TRY(mem_new(s->ctx, &out->row, count * size, sizeof *out->row));
    ASSAY_TRY(mem_new(s->ctx, &out->holds, count * s->n_rows, 1));
    for (size_t j = 0; j < count; j++) {
        ASSAY_TRY(ctx_check(s->ctx)); /* millions of them take a while */
        rng_perm order = rng_perm_make(s->n_rows, seed, stream, (uint32_t)j);
        uint8_t *holds = out->holds + j * s->n_rows;
        uint32_t *row = out->row + j * size;
        for (size_t i = 0; i < size; i++)
            holds[rng_perm_at(&order, i)] = 1;
        for (size_t i = 0; i < s->n_rows; i++)
            if (holds[i])
                *row++ = s->rows[i];
    }
done:
    if (status != ASSAY_OK)
        att_subsets_free(out);
    return status;
}

void att_subsets_free(att_subsets *x) {
    if (!x->ctx)
        return;
    mem_free(x->ctx, x->row);
    mem_free(x->ctx, x->holds);
    *x = (att_subsets){0};
}

typedef struct predict_job {
    const att_subsets *x;
    const float *scores;
    size_t targets;
    float *out;
} predict_job;

static assay_status run_predict(void *arg, int worker, size_t begin, size_t end) {
    const predict_job *job = arg;
    size_t n = job->x->n_rows;
    double *sum = NULL;
    (void)worker;
    assay_status status = mem_new(job->x->ctx, &sum, job->targets, sizeof *sum);
    for (size_t j = begin; status == ASSAY_OK && j < end; j++) {
        memset(sum, 0, job->targets * sizeof *sum);
        for (size_t i = 0; i < n; i++)
            for (size_t t = 0; job->x->holds[j * n + i] && t < job->targets; t++)
                sum[t] += (double)job->scores[i * job->targets + t];
        for (size_t t = 0; t < job->targets; t++)
            job->out[j * job->targets + t] = (float)sum[t];
    }
    mem_free(job->x->ctx, sum);
    return status;
}

assay_status att_subsets_predict(float *out,
                                 const att_subsets *x,
                                 const float *scores,
                                 size_t targets) {
    predict_job job = {x, scores, targets, out};
    return assay_parallel_for(x->ctx, x->count, 4, run_predict, &job);
}

assay_status att_subsets_truth(float *out,
                               const att_study *s,
                               const att_subsets *x,
                               size_t seeds,
                               uint64_t first_seed) {
    assay_status status = ASSAY_OK;
    att_run *runs = NULL;
    size_t n = seeds * x->count;
    ASSAY_TRY(mem_new(s->ctx, &runs, n, sizeof *runs));
    for (size_t i = 0; i < n; i++)
        runs[i] = (att_run){.recipe = &s->recipe,
                            .rows = x->row + i % x->count * x->size,
                            .n_rows = x->size,
                            .steps = att_steps(&s->recipe, x->size),
                            .seed = first_seed + i};
    ASSAY_TRY(att_train_margins(out, NULL, s, runs, n));
done:
    mem_free(s->ctx, runs);
    return status;
}

/* Replay for any graph whose ops have tangents: the forward pass of the tangent graph
 * (nn/tangent.h) gives a step's scores, its backward pass H nu. One executor per thread;
 * a few targets go through a step side by side, while its weights are at hand. */
#include "attribute/influence/replay.h"

#include "attribute/influence/rerun.h"
#include "base/pool.h"
#include "nn/tangent.h"
#include "simd/simd.h"

#include <string.h>

/* Targets that a thread takes through a stretch together, where there are enough. */
enum { TOGETHER = 8, ENOUGH = 64 };

/* Bytes of the states held at once, two parameter vectors each. */
static const size_t most_state = (size_t)512 << 20;

/* What a step is, before it is taken. */
typedef struct graph_step {
    uint32_t *place, *row; /* [batch] of the study's rows; of the data */
    float *params;
    float rate;
} graph_step;

/* One thread's. */
typedef struct graph_worker {
    nn_weights weights; /* buffers: the model's, then the direction */
    nn_exec *exec;
    float *seed; /* [batch] */
} graph_worker;

typedef struct graph_replay {
    assay_ctx *ctx;
    const att_member *m;
    const nn_graph *graph; /* the model's */
    nn_graph *tangent;
    nn_value r; /* of the tangent graph: what moves */
    size_t batch, floats, fixed;
    rerun again;
    graph_step *tape; /* [stretch] */
    int64_t taped;
    size_t begin, count; /* targets at hand */
    float *state;        /* [count][2, parameters]: lam, nu */
    float *scores;       /* [n_rows, n_targets] */
    graph_worker *worker;
} graph_replay;

/* ---- memory ---- */

static assay_status step_make(graph_step *s, const graph_replay *r) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(mem_new(r->ctx, &s->place, r->batch, sizeof *s->place));
    ASSAY_TRY(mem_new(r->ctx, &s->row, r->batch, sizeof *s->row));
    ASSAY_TRY(mem_new(r->ctx, &s->params, r->floats, sizeof *s->params));
done:
    return status;
}

static assay_status replay_make(graph_replay *r, double from) {
    assay_status status = ASSAY_OK;
    const att_study *s = r->m->study;
    size_t state = 2 * r->floats * sizeof(float), most = most_state / state;
    r->count = most < 1 ? 1 : most;
    r->count = s->n_targets < r->count ? s->n_targets : r->count;
    ASSAY_TRY(rerun_open(&r->again, r->m, from));
    ASSAY_TRY(mem_new(r->ctx, &r->state, r->count * 2 * r->floats, sizeof(float)));
    ASSAY_TRY(mem_new(r->ctx, &r->tape, (size_t)r->again.stretch, sizeof *r->tape));
    for (int64_t i = 0; i < r->again.stretch; i++)
        ASSAY_TRY(step_make(&r->tape[i], r));
    ASSAY_TRY(mem_new(r->ctx, &r->worker, (size_t)assay_ctx_threads(r->ctx),
                      sizeof *r->worker));
done:
    return status;
}

static void replay_free(graph_replay *r) {
    size_t workers = (size_t)assay_ctx_threads(r->ctx);
    for (int64_t i = 0; r->tape && i < r->again.stretch; i++) {
        mem_free(r->ctx, r->tape[i].place);
        mem_free(r->ctx, r->tape[i].row);
        mem_free(r->ctx, r->tape[i].params);
    }
    for (size_t w = 0; r->worker && w < workers; w++) {
        nn_exec_destroy(r->worker[w].exec);
        nn_weights_destroy(&r->worker[w].weights, r->ctx);
        mem_free(r->ctx, r->worker[w].seed);
    }
    rerun_close(&r->again);
    nn_graph_destroy(r->tangent);
    mem_free(r->ctx, r->tape);
    mem_free(r->ctx, r->state);
    mem_free(r->ctx, r->worker);
}

/* ---- the run again ---- */

static assay_status tape_stretch(graph_replay *r, int64_t stretch) {
    assay_status status = ASSAY_OK;
    const att_run *run = r->m->run;
    int64_t begin;
    r->taped = rerun_stretch(&r->again, stretch, &begin);
    for (int64_t i = 0; i < r->taped; i++) {
        graph_step *s = &r->tape[i];
        att_run_batch(run, begin + i, s->place);
        for (size_t k = 0; k < r->batch; k++)
            s->row[k] = run->rows[s->place[k]];
        s->rate = (float)att_rate(&r->m->study->recipe, begin + i, run->steps);
        att_trainer_store(r->again.trainer, s->params, NULL);
        ASSAY_TRY(att_trainer_steps(r->again.trainer, run, begin + i, begin + i + 1));
    }
done:
    return status;
}

/* ---- targets ---- */

/* lam = grad of the margin at the end of the run, nu = 0. */
static assay_status states_start(graph_replay *r) {
    assay_status status = ASSAY_OK;
    const att_study *s = r->m->study;
    nn_weights weights = {.params = r->m->params, .buffers = r->m->buffers};
    nn_exec *exec = NULL;
    const float one = 1;
    const nn_exec_options o = {.mode = NN_TRAIN,
                               .batch = 1,
                               .target = s->model->margin,
                               .dtype = ASSAY_F32,
                               .shards = 1};
    ASSAY_TRY(nn_exec_create(&exec, r->ctx, r->graph, &weights, &o));
    for (size_t t = 0; t < r->count; t++) {
        float *lam = r->state + t * 2 * r->floats;
        att_feed(s, exec, s->targets + r->begin + t, 1);
        ASSAY_TRY(nn_exec_forward(exec, 1));
        ASSAY_TRY(nn_exec_backward(exec, &one));
        memcpy(lam, nn_exec_grads(exec), r->floats * sizeof *lam);
        memset(lam + r->floats, 0, r->floats * sizeof *lam);
    }
done:
    nn_exec_destroy(exec);
    return status;
}

static assay_status worker_make(graph_worker *w, const graph_replay *r) {
    assay_status status = ASSAY_OK;
    const nn_exec_options o = {.mode = NN_TRAIN,
                               .batch = (int)r->batch,
                               .target = r->r,
                               .dtype = ASSAY_F32,
                               .shards = 1};
    ASSAY_TRY(mem_new(r->ctx, &w->seed, r->batch, sizeof *w->seed));
    for (size_t i = 0; i < r->batch; i++)
        w->seed[i] = 1 / (float)r->batch;
    ASSAY_TRY(nn_weights_create(&w->weights, r->ctx, r->tangent, 0));
    if (r->fixed)
        memcpy(w->weights.buffers, r->m->buffers, r->fixed * sizeof(float));
    ASSAY_TRY(nn_exec_create(&w->exec, r->ctx, r->tangent, &w->weights, &o));
done:
    return status;
}

/* nu, and the direction that the step's gradient moves the margin in. */
static void advance(
    const graph_replay *r, float *nu, const float *lam, float rate, float *direction) {
    const att_recipe *recipe = &r->m->study->recipe;
    float mu = (float)recipe->momentum;
    simd()->f32_scale(nu, mu, r->floats);
    simd()->f32_axpy(nu, recipe->nesterov ? -rate * mu : -rate, lam, r->floats);
    memcpy(direction, nu, r->floats * sizeof *nu);
    if (recipe->nesterov)
        simd()->f32_axpy(direction, -rate, lam, r->floats);
}

/* One step back with one target's state; the step's weights are in place. */
static assay_status step_back(const graph_replay *r,
                              const graph_worker *w,
                              const graph_step *s,
                              size_t target) {
    assay_status status = ASSAY_OK;
    const att_study *study = r->m->study;
    float *lam = r->state + target * 2 * r->floats;
    float *direction = w->weights.buffers + r->fixed;
    float *column = r->scores + r->begin + target;
    const float decay = (float)study->recipe.weight_decay;
    advance(r, lam + r->floats, lam, s->rate, direction);
    att_feed(study, w->exec, s->row, r->batch);
    ASSAY_TRY(nn_exec_forward(w->exec, (int)r->batch));
    const float *moves = nn_exec_value(w->exec, r->r);
    for (size_t i = 0; i < r->batch; i++)
        column[s->place[i] * study->n_targets] += w->seed[i] * moves[i];
    ASSAY_TRY(nn_exec_backward(w->exec, w->seed));
    simd()->f32_add(lam, nn_exec_grads(w->exec), r->floats);
    for (size_t p = 0; decay > 0 && p < nn_graph_param_count(r->graph); p++) {
        nn_param_info info = nn_graph_param_at(r->graph, p);
        if (info.decay)
            simd()->f32_axpy(lam + info.offset, decay, direction + info.offset,
                             info.count);
    }
done:
    return status;
}

static assay_status sweep(void *arg, int worker, size_t begin, size_t end) {
    const graph_replay *r = arg;
    assay_status status = ASSAY_OK;
    graph_worker *w = &r->worker[worker];
    if (!w->exec)
        ASSAY_TRY(worker_make(w, r));
    for (int64_t i = r->taped; i-- > 0;) {
        ASSAY_TRY(ctx_check(r->ctx));
        memcpy(w->weights.params, r->tape[i].params, r->floats * sizeof(float));
        for (size_t t = begin; t < end; t++)
            ASSAY_TRY(step_back(r, w, &r->tape[i], t));
    }
done:
    return status;
}

assay_status replay_graph(float *scores, const att_member *m, double from) {
    assay_status status = ASSAY_OK;
    const att_study *s = m->study;
    const nn_graph *g = s->model->graph;
    graph_replay r = {.ctx = s->ctx,
                      .m = m,
                      .graph = g,
                      .scores = scores,
                      .batch = (size_t)s->recipe.batch,
                      .floats = nn_graph_param_floats(g),
                      .fixed = nn_graph_buffer_floats(g)};
    ASSAY_TRY_AT(nn_tangent_create(&r.tangent, &r.r, r.ctx, g, s->model->loss),
                 "replay of %s", s->model->name);
    if (r.fixed && !m->buffers)
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED, "%s has weights that are not known here",
                   s->model->name);
    ASSAY_TRY(replay_make(&r, from));
    for (; r.begin < s->n_targets; r.begin += r.count) {
        if (s->n_targets - r.begin < r.count)
            r.count = s->n_targets - r.begin;
        ASSAY_TRY(states_start(&r));
        for (int64_t k = r.again.count; k-- > 0;) {
            ASSAY_TRY(tape_stretch(&r, k));
            ASSAY_TRY(assay_parallel_for(r.ctx, r.count, r.count < ENOUGH ? 1 : TOGETHER,
                                         sweep, &r));
        }
    }
done:
    replay_free(&r);
    return status;
}

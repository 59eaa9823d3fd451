/* The run in stretches, backwards: the tape of a stretch, all targets through it. */
#include "attribute/influence/replay.h"

#include "attribute/influence/rerun.h"
#include "attribute/study/examples.h"
#include "base/pool.h"

#include <math.h>
#include <string.h>

enum { TARGETS = 512 /* whose states are held at once */ };

typedef struct replay {
    assay_ctx *ctx;
    const att_member *m;
    mlp net;
    size_t batch;
    rerun again;
    float *params;     /* where the trainer stands */
    mlp_pass pass;     /* of a batch */
    float *scratch;    /* of the calling thread */
    replay_step *tape; /* [stretch] */
    int64_t taped;
    size_t begin, count; /* targets at hand */
    float *state;        /* [count][2, parameters]: lam, nu */
    float *scores;       /* [n_rows, n_targets] */
    replay_room *room;   /* [workers] */
} replay;

/* ---- memory ---- */

static assay_status step_make(replay_step *s, const replay *r) {
    assay_status status = ASSAY_OK;
    const mlp *m = &r->net;
    size_t in = m->layer[0].in;
    ASSAY_TRY(mem_new(r->ctx, &s->place, r->batch, sizeof *s->place));
    ASSAY_TRY(mem_new(r->ctx, &s->x, r->batch * in, sizeof(float)));
    ASSAY_TRY(mem_new(r->ctx, &s->xt, r->batch * in, sizeof(float)));
    ASSAY_TRY(
        mem_new(r->ctx, &s->prob, r->batch * m->layer[m->layers - 1].out, sizeof(float)));
    for (int l = 0; l < m->layers; l++) {
        size_t out = m->layer[l].out, weight = l ? m->layer[l].in * out : 0;
        ASSAY_TRY(mem_new(r->ctx, &s->act[l], r->batch * out, sizeof(float)));
        ASSAY_TRY(mem_new(r->ctx, &s->actt[l], r->batch * out, sizeof(float)));
        ASSAY_TRY(mem_new(r->ctx, &s->error[l], r->batch * out, sizeof(float)));
        if (weight) {
            ASSAY_TRY(mem_new(r->ctx, &s->weight[l], weight, sizeof(float)));
            ASSAY_TRY(mem_new(r->ctx, &s->turned[l], weight, sizeof(float)));
        }
    }
done:
    return status;
}

static void step_free(replay_step *s, const replay *r) {
    mem_free(r->ctx, s->place);
    mem_free(r->ctx, s->x);
    mem_free(r->ctx, s->xt);
    mem_free(r->ctx, s->prob);
    for (int l = 0; l < r->net.layers; l++) {
        mem_free(r->ctx, s->act[l]);
        mem_free(r->ctx, s->actt[l]);
        mem_free(r->ctx, s->error[l]);
        mem_free(r->ctx, s->weight[l]);
        mem_free(r->ctx, s->turned[l]);
    }
}

static assay_status room_make(replay_room *room, const replay *r) {
    assay_status status = ASSAY_OK;
    for (int l = 0; l < r->net.layers; l++) {
        size_t cells = r->batch * r->net.layer[l].out;
        ASSAY_TRY(mem_new(r->ctx, &room->r[l], cells, sizeof(float)));
        ASSAY_TRY(mem_new(r->ctx, &room->d[l], cells, sizeof(float)));
    }
    if (r->m->study->recipe.nesterov)
        ASSAY_TRY(mem_new(r->ctx, &room->direction, r->net.floats, sizeof(float)));
    ASSAY_TRY(
        mem_new(r->ctx, &room->scratch, mlp_scratch(&r->net, r->batch), sizeof(float)));
done:
    return status;
}

static void room_free(replay_room *room, const replay *r) {
    for (int l = 0; l < r->net.layers; l++) {
        mem_free(r->ctx, room->r[l]);
        mem_free(r->ctx, room->d[l]);
    }
    mem_free(r->ctx, room->direction);
    mem_free(r->ctx, room->scratch);
}

static assay_status replay_make(replay *r, double from) {
    assay_status status = ASSAY_OK;
    const att_study *s = r->m->study;
    size_t workers = (size_t)assay_ctx_threads(r->ctx);
    r->batch = (size_t)s->recipe.batch;
    r->count = s->n_targets < TARGETS ? s->n_targets : TARGETS;
    ASSAY_TRY(rerun_open(&r->again, r->m, from));
    ASSAY_TRY(mem_new(r->ctx, &r->params, r->net.floats, sizeof(float)));
    ASSAY_TRY(mem_new(r->ctx, &r->state, r->count * 2 * r->net.floats, sizeof(float)));
    ASSAY_TRY(mlp_pass_make(&r->pass, r->ctx, &r->net, r->batch));
    ASSAY_TRY(
        mem_new(r->ctx, &r->scratch, mlp_scratch(&r->net, r->batch), sizeof(float)));
    ASSAY_TRY(mem_new(r->ctx, &r->tape, (size_t)r->again.stretch, sizeof *r->tape));
    for (int64_t i = 0; i < r->again.stretch; i++)
        ASSAY_TRY(step_make(&r->tape[i], r));
    ASSAY_TRY(mem_new(r->ctx, &r->room, workers, sizeof *r->room));
    for (size_t w = 0; w < workers; w++)
        ASSAY_TRY(room_make(&r->room[w], r));
done:
    return status;
}

static void replay_free(replay *r) {
    size_t workers = (size_t)assay_ctx_threads(r->ctx);
    for (int64_t i = 0; r->tape && i < r->again.stretch; i++)
        step_free(&r->tape[i], r);
    for (size_t w = 0; r->room && w < workers; w++)
        room_free(&r->room[w], r);
    mlp_pass_free(&r->pass, r->ctx, &r->net);
    rerun_close(&r->again);
    mem_free(r->ctx, r->params);
    mem_free(r->ctx, r->state);
    mem_free(r->ctx, r->scratch);
    mem_free(r->ctx, r->tape);
    mem_free(r->ctx, r->room);
}

/* ---- the run again ---- */

static void turn(float *to, const float *from, size_t rows, size_t columns) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            to[j * rows + i] = from[i * columns + j];
}

/* What step t is made of, before it is taken. */
static assay_status tape_step(replay *r, replay_step *s, int64_t t) {
    assay_status status = ASSAY_OK;
    const att_run *run = r->m->run;
    const att_study *study = r->m->study;
    const mlp *m = &r->net;
    const float *params = r->params;
    size_t last = (size_t)m->layers - 1, k = m->layer[last].out, in = m->layer[0].in;
    uint32_t *rows = NULL;
    ASSAY_TRY(mem_new(r->ctx, &rows, r->batch, sizeof *rows));
    att_run_batch(run, t, s->place);
    for (size_t i = 0; i < r->batch; i++)
        rows[i] = run->rows[s->place[i]];
    s->rate = (float)att_rate(&study->recipe, t, run->steps);
    att_images(r->pass.x, study->data, rows, r->batch);
    memcpy(s->x, r->pass.x, r->batch * in * sizeof(float));
    turn(s->xt, s->x, r->batch, in);
    mlp_forward(&r->pass, m, params, r->batch, r->scratch);
    memcpy(s->prob, r->pass.prob, r->batch * k * sizeof(float));
    for (size_t i = 0; i < r->batch; i++)
        for (size_t j = 0; j < k; j++)
            s->error[last][i * k + j] =
                (s->prob[i * k + j] - (study->data->labels[rows[i]] == (int32_t)j)) /
                (float)r->batch;
    mlp_backward(s->error, &r->pass, m, params, r->batch, r->scratch);
    for (int l = 0; l < m->layers; l++) {
        const mlp_layer *w = &m->layer[l];
        memcpy(s->act[l], r->pass.act[l], r->batch * w->out * sizeof(float));
        turn(s->actt[l], s->act[l], r->batch, w->out);
        if (l) {
            memcpy(s->weight[l], params + w->weight, w->in * w->out * sizeof(float));
            turn(s->turned[l], s->weight[l], w->out, w->in);
        }
    }
done:
    mem_free(r->ctx, rows);
    return status;
}

static assay_status tape_stretch(replay *r, int64_t stretch) {
    assay_status status = ASSAY_OK;
    int64_t begin;
    r->taped = rerun_stretch(&r->again, stretch, &begin);
    for (int64_t i = 0; i < r->taped; i++) {
        att_trainer_store(r->again.trainer, r->params, NULL);
        ASSAY_TRY(tape_step(r, &r->tape[i], begin + i));
        ASSAY_TRY(
            att_trainer_steps(r->again.trainer, r->m->run, begin + i, begin + i + 1));
    }
done:
    return status;
}

/* ---- targets ---- */

/* lam = grad of the margin at the end of the run, nu = 0. */
static assay_status states_start(replay *r) {
    assay_status status = ASSAY_OK;
    const att_study *s = r->m->study;
    const mlp *m = &r->net;
    size_t last = (size_t)m->layers - 1, k = m->layer[last].out;
    float *delta[MLP_MOST_LAYERS] = {0}, *scratch = NULL;
    mlp_pass one = {0};
    ASSAY_TRY(mlp_pass_make(&one, r->ctx, m, 1));
    ASSAY_TRY(mem_new(r->ctx, &scratch, mlp_scratch(m, 1), sizeof *scratch));
    for (int l = 0; l < m->layers; l++)
        ASSAY_TRY(mem_new(r->ctx, &delta[l], m->layer[l].out, sizeof(float)));
    memset(r->state, 0, r->count * 2 * m->floats * sizeof(float));
    for (size_t t = 0; t < r->count; t++) {
        uint32_t row = s->targets[r->begin + t];
        int32_t y = s->data->labels[row];
        float *lam = r->state + t * 2 * m->floats;
        att_images(one.x, s->data, &row, 1);
        mlp_forward(&one, m, r->m->params, 1, scratch);
        float rest = 0; /* the margin's derivative is minus a softmax without the label */
        for (size_t j = 0; j < k; j++)
            rest += (int32_t)j == y ? 0 : one.prob[j];
        for (size_t j = 0; j < k; j++)
            delta[last][j] = (int32_t)j == y ? 1 : rest > 0 ? -one.prob[j] / rest : 0;
        mlp_backward(delta, &one, m, r->m->params, 1, scratch);
        for (int l = 0; l < m->layers; l++) {
            const mlp_layer *w = &m->layer[l];
            const float *a = l ? one.act[l - 1] : one.x;
            for (size_t i = 0; i <= w->in; i++)
                for (size_t j = 0; j < w->out; j++)
                    lam[w->state + i * w->out + j] = (i < w->in ? a[i] : 1) * delta[l][j];
        }
    }
done:
    for (int l = 0; l < m->layers; l++)
        mem_free(r->ctx, delta[l]);
    mem_free(r->ctx, scratch);
    mlp_pass_free(&one, r->ctx, m);
    return status;
}

static assay_status sweep(void *arg, int worker, size_t begin, size_t end) {
    const replay *r = arg;
    const att_study *s = r->m->study;
    for (size_t t = begin; t < end; t++) {
        float *lam = r->state + t * 2 * r->net.floats;
        for (int64_t i = r->taped; i-- > 0;)
            replay_step_back(r->scores + r->begin + t, s->n_targets, lam,
                             lam + r->net.floats, &r->tape[i], &r->net, &s->recipe,
                             &r->room[worker]);
    }
    return ASSAY_OK;
}

/* That the chain of layers is the model: its margins agree with the executor's. */
static assay_status check_model(const replay *r) {
    assay_status status = ASSAY_OK;
    const att_study *s = r->m->study;
    float *scratch = NULL;
    mlp_pass one = {0};
    nn_weights weights = {.params = r->m->params};
    nn_exec *exec = NULL;
    const nn_exec_options o = {.mode = NN_EVAL,
                               .batch = 1,
                               .target = s->model->margin,
                               .dtype = ASSAY_F32,
                               .shards = 1};
    size_t k = r->net.layer[r->net.layers - 1].out;
    ASSAY_TRY(nn_exec_create(&exec, r->ctx, s->model->graph, &weights, &o));
    ASSAY_TRY(mlp_pass_make(&one, r->ctx, &r->net, 1));
    ASSAY_TRY(mem_new(r->ctx, &scratch, mlp_scratch(&r->net, 1), sizeof *scratch));
    att_feed(s, exec, s->targets, 1);
    ASSAY_TRY(nn_exec_forward(exec, 1));
    float margin = nn_exec_value(exec, s->model->margin)[0];
    att_images(one.x, s->data, s->targets, 1);
    mlp_forward(&one, &r->net, r->m->params, 1, scratch);
    int32_t y = s->data->labels[s->targets[0]];
    double rest = 0;
    for (size_t j = 0; j < k; j++)
        rest += (int32_t)j == y ? 0 : (double)one.prob[j];
    double mine = log((double)one.prob[y]) - log(rest);
    if (!(fabs(mine - (double)margin) < 1e-2 * (1 + fabs(mine))))
        ASSAY_FAIL(ASSAY_E_UNSUPPORTED,
                   "%s has more in it than linear layers and ReLU (margin %g, not %g)",
                   s->model->name, mine, (double)margin);
done:
    nn_exec_destroy(exec);
    mlp_pass_free(&one, r->ctx, &r->net);
    mem_free(r->ctx, scratch);
    return status;
}

/* For chains of linear layers, by products that are made for them. */
static assay_status replay_chain(float *scores, const att_member *m, double from) {
    assay_status status = ASSAY_OK;
    const att_study *s = m->study;
    replay r = {.ctx = s->ctx, .m = m, .scores = scores};
    ASSAY_TRY(mlp_of(&r.net, s->model));
    ASSAY_TRY(check_model(&r));
    ASSAY_TRY(replay_make(&r, from));
    for (; r.begin < s->n_targets; r.begin += r.count) {
        if (s->n_targets - r.begin < r.count)
            r.count = s->n_targets - r.begin;
        ASSAY_TRY(states_start(&r));
        for (int64_t k = r.again.count; k-- > 0;) {
            ASSAY_TRY(tape_stretch(&r, k));
            ASSAY_TRY(assay_parallel_for(r.ctx, r.count, 1, sweep, &r));
        }
    }
done:
    replay_free(&r);
    return status;
}

assay_status att_replay(float *scores, const att_member *m, double from) {
    if (!m->run) {
        (void)err_set(ASSAY_E_UNSUPPORTED, "it is not known how the model was trained");
        err_help("replay trains again; for checkpoints take ekfac or trak");
        return ASSAY_E_UNSUPPORTED;
    }
    assay_status status = replay_chain(scores, m, from);
    return status == ASSAY_E_UNSUPPORTED ? replay_graph(scores, m, from) : status;
}

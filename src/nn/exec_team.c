/* Threads take shards through stages. Within a stage nobody waits for anybody; the thread
 * that finishes the last shard of a stage opens the next. Which thread runs a shard does
 * not matter to the result: a thread prefers its own ones, for the caches' sake, and
 * takes over those of a thread that is late. So one thread alone gets through as well,
 * and a core that is taken away delays but does not block. */
#include "nn/exec_inside.h"

#include "base/os.h"
#include "base/pool.h"
#include "nn/kernels.h"

#include <string.h>

enum { SPIN_NS = 20000, SPIN_LOOKS = 64, SUM_FLOATS = 4096 };

/* ---- what a shard does in a stage ---- */

static void add_into(void *to, const void *from, size_t count, bool half) {
    const nn_kernels *k = nn_kernels_get();
    if (half)
        k->add_half(to, to, from, count);
    else
        k->add(to, to, from, count);
}

/* Gradients that had to be written apart go to those of others. */
static void add_extras(const nn_exec *e, const nn_shard *sh, const nn_step *s) {
    for (int i = 0; i < s->n_in; i++)
        if (s->extra[i].piece >= 0) {
            const nn_shape *shape = &e->graph->value[s->in[i]].shape;
            add_into(exec_grad_at(e, sh, s->in[i]), exec_at(e, sh, s->extra[i]),
                     (size_t)nn_shape_elements(shape, sh->n), e->slot[s->in[i]].half);
        }
}

static void put_seed(const nn_exec *e, const nn_shard *sh) {
    nn_value target = e->options.target;
    const nn_shape *shape = &e->graph->value[target].shape;
    size_t each = (size_t)nn_shape_elements(shape, 1);
    size_t n = (size_t)nn_shape_elements(shape, sh->n);
    void *to = exec_grad_at(e, sh, target);
    if (to)
        memcpy(to, e->seed + (size_t)sh->first * each, n * sizeof *e->seed);
}

/* Adds the other shards' gradients to the first one's, in their order; each shard does
 * its part of the parameters. */
static void sum_gradients(const nn_exec *e, const nn_shard *sh) {
    size_t floats = e->graph->param_floats, parts = (size_t)e->team.shards;
    size_t begin = floats * (size_t)sh->index / parts;
    size_t end = floats * ((size_t)sh->index + 1) / parts;
    for (size_t at = begin; at < end; at += SUM_FLOATS)
        for (int i = 1; i < e->team.shards; i++)
            add_into(e->grads + at, e->shard[i].grads + at,
                     end - at < SUM_FLOATS ? end - at : SUM_FLOATS, false);
}

static assay_status run_call(nn_exec *e, nn_shard *sh, int c) {
    const nn_call *call = &e->call[c];
    const nn_step *s = &e->step[call->step];
    bool back = call->pass == NN_PASS_BACKWARD;
    uint64_t since = e->profile ? os_thread_cpu_ns() : 0;
    assay_status status =
        back ? s->node->op->backward(&sh->io[c]) : s->node->op->forward(&sh->io[c]);
    if (status == ASSAY_OK && back && c == s->end[NN_PASS_BACKWARD])
        add_extras(e, sh, s);
    if (e->profile)
        *(call->pass == NN_PASS_FORWARD ? &sh->forward_ns[call->step]
                                        : &sh->backward_ns[call->step]) +=
            os_thread_cpu_ns() - since;
    return status;
}

static void run_stage(nn_exec *e, nn_shard *sh, int stage) {
    assay_status status = ASSAY_OK;
    const nn_stage *st = &e->stage[stage];
    if (stage == e->n_forward_stages)
        put_seed(e, sh);
    if (st->begin == st->end && stage > e->n_forward_stages)
        sum_gradients(e, sh);
    for (int c = st->begin; c < st->end; c++)
        ASSAY_TRY(run_call(e, sh, c));
done:
    sh->status = status;
    if (status != ASSAY_OK)
        err_save(&sh->record);
}

/* ---- threads ---- */

static bool any_failed(const nn_exec *e) {
    for (int i = 0; i < e->team.shards; i++)
        if (e->shard[i].status != ASSAY_OK)
            return true;
    return false;
}

/* By the thread that finished a stage's last shard. */
static void open_next(nn_exec *e, int stage) {
    nn_team *t = &e->team;
    if (any_failed(e))
        atomic_store(&t->end, stage + 1);
    atomic_store(&t->left, t->shards);
    atomic_store(&t->stage, stage + 1);
    if (atomic_load(&t->sleeping) > 0) {
        (void)pthread_mutex_lock(&t->lock);
        (void)pthread_cond_broadcast(&t->wake);
        (void)pthread_mutex_unlock(&t->lock);
    }
}

/* A wait is short as a rule: looks for a moment, then sleeps. */
static void wait_behind(nn_team *t, int stage) {
    uint64_t since = os_now_ns();
    do
        for (int i = 0; i < SPIN_LOOKS; i++)
            if (atomic_load_explicit(&t->stage, memory_order_acquire) != stage)
                return;
    while (os_now_ns() - since < SPIN_NS);
    (void)pthread_mutex_lock(&t->lock);
    (void)atomic_fetch_add(&t->sleeping, 1);
    while (atomic_load(&t->stage) == stage)
        (void)pthread_cond_wait(&t->wake, &t->lock);
    (void)atomic_fetch_sub(&t->sleeping, 1);
    (void)pthread_mutex_unlock(&t->lock);
}

/* Runs those shards of a stage that nobody has taken: first the thread's own ones. */
static void work_through(nn_exec *e, int stage, int thread) {
    nn_team *t = &e->team;
    for (int others = 0; others < 2; others++)
        for (int i = 0; i < t->shards; i++) {
            int expected = stage;
            if ((i % t->threads == thread) == (others == 1) ||
                !atomic_compare_exchange_strong(&e->shard[i].next, &expected, stage + 1))
                continue;
            run_stage(e, &e->shard[i], stage);
            if (atomic_fetch_sub(&t->left, 1) == 1)
                open_next(e, stage);
        }
}

static assay_status take_part(void *arg, int worker, size_t begin, size_t end) {
    (void)worker, (void)end;
    nn_exec *e = arg;
    nn_team *t = &e->team;
    int before = dn_enter();
    for (int stage; (stage = atomic_load(&t->stage)) < atomic_load(&t->end);) {
        work_through(e, stage, (int)begin);
        if (atomic_load(&t->stage) == stage)
            wait_behind(t, stage);
    }
    dn_leave(before);
    return ASSAY_OK;
}

assay_status exec_run(nn_exec *e, int begin, int end) {
    nn_team *t = &e->team;
    int threads = e->options.threads < t->shards ? e->options.threads : t->shards;
    t->threads = threads > 1 ? threads : 1;
    for (int i = 0; i < t->shards; i++) {
        e->shard[i].status = ASSAY_OK;
        atomic_store(&e->shard[i].next, begin);
    }
    atomic_store(&t->left, t->shards);
    atomic_store(&t->end, end);
    atomic_store(&t->stage, begin);
    assay_status status =
        t->threads > 1 ? assay_parallel_for(e->ctx, (size_t)t->threads, 1, take_part, e)
                       : take_part(e, 0, 0, 1);
    for (int i = 0; status == ASSAY_OK && i < t->shards; i++)
        if (e->shard[i].status != ASSAY_OK) {
            err_restore(&e->shard[i].record);
            status = e->shard[i].status;
        }
    return status;
}

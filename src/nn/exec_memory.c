/* What lives how long, in calls, and where: values, their gradients, and what ops ask
 * for. */
#include "nn/exec_inside.h"

#include <assert.h>
#include <string.h>

static const nn_place nowhere = {-1, false};

static assay_status
add_piece(nn_exec *e, bool common, size_t bytes, int begin, int end, nn_place *out) {
    nn_memory *m = common ? &e->common : &e->own;
    *out = nowhere;
    if (bytes == 0)
        return ASSAY_OK;
    if (bytes > SIZE_MAX / 64 - e->unshared_bytes)
        return err_set(ASSAY_E_NOMEM, "the plan of this batch does not fit into memory");
    assert(m->n < m->cap && begin >= 0 && begin <= end);
    /* Shards do not run in step: what all see has its place to itself. */
    m->piece[m->n] = (mem_piece){
        .bytes = bytes, .begin = common ? 0 : begin, .end = common ? e->n_calls : end};
    e->unshared_bytes += bytes * (common ? 1u : (unsigned)e->n_shards);
    *out = (nn_place){m->n++, common};
    return ASSAY_OK;
}

static bool lies_in_arena(const nn_exec *e, nn_value v) {
    nn_value_kind kind = e->graph->value[v].kind;
    return kind == NN_KIND_INPUT || kind == NN_KIND_ACTIVATION;
}

/* Whether all shards see one array. */
static bool is_common(const nn_exec *e, nn_value v) {
    bool input = e->graph->value[v].kind == NN_KIND_INPUT;
    bool seen = e->slot[v].kept && nn_shape_open(&e->graph->value[v].shape);
    return e->n_shards > 1 && (input || seen);
}

static size_t value_bytes(const nn_exec *e, nn_value v, bool common) {
    bool open = nn_shape_open(&e->graph->value[v].shape);
    size_t n = (size_t)(common ? e->options.batch : e->shard_batch);
    return exec_value_each(e, v) * (open ? n : 1);
}

int exec_copy(const nn_exec *e, const nn_step *s, nn_value v, nn_pass pass) {
    int maker = e->slot[v].maker;
    return pass != NN_PASS_FORWARD && maker >= 0 && e->step[maker].again &&
           e->step[maker].segment == s->segment;
}

/* Lifetimes of the copies of a value while they are being found; begin -1: none. */
typedef struct life {
    int begin[2], end[2];
} life;

static void lengthen(int *end, int to) {
    if (to > *end)
        *end = to;
}

static void use(const nn_exec *e, life *l, const nn_step *s, nn_value v, nn_pass pass) {
    lengthen(&l[v].end[exec_copy(e, s, v, pass)], s->end[pass]);
}

/* What one step reads and writes in all its passes. */
static void live_through(const nn_exec *e, life *l, const nn_step *s) {
    const nn_plan *p = &s->plan[0];
    bool capture = e->options.mode == NN_CAPTURE && s->backward;
    l[s->out].begin[0] = s->begin[NN_PASS_FORWARD];
    use(e, l, s, s->out, NN_PASS_FORWARD);
    if (s->again) {
        l[s->out].begin[1] = s->begin[NN_PASS_AGAIN];
        use(e, l, s, s->out, NN_PASS_AGAIN);
    }
    if (s->backward && p->backward_reads_out)
        use(e, l, s, s->out, NN_PASS_BACKWARD);
    if (e->slot[s->out].kept)
        lengthen(&l[s->out].end[0], e->n_calls);
    for (int i = 0; i < s->n_in; i++) {
        nn_value v = s->in[i];
        use(e, l, s, v, NN_PASS_FORWARD);
        if (s->again)
            use(e, l, s, v, NN_PASS_AGAIN);
        if (s->backward && (p->backward_reads >> i & 1))
            use(e, l, s, v, NN_PASS_BACKWARD);
        if (capture && p->factor_reads_x)
            lengthen(&l[v].end[exec_copy(e, s, v, NN_PASS_BACKWARD)], e->n_calls);
    }
}

/* Whether the step is the first to bring the gradient of its input i. */
static bool brings_first(const nn_exec *e, int k, int i) {
    const nn_step *s = &e->step[k];
    for (int j = 0; j < i; j++)
        if (s->want_d[j] && s->in[j] == s->in[i])
            return false;
    return e->slot[s->in[i]].grad_from == k;
}

static assay_status add_step(nn_exec *e, int k) {
    assay_status status = ASSAY_OK;
    nn_step *s = &e->step[k];
    const nn_plan *p = &s->plan[0];
    const int *begin = s->begin, *end = s->end;
    int back = s->backward ? end[NN_PASS_BACKWARD] : end[NN_PASS_FORWARD];
    s->save[1] = s->factor = nowhere;
    for (int pass = 0; pass < NN_PASSES; pass++)
        s->scratch[pass] = nowhere;
    ASSAY_TRY(add_piece(e, false, p->save_bytes, begin[NN_PASS_FORWARD],
                        s->again ? end[NN_PASS_FORWARD] : back, &s->save[0]));
    ASSAY_TRY(add_piece(e, e->n_shards > 1, p->shared_bytes, begin[NN_PASS_FORWARD], back,
                        &s->shared));
    ASSAY_TRY(add_piece(e, false, p->forward_scratch, begin[NN_PASS_FORWARD],
                        end[NN_PASS_FORWARD], &s->scratch[NN_PASS_FORWARD]));
    if (s->again) {
        ASSAY_TRY(
            add_piece(e, false, p->save_bytes, begin[NN_PASS_AGAIN], back, &s->save[1]));
        ASSAY_TRY(add_piece(e, false, p->forward_scratch, begin[NN_PASS_AGAIN],
                            end[NN_PASS_AGAIN], &s->scratch[NN_PASS_AGAIN]));
    }
    for (int i = 0; i < NN_MAX_INPUTS; i++)
        s->extra[i] = nowhere;
    if (!s->backward)
        goto done;
    ASSAY_TRY(add_piece(e, false, p->backward_scratch, begin[NN_PASS_BACKWARD], back,
                        &s->scratch[NN_PASS_BACKWARD]));
    if (e->options.mode == NN_CAPTURE)
        ASSAY_TRY(add_piece(e, false, p->factor_bytes, begin[NN_PASS_BACKWARD],
                            e->n_calls, &s->factor));
    for (int i = 0; i < s->n_in; i++) {
        nn_value v = s->in[i];
        if (s->want_d[i] && !brings_first(e, k, i))
            ASSAY_TRY(add_piece(e, false,
                                lies_in_arena(e, v) ? value_bytes(e, v, false)
                                                    : e->graph->value[v].count * 4,
                                begin[NN_PASS_BACKWARD], back, &s->extra[i]));
    }
done:
    return status;
}

static assay_status add_grad(nn_exec *e, nn_value v) {
    nn_slot *slot = &e->slot[v];
    bool common = is_common(e, v) && e->graph->value[v].kind == NN_KIND_INPUT;
    int from = slot->grad_from, begin = e->n_forward, end = e->n_calls;
    if (from < e->n_steps)
        begin = e->step[from].begin[NN_PASS_BACKWARD];
    if (slot->maker >= 0) {
        const nn_step *maker = &e->step[slot->maker];
        end = maker->backward ? maker->end[NN_PASS_BACKWARD] : begin;
        if (e->options.mode == NN_CAPTURE && maker->plan[0].factor_reads_d)
            end = e->n_calls;
    }
    return add_piece(e, common, value_bytes(e, v, common), begin, end, &slot->grad);
}

static assay_status add_values(nn_exec *e, const life *l) {
    assay_status status = ASSAY_OK;
    for (size_t i = 0; i < e->graph->n_values; i++) {
        nn_value v = (nn_value)i;
        nn_slot *slot = &e->slot[v];
        slot->place[0] = slot->place[1] = slot->grad = nowhere;
        if (!lies_in_arena(e, v))
            continue;
        bool common = is_common(e, v);
        if (l[v].begin[0] >= 0)
            ASSAY_TRY(add_piece(e, common, value_bytes(e, v, common), l[v].begin[0],
                                l[v].end[0], &slot->place[0]));
        if (l[v].begin[1] >= 0)
            ASSAY_TRY(add_piece(e, false, value_bytes(e, v, false), l[v].begin[1],
                                l[v].end[1], &slot->place[1]));
        if (slot->grad_from >= 0)
            ASSAY_TRY(add_grad(e, v));
    }
done:
    return status;
}

size_t exec_memory_bytes(const nn_exec *e) {
    size_t shards = (size_t)e->n_shards;
    size_t grads = e->options.mode == NN_TRAIN ? e->graph->param_floats * 4 : 0;
    return e->common.bytes + shards * e->own.bytes + (shards - 1) * grads;
}

assay_status exec_plan_memory(nn_exec *e, int *order) {
    assay_status status = ASSAY_OK;
    life *l = NULL;
    size_t n = e->graph->n_values;
    ASSAY_TRY(mem_new(e->ctx, &l, n + 1, sizeof *l));
    e->own.n = e->common.n = 0;
    e->unshared_bytes = 0;
    for (size_t v = 0; v < n; v++) {
        bool input = e->graph->value[v].kind == NN_KIND_INPUT;
        /* Inputs are filled before the run and may be read after it. */
        l[v] =
            (life){.begin = {input ? 0 : -1, -1}, .end = {input ? e->n_calls : -1, -1}};
    }
    for (int k = 0; k < e->n_steps; k++)
        live_through(e, l, &e->step[k]);
    for (int k = 0; k < e->n_steps; k++)
        ASSAY_TRY(add_step(e, k));
    ASSAY_TRY(add_values(e, l));
    memplan_place(e->own.piece, e->own.n, order, &e->own.bytes);
    memplan_place(e->common.piece, e->common.n, order, &e->common.bytes);
    e->arena_bytes = exec_memory_bytes(e);
done:
    mem_free(e->ctx, l);
    return status;
}

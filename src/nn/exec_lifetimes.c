/* What lives how long: values, their gradients, and what ops ask for. */
#include "nn/exec_inside.h"

#include <assert.h>
#include <string.h>

static assay_status add_piece(nn_exec *e, size_t bytes, int begin, int end, int *out) {
    assert(e->n_pieces < e->cap_pieces);
    *out = -1;
    if (bytes == 0)
        return ASSAY_OK;
    if (bytes > SIZE_MAX / 4 - e->unshared_bytes)
        return err_set(ASSAY_E_NOMEM, "the plan of this batch does not fit into memory");
    e->piece[e->n_pieces] = (mem_piece){.bytes = bytes, .begin = begin, .end = end};
    e->unshared_bytes += bytes;
    *out = e->n_pieces++;
    return ASSAY_OK;
}

size_t exec_value_bytes(const nn_exec *e, nn_value v) {
    const nn_value_info *info = &e->graph->value[v];
    size_t count = (size_t)nn_shape_elements(&info->shape, e->options.batch);
    return count * (e->slot[v].half ? 2 : assay_dtype_size(info->dtype));
}

static bool lies_in_arena(const nn_exec *e, nn_value v) {
    nn_value_kind kind = e->graph->value[v].kind;
    return kind == NN_KIND_INPUT || kind == NN_KIND_ACTIVATION;
}

static void lengthen(int *last, int to) {
    if (to > *last)
        *last = to;
}

int exec_step_rows(const nn_exec *e, const nn_step *s, int n) {
    for (int i = 0; i < s->n_in; i++)
        if (nn_shape_open(&e->graph->value[s->in[i]].shape))
            return n;
    const nn_shape *x = &s->node->in_shape[0];
    return s->n_in && x->ndim ? (int)x->dim[0] : 1;
}

static assay_status plan_step(nn_exec *e, nn_step *s) {
    nn_plan *p = &s->plan;
    *p = (nn_plan){.ctx = e->ctx,
                   .engine = e->engine,
                   .node = s->node,
                   .n_fused = s->n_fused,
                   .mode = e->options.mode,
                   .batch = exec_step_rows(e, s, e->options.batch),
                   .dtype = e->options.dtype,
                   .backward = s->backward,
                   .shards = 1,
                   .out_half = e->slot[s->out].half};
    for (int i = 0; i < s->n_in; i++)
        p->in_half |= e->slot[s->in[i]].half ? 1u << i : 0u;
    memcpy(p->fused, s->fused, sizeof p->fused);
    memcpy(p->want_d, s->want_d, sizeof p->want_d);
    return s->node->op->plan ? s->node->op->plan(p) : ASSAY_OK;
}

assay_status exec_plan_lifetimes(nn_exec *e) {
    assay_status status = ASSAY_OK;
    const nn_graph *g = e->graph;
    const int end = 2 * e->n_steps;
    bool capture = e->options.mode == NN_CAPTURE;
    for (size_t v = 0; v < g->n_values; v++)
        if (g->value[v].kind == NN_KIND_INPUT) {
            e->slot[v].made = -1; /* filled before the run, may be read after it */
            e->slot[v].last = end;
        }
    for (int k = 0; k < e->n_steps; k++) {
        nn_step *s = &e->step[k];
        int back = 2 * e->n_steps - 1 - k;
        nn_slot *out = &e->slot[s->out];
        ASSAY_TRY(plan_step(e, s));
        const nn_plan *p = &s->plan;
        out->made = k;
        lengthen(&out->last, out->kept ? end : k);
        if (s->backward && p->backward_reads_out)
            lengthen(&out->last, back);
        for (int i = 0; i < s->n_in; i++) {
            nn_slot *in = &e->slot[s->in[i]];
            lengthen(&in->last, k);
            if (s->backward && (p->backward_reads >> i & 1))
                lengthen(&in->last, back);
        }
        if (capture && s->backward && p->factor_reads_x)
            lengthen(&e->slot[s->in[0]].last, end);
        if (capture && s->backward && p->factor_reads_d)
            lengthen(&out->grad_last, end);
        ASSAY_TRY(add_piece(e, p->save_bytes, k, s->backward ? back : k, &s->piece_save));
        ASSAY_TRY(
            add_piece(e, p->shared_bytes, k, s->backward ? back : k, &s->piece_shared));
        ASSAY_TRY(add_piece(e, p->forward_scratch, k, k, &s->piece_forward));
        s->piece_backward = s->piece_factor = -1;
        if (s->backward)
            ASSAY_TRY(add_piece(e, p->backward_scratch, back, back, &s->piece_backward));
        if (capture && s->backward)
            ASSAY_TRY(add_piece(e, p->factor_bytes, back, end, &s->piece_factor));
        for (int i = 0; i < NN_MAX_INPUTS; i++) {
            s->piece_extra[i] = -1;
            if (!s->want_d[i])
                continue;
            /* Not the first to deliver this gradient: written apart, then added. */
            nn_value v = s->in[i];
            bool first = e->slot[v].grad_made == back;
            for (int j = 0; j < i; j++)
                first &= !(s->want_d[j] && s->in[j] == v);
            if (!first)
                ASSAY_TRY(add_piece(e,
                                    lies_in_arena(e, v) ? exec_value_bytes(e, v)
                                                        : g->value[v].count * 4,
                                    back, back, &s->piece_extra[i]));
        }
    }
    for (size_t i = 0; i < g->n_values; i++) {
        nn_value v = (nn_value)i;
        nn_slot *slot = &e->slot[v];
        slot->piece = slot->grad_piece = -1;
        if (!lies_in_arena(e, v) || slot->made == -2)
            continue;
        ASSAY_TRY(
            add_piece(e, exec_value_bytes(e, v), slot->made, slot->last, &slot->piece));
        if (slot->grad_made >= 0) {
            if (g->value[v].kind == NN_KIND_INPUT)
                slot->grad_last = end;
            ASSAY_TRY(add_piece(e, exec_value_bytes(e, v), slot->grad_made,
                                slot->grad_last, &slot->grad_piece));
        }
    }
done:
    return status;
}

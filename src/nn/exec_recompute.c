/* Recomputation: when the plan would take more memory than allowed, the steps are cut
 * into segments of about the same weight. What a segment but the last one leaves behind
 * for its own backward pass is dropped and computed again just before it (Chen et al.
 * 2016, arXiv 1604.06174, section 4). The fewest segments that fit are taken: the fewer,
 * the less is computed twice. */
#include "nn/exec_inside.h"

/* Bytes of what a step leaves to backward, about. */
static double weight_of(const nn_exec *e, const nn_step *s) {
    return (double)exec_value_each(e, s->out) * e->shard_batch +
           (double)s->plan[0].save_bytes;
}

static void cut(nn_exec *e, int segments) {
    double total = 0, before = 0;
    for (int k = 0; k < e->n_steps; k++)
        total += weight_of(e, &e->step[k]);
    for (int k = 0; k < e->n_steps; k++) {
        int segment = (int)(before * segments / total);
        e->step[k].segment = segment < segments ? segment : segments - 1;
        before += weight_of(e, &e->step[k]);
    }
}

/* Values that other segments than their maker's read, or the outside. */
static void mark_boundaries(nn_exec *e) {
    for (int k = 0; k < e->n_steps; k++)
        e->slot[e->step[k].out].boundary = e->slot[e->step[k].out].kept;
    for (int k = 0; k < e->n_steps; k++)
        for (int i = 0; i < e->step[k].n_in; i++) {
            nn_slot *in = &e->slot[e->step[k].in[i]];
            in->boundary |=
                in->maker >= 0 && e->step[in->maker].segment != e->step[k].segment;
        }
}

static void want_again(nn_exec *e, const nn_step *s, nn_value v) {
    const nn_slot *slot = &e->slot[v];
    if (slot->maker >= 0 && !slot->boundary && e->step[slot->maker].segment == s->segment)
        e->step[slot->maker].again = true;
}

/* Which steps run again: those that leave something of their own to backward, and those
 * whose output backward or another such step reads. Users come behind makers. */
static void mark_again(nn_exec *e) {
    int last = e->n_steps ? e->step[e->n_steps - 1].segment : 0;
    bool capture = e->options.mode == NN_CAPTURE;
    for (int k = 0; k < e->n_steps; k++)
        e->step[k].again = false;
    for (int k = e->n_steps; k-- > 0;) {
        nn_step *s = &e->step[k];
        const nn_plan *p = &s->plan[0];
        if (s->segment == last)
            continue;
        if (s->backward &&
            (p->save_bytes || (p->backward_reads_out && !e->slot[s->out].boundary)))
            s->again = true;
        for (int i = 0; i < s->n_in; i++) {
            bool reads = s->backward &&
                         ((p->backward_reads >> i & 1) || (capture && p->factor_reads_x));
            if (s->again || reads)
                want_again(e, s, s->in[i]);
        }
    }
}

static assay_status plan_with(nn_exec *e, int segments, int *order) {
    cut(e, segments);
    mark_boundaries(e);
    mark_again(e);
    exec_make_program(e);
    return exec_plan_memory(e, order);
}

static assay_status make_room(nn_exec *e) {
    assay_status status = ASSAY_OK;
    size_t calls = exec_most_calls(e);
    size_t pieces = 3 * e->graph->n_values + (7 + NN_MAX_INPUTS) * (size_t)e->n_steps + 1;
    e->own.cap = e->common.cap = (int)pieces;
    ASSAY_TRY(mem_new(e->ctx, &e->own.piece, pieces, sizeof *e->own.piece));
    ASSAY_TRY(mem_new(e->ctx, &e->common.piece, pieces, sizeof *e->common.piece));
    ASSAY_TRY(mem_new(e->ctx, &e->call, calls + 1, sizeof *e->call));
    ASSAY_TRY(mem_new(e->ctx, &e->stage, calls + 4, sizeof *e->stage));
done:
    return status;
}

assay_status exec_plan(nn_exec *e) {
    assay_status status = ASSAY_OK;
    int *order = NULL;
    size_t most = e->options.memory, least;
    ASSAY_TRY(make_room(e));
    ASSAY_TRY(mem_new(e->ctx, &order, (size_t)e->own.cap, sizeof *order));
    ASSAY_TRY(plan_with(e, 1, order));
    least = e->arena_bytes;
    if (most == 0 || least <= most)
        goto done;
    for (int segments = 2; segments <= e->n_steps; segments++) {
        ASSAY_TRY(plan_with(e, segments, order));
        if (e->arena_bytes <= most)
            goto done;
        if (e->arena_bytes < least)
            least = e->arena_bytes;
    }
    (void)err_set(ASSAY_E_NOMEM,
                  "a batch of %d examples takes %zu bytes, allowed are %zu",
                  e->options.batch, least, most);
    err_help("allow %zu bytes, or make the batch smaller", least);
    status = ASSAY_E_NOMEM;
done:
    mem_free(e->ctx, order);
    return status;
}

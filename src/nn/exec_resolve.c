/* The pointers that every call sees. They stay where they are for the executor's life;
 * only the numbers of examples change from run to run. */
#include "nn/exec_inside.h"

int exec_step_rows(const nn_exec *e, const nn_step *s, int n) {
    for (int i = 0; i < s->n_in; i++)
        if (nn_shape_open(&e->graph->value[s->in[i]].shape))
            return n;
    const nn_shape *x = &s->node->in_shape[0];
    return s->n_in && x->ndim ? (int)x->dim[0] : 1;
}

size_t exec_value_each(const nn_exec *e, nn_value v) {
    const nn_value_info *info = &e->graph->value[v];
    return (size_t)nn_shape_elements(&info->shape, 1) *
           (e->slot[v].half ? 2 : assay_dtype_size(info->dtype));
}

void *exec_at(const nn_exec *e, const nn_shard *sh, nn_place place) {
    if (place.piece < 0)
        return NULL;
    return place.common ? e->common_arena + e->common.piece[place.piece].offset
                        : sh->arena + e->own.piece[place.piece].offset;
}

/* The shard's stretch of what lies in one array for all. */
static void *stretch_at(const nn_exec *e, const nn_shard *sh, nn_value v, nn_place p) {
    uint8_t *at = exec_at(e, sh, p);
    bool parts = p.common && nn_shape_open(&e->graph->value[v].shape);
    size_t first = (size_t)sh->index * (size_t)e->shard_batch;
    return at && parts ? at + first * exec_value_each(e, v) : at;
}

void *exec_value_at(const nn_exec *e, const nn_shard *sh, nn_value v, int copy) {
    const nn_value_info *info = &e->graph->value[v];
    switch (info->kind) {
    case NN_KIND_PARAM:
        return e->weights->params + info->offset;
    case NN_KIND_BUFFER:
        return e->weights->buffers + info->offset;
    case NN_KIND_CONSTANT:
        return info->constant;
    default:
        return stretch_at(e, sh, v, e->slot[v].place[copy]);
    }
}

void *exec_grad_at(const nn_exec *e, const nn_shard *sh, nn_value v) {
    const nn_value_info *info = &e->graph->value[v];
    if (info->kind == NN_KIND_PARAM)
        return sh->grads ? sh->grads + info->offset : NULL;
    return stretch_at(e, sh, v, e->slot[v].grad);
}

static void resolve_call(nn_exec *e, nn_shard *sh, int c) {
    const nn_call *call = &e->call[c];
    const nn_step *s = &e->step[call->step];
    const nn_plan *p = &s->plan[sh->index];
    bool later = call->pass != NN_PASS_FORWARD;
    nn_io *io = &sh->io[c];
    *io =
        (nn_io){.node = s->node,
                .fused = s->fused,
                .n_fused = s->n_fused,
                .mode = e->options.mode,
                .shard = sh->index,
                .phase = call->phase,
                .seed = e->options.seed,
                .in_half = p->in_half,
                .out_half = p->out_half,
                .state = p->state,
                .out = exec_value_at(e, sh, s->out, exec_copy(e, s, s->out, call->pass)),
                .save = exec_at(e, sh, s->save[later && s->again]),
                .shared = exec_at(e, sh, s->shared),
                .scratch = exec_at(e, sh, s->scratch[call->pass]),
                .factor = exec_at(e, sh, s->factor)};
    if (s->backward)
        io->d_out = exec_grad_at(e, sh, s->out);
    for (int i = 0; i < s->n_in; i++) {
        nn_value v = s->in[i];
        io->in[i] = exec_value_at(e, sh, v, exec_copy(e, s, v, call->pass));
        if (e->graph->value[v].kind == NN_KIND_BUFFER)
            io->buffer[i] = call->pass == NN_PASS_AGAIN
                                ? e->discard + e->graph->value[v].offset
                                : e->weights->buffers + e->graph->value[v].offset;
        if (s->want_d[i])
            io->d_in[i] = s->extra[i].piece >= 0 ? exec_at(e, sh, s->extra[i])
                                                 : exec_grad_at(e, sh, v);
    }
}

void exec_resolve(nn_exec *e) {
    for (int i = 0; i < e->n_shards; i++)
        for (int c = 0; c < e->n_calls; c++)
            resolve_call(e, &e->shard[i], c);
    e->ran = 0;
}

void exec_set_run(nn_exec *e, int n) {
    if (e->ran == n)
        return;
    e->ran = n;
    e->team.shards = (n - 1) / e->shard_batch + 1;
    for (int i = 0; i < e->team.shards; i++) {
        nn_shard *sh = &e->shard[i];
        sh->first = i * e->shard_batch;
        sh->n = n - sh->first < e->shard_batch ? n - sh->first : e->shard_batch;
        for (int c = 0; c < e->n_calls; c++) {
            nn_io *io = &sh->io[c];
            const nn_step *s = &e->step[e->call[c].step];
            io->n = exec_step_rows(e, s, sh->n);
            io->total = exec_step_rows(e, s, n);
            io->first = sh->first;
            io->shards = e->team.shards;
        }
    }
}

/* Into how many shards a batch is cut, and every shard's plans. Shards depend on the
 * graph and on sizes only. */
#include "nn/exec_inside.h"

#include <string.h>

enum { SHARD_EXAMPLES = 64, USUAL_SHARDS = 8 };

static bool wants_whole(const nn_op_def *op) {
    return op->batch_coupled && op->phases < 2;
}

/* Whether a step must see the whole batch at once: it says so, or it makes one thing of
 * all examples. */
static bool step_wants_whole(const nn_exec *e, const nn_step *s) {
    bool whole = wants_whole(s->node->op), open = false;
    for (int i = 0; i < s->n_fused; i++)
        whole |= wants_whole(s->fused[i]->op);
    for (int i = 0; i < s->n_in; i++) {
        const nn_value_info *in = &e->graph->value[s->in[i]];
        open |= nn_shape_open(&in->shape);
        /* The gradient of what all examples share. */
        whole |= in->kind == NN_KIND_INPUT && !nn_shape_open(&in->shape) &&
                 e->slot[s->in[i]].wants_grad;
    }
    return whole || (open && !nn_shape_open(&e->graph->value[s->out].shape));
}

static int choose_shards(const nn_exec *e) {
    const nn_exec_options *o = &e->options;
    if (o->mode == NN_CAPTURE) /* factors point at whole batches */
        return 1;
    for (int k = 0; k < e->n_steps; k++)
        if (step_wants_whole(e, &e->step[k]))
            return 1;
    int n = o->shards;
    if (n == 0) {
        n = (o->batch - 1) / SHARD_EXAMPLES + 1;
        n = n < USUAL_SHARDS ? n : USUAL_SHARDS;
    }
    return n < o->batch ? n : o->batch;
}

static assay_status plan_step(nn_exec *e, const nn_step *s, int shard) {
    nn_plan *p = &s->plan[shard];
    *p = (nn_plan){.ctx = e->ctx,
                   .engine = e->shard[shard].engine,
                   .node = s->node,
                   .n_fused = s->n_fused,
                   .mode = e->options.mode,
                   .batch = exec_step_rows(e, s, e->shard_batch),
                   .dtype = e->options.dtype,
                   .kernels = e->options.kernels,
                   .backward = s->backward,
                   .shards = e->n_shards,
                   .out_half = e->slot[s->out].half};
    for (int i = 0; i < s->n_in; i++)
        p->in_half |= e->slot[s->in[i]].half ? 1u << i : 0u;
    memcpy(p->fused, s->fused, sizeof p->fused);
    memcpy(p->want_d, s->want_d, sizeof p->want_d);
    return s->node->op->plan ? s->node->op->plan(p) : ASSAY_OK;
}

static void grow(size_t *most, size_t bytes) {
    if (bytes > *most)
        *most = bytes;
}

/* All shards' memory is laid out alike: as much as any of them asks for. */
static void agree(nn_plan *first, const nn_plan *p) {
    grow(&first->save_bytes, p->save_bytes);
    grow(&first->shared_bytes, p->shared_bytes);
    grow(&first->forward_scratch, p->forward_scratch);
    grow(&first->backward_scratch, p->backward_scratch);
    grow(&first->factor_bytes, p->factor_bytes);
    first->backward_reads |= p->backward_reads;
    first->backward_reads_out |= p->backward_reads_out;
}

assay_status exec_make_shards(nn_exec *e) {
    assay_status status = ASSAY_OK;
    int n = choose_shards(e);
    e->shard_batch = (e->options.batch - 1) / n + 1;
    e->n_shards = (e->options.batch - 1) / e->shard_batch + 1;
    size_t shards = (size_t)e->n_shards, steps = (size_t)e->n_steps + 1;
    ASSAY_TRY(mem_new(e->ctx, &e->shard, shards, sizeof *e->shard));
    for (int i = 0; i < e->n_shards; i++) {
        nn_shard *sh = &e->shard[i];
        sh->index = i;
        ASSAY_TRY(dn_engine_create(&sh->engine, e->ctx));
        ASSAY_TRY(mem_new(e->ctx, &sh->forward_ns, steps, sizeof *sh->forward_ns));
        ASSAY_TRY(mem_new(e->ctx, &sh->backward_ns, steps, sizeof *sh->backward_ns));
    }
    for (int k = 0; k < e->n_steps; k++) {
        nn_step *s = &e->step[k];
        ASSAY_TRY(mem_new(e->ctx, &s->plan, shards, sizeof *s->plan));
        for (int i = 0; i < e->n_shards; i++) {
            ASSAY_TRY(plan_step(e, s, i));
            agree(&s->plan[0], &s->plan[i]);
        }
    }
done:
    return status;
}

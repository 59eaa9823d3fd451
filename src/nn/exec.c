/* The executor's life: made once, with every decision taken and every piece of memory
 * placed; then a run walks an array of calls. */
#include "nn/exec_inside.h"

#include "base/os.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Whether a weight that is not trained stands before the step's first parameter: what is
 * handed out begins with the weight. */
static bool has_fixed_weight(const nn_exec *e, const nn_step *s) {
    for (int i = 1; i < s->n_in; i++) {
        nn_value_kind kind = e->graph->value[s->in[i]].kind;
        if (kind == NN_KIND_PARAM)
            return false;
        if (kind == NN_KIND_BUFFER)
            return true;
    }
    return false;
}

static assay_status list_factors(nn_exec *e) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(mem_new(e->ctx, &e->factor, (size_t)e->n_steps + 1, sizeof *e->factor));
    ASSAY_TRY(
        mem_new(e->ctx, &e->factor_step, (size_t)e->n_steps + 1, sizeof *e->factor_step));
    if (e->options.mode != NN_CAPTURE)
        goto done;
    for (int k = 0; k < e->n_steps; k++) {
        const nn_step *s = &e->step[k];
        int params = 0;
        for (int i = 0; i < s->n_in; i++)
            params += e->graph->value[s->in[i]].kind == NN_KIND_PARAM;
        if (!s->backward || params == 0)
            continue;
        bool shared = !nn_shape_open(&s->node->out_shape); /* the same for all */
        if (!s->node->op->factors || params > 2 || has_fixed_weight(e, s) || shared)
            ASSAY_FAIL(ASSAY_E_UNSUPPORTED,
                       "%s has parameters, but no per-example gradients",
                       s->node->op->name);
        e->factor_step[e->n_factors++] = k;
    }
done:
    return status;
}

/* ---- life ---- */

static assay_status check_options(const nn_exec_options *o) {
    if (o->batch < 1 || o->batch > 1 << 20)
        return err_set(ASSAY_E_INVALID, "a batch of %d examples", o->batch);
    if (o->shards < 0 || o->shards > NN_MAX_SHARDS)
        return err_set(ASSAY_E_INVALID, "a batch in %d shards; at most %d are possible",
                       o->shards, NN_MAX_SHARDS);
    if (o->dtype != ASSAY_F32 && o->dtype != ASSAY_BF16)
        return err_set(ASSAY_E_DTYPE, "the executor computes in f32 or bf16");
    if (o->dtype == ASSAY_BF16 && !dn_bf16_runs())
        return err_set(ASSAY_E_UNSUPPORTED, "bf16 products need AVX-512; in use is %s",
                       assay_isa_name());
    return ASSAY_OK;
}

static assay_status make_arenas(nn_exec *e) {
    assay_status status = ASSAY_OK;
    size_t floats = e->graph->param_floats + 1, calls = (size_t)e->n_calls + 1;
    ASSAY_TRY(os_new_large(e->ctx, &e->common_arena, e->common.bytes + 64));
    for (int i = 0; i < e->n_shards; i++) {
        nn_shard *sh = &e->shard[i];
        ASSAY_TRY(os_new_large(e->ctx, &sh->arena, e->own.bytes + 64));
        ASSAY_TRY(mem_new(e->ctx, &sh->io, calls, sizeof *sh->io));
        if (e->options.mode == NN_TRAIN)
            ASSAY_TRY(mem_new(e->ctx, &sh->grads, floats, sizeof *sh->grads));
    }
    e->grads = e->shard[0].grads;
    ASSAY_TRY(
        mem_new(e->ctx, &e->discard, e->graph->buffer_floats + 1, sizeof *e->discard));
done:
    return status;
}

assay_status nn_exec_create(nn_exec **out,
                            assay_ctx *ctx,
                            const nn_graph *g,
                            nn_weights *weights,
                            const nn_exec_options *options) {
    assay_status status = ASSAY_OK;
    nn_exec *e = NULL;
    bool *taken = NULL;
    *out = NULL;
    ASSAY_TRY(check_options(options));
    ASSAY_TRY(mem_new(ctx, &e, 1, sizeof *e));
    e->ctx = ctx;
    e->graph = g;
    e->weights = weights;
    e->options = *options;
    e->reports = log_verbose_on(ctx, "profile");
    e->profile = e->reports || options->profile;
    (void)pthread_mutex_init(&e->team.lock, NULL);
    (void)pthread_cond_init(&e->team.wake, NULL);
    ASSAY_TRY(mem_new(ctx, &e->slot, g->n_values + 1, sizeof *e->slot));
    ASSAY_TRY(mem_new(ctx, &e->step, g->n_nodes + 1, sizeof *e->step));
    ASSAY_TRY(mem_new(ctx, &taken, g->n_nodes + 1, sizeof *taken));
    for (size_t v = 0; v < g->n_values; v++)
        e->slot[v].maker = e->slot[v].grad_from = -1;
    ASSAY_TRY(exec_make_steps(e, taken));
    ASSAY_TRY(exec_make_shards(e));
    ASSAY_TRY(exec_plan(e));
    ASSAY_TRY(make_arenas(e));
    ASSAY_TRY(list_factors(e));
    exec_resolve(e);
    /* The caller's are borrowed no longer than this call. */
    e->options.keep = NULL;
    e->options.kernels = NULL;
    *out = e;
    e = NULL;
done:
    mem_free(ctx, taken);
    nn_exec_destroy(e);
    return status;
}

/* Where the time went, one line per step: microseconds of processor time per example. */
static void report_profile(const nn_exec *e) {
    for (int k = 0; k < e->n_steps && e->examples; k++) {
        nn_exec_row row = nn_exec_row_at(e, k);
        double each = 1e-3 / (double)e->examples;
        log_verbose(e->ctx, "profile", "nn %2d %s forward %.3f backward %.3f", k,
                    row.name, (double)row.forward_ns * each,
                    (double)row.backward_ns * each);
    }
}

static void unplan(const nn_exec *e, const nn_step *s) {
    for (int i = 0; s->plan && s->node->op->unplan && i < e->n_shards; i++)
        s->node->op->unplan(&s->plan[i]);
    mem_free(e->ctx, s->plan);
}

void nn_exec_destroy(nn_exec *e) {
    if (!e)
        return;
    assay_ctx *ctx = e->ctx;
    if (e->reports)
        report_profile(e);
    for (int k = 0; k < e->n_steps; k++)
        unplan(e, &e->step[k]);
    for (int i = 0; e->shard && i < e->n_shards; i++) {
        nn_shard *sh = &e->shard[i];
        dn_engine_destroy(sh->engine);
        mem_free(ctx, sh->arena);
        mem_free(ctx, sh->grads);
        mem_free(ctx, sh->io);
        mem_free(ctx, sh->forward_ns);
        mem_free(ctx, sh->backward_ns);
    }
    (void)pthread_mutex_destroy(&e->team.lock);
    (void)pthread_cond_destroy(&e->team.wake);
    mem_free(ctx, e->shard);
    mem_free(ctx, e->slot);
    mem_free(ctx, e->step);
    mem_free(ctx, e->call);
    mem_free(ctx, e->stage);
    mem_free(ctx, e->own.piece);
    mem_free(ctx, e->common.piece);
    mem_free(ctx, e->common_arena);
    mem_free(ctx, e->discard);
    mem_free(ctx, e->factor);
    mem_free(ctx, e->factor_step);
    mem_free(ctx, e);
}

static bool is_input(const nn_exec *e, nn_value v) {
    return v >= 0 && (size_t)v < e->graph->n_values &&
           e->graph->value[v].kind == NN_KIND_INPUT;
}

void *nn_exec_input(nn_exec *e, nn_value input) {
    return is_input(e, input) ? exec_value_at(e, &e->shard[0], input, 0) : NULL;
}

void nn_exec_set_step(nn_exec *e, uint64_t step) {
    for (int i = 0; i < e->n_shards; i++)
        for (int c = 0; c < e->n_calls; c++)
            e->shard[i].io[c].step = step;
}

assay_status nn_exec_forward(nn_exec *e, int n) {
    assay_status status = ASSAY_OK;
    if (n < 1 || n > e->options.batch)
        return err_set(ASSAY_E_INVALID, "%d examples in a batch of %d", n,
                       e->options.batch);
    e->n = 0;
    exec_set_run(e, n);
    ASSAY_TRY(exec_run(e, 0, e->n_forward_stages));
    e->n = n;
    e->examples += (uint64_t)n;
done:
    return status;
}

const float *nn_exec_value(const nn_exec *e, nn_value v) {
    bool there = v >= 0 && (size_t)v < e->graph->n_values && e->slot[v].kept;
    return there ? exec_value_at(e, &e->shard[0], v, 0) : NULL;
}

/* Describes the per-example gradients of one step: its first parameter is the weight, the
 * second the bias. */
static void fill_factor(nn_exec *e, nn_factor *f, const nn_step *s) {
    int params = 0;
    *f = (nn_factor){.node = s->node->index, .n = e->n};
    for (int i = 0; i < s->n_in; i++) {
        const nn_value_info *v = &e->graph->value[s->in[i]];
        if (v->kind != NN_KIND_PARAM)
            continue;
        *(params == 0 ? &f->weight_offset : &f->bias_offset) = v->offset;
        *(params == 0 ? &f->weight_count : &f->bias_count) = v->count;
        params++;
    }
    s->node->op->factors(&e->shard[0].io[s->end[NN_PASS_BACKWARD]], f);
}

assay_status nn_exec_backward(nn_exec *e, const float *seed) {
    assay_status status = ASSAY_OK;
    if (e->options.mode == NN_EVAL || e->options.target < 0)
        return err_set(ASSAY_E_INVALID, "this executor was made without a backward pass");
    if (e->n == 0)
        return err_set(ASSAY_E_INVALID, "backward needs a forward pass before it");
    e->seed = seed;
    ASSAY_TRY(exec_run(e, e->n_forward_stages, e->n_stages));
    for (int i = 0; i < e->n_factors; i++)
        fill_factor(e, &e->factor[i], &e->step[e->factor_step[i]]);
    e->n = 0; /* what forward left has been overwritten */
done:
    e->seed = NULL;
    return status;
}

float *nn_exec_grads(nn_exec *e) {
    return e->grads;
}

const float *nn_exec_input_grad(const nn_exec *e, nn_value input) {
    return is_input(e, input) ? exec_grad_at(e, &e->shard[0], input) : NULL;
}

int nn_exec_factor_count(const nn_exec *e) {
    return e->n_factors;
}

nn_factor nn_exec_factor(const nn_exec *e, int i) {
    assert(i >= 0 && i < e->n_factors);
    return e->factor[i];
}

uint64_t nn_exec_primitives(const nn_exec *e) {
    uint64_t n = 0;
    for (int i = 0; i < e->n_shards; i++)
        n += dn_primitive_count(e->shard[i].engine);
    return n;
}

int nn_exec_rows(const nn_exec *e) {
    return e->n_steps;
}

nn_exec_row nn_exec_row_at(const nn_exec *e, int i) {
    assert(i >= 0 && i < e->n_steps);
    const nn_step *s = &e->step[i];
    nn_exec_row row = {.op = s->node->op->name};
    for (int k = 0; k < e->n_shards; k++) {
        row.forward_ns += e->shard[k].forward_ns[i];
        row.backward_ns += e->shard[k].backward_ns[i];
    }
    size_t at = (size_t)snprintf(row.name, sizeof row.name, "%s", row.op);
    for (int k = 0; k < s->n_fused && at < sizeof row.name; k++)
        at += (size_t)snprintf(row.name + at, sizeof row.name - at, "+%s",
                               s->fused[k]->op->name);
    return row;
}

size_t nn_exec_arena_bytes(const nn_exec *e) {
    return e->arena_bytes;
}

size_t nn_exec_unshared_bytes(const nn_exec *e) {
    return e->unshared_bytes;
}

bool nn_bf16_pays(void) {
    return dn_bf16_pays();
}

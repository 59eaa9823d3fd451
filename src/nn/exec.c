/* The executor's life: made once, with every decision taken and every piece of memory
 * placed; then a run walks an array of steps. */
#include "nn/exec_inside.h"

#include "base/os.h"
#include "tensor/tensor.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static void *piece_at(const nn_exec *e, int piece) {
    return piece < 0 ? NULL : e->arena + e->piece[piece].offset;
}

static void resolve_values(nn_exec *e) {
    const nn_graph *g = e->graph;
    for (size_t v = 0; v < g->n_values; v++) {
        nn_slot *slot = &e->slot[v];
        const nn_value_info *info = &g->value[v];
        slot->data = piece_at(e, slot->piece);
        slot->grad = piece_at(e, slot->grad_piece);
        if (info->kind == NN_KIND_PARAM) {
            slot->data = e->weights->params + info->offset;
            slot->grad = e->grads ? e->grads + info->offset : NULL;
        } else if (info->kind == NN_KIND_BUFFER) {
            slot->data = e->weights->buffers + info->offset;
        } else if (info->kind == NN_KIND_CONSTANT) {
            slot->data = info->constant;
        }
    }
}

static void resolve_steps(nn_exec *e) {
    const nn_graph *g = e->graph;
    for (int k = 0; k < e->n_steps; k++) {
        nn_step *s = &e->step[k];
        nn_io *io = &s->io;
        *io = (nn_io){.node = s->node,
                      .fused = s->fused,
                      .n_fused = s->n_fused,
                      .mode = e->options.mode,
                      .in_half = s->plan.in_half,
                      .out_half = s->plan.out_half,
                      .state = s->plan.state,
                      .out = e->slot[s->out].data,
                      .shards = 1,
                      .seed = e->options.seed,
                      .save = piece_at(e, s->piece_save),
                      .shared = piece_at(e, s->piece_shared),
                      .factor = piece_at(e, s->piece_factor)};
        if (s->backward)
            io->d_out = e->slot[s->out].grad;
        for (int i = 0; i < s->n_in; i++) {
            nn_value v = s->in[i];
            io->in[i] = e->slot[v].data;
            if (g->value[v].kind == NN_KIND_BUFFER)
                io->buffer[i] = e->slot[v].data;
            if (!s->want_d[i])
                continue;
            void *extra = piece_at(e, s->piece_extra[i]);
            io->d_in[i] = extra ? extra : e->slot[v].grad;
            s->add_to[i] = extra ? e->slot[v].grad : NULL;
        }
    }
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
        bool has_params = false;
        for (int i = 0; i < s->n_in; i++)
            has_params |= e->graph->value[s->in[i]].kind == NN_KIND_PARAM;
        if (!s->backward || !has_params)
            continue;
        if (!s->node->op->factors)
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
    if (o->dtype != ASSAY_F32 && o->dtype != ASSAY_BF16)
        return err_set(ASSAY_E_DTYPE, "the executor computes in f32 or bf16");
    if (o->dtype == ASSAY_BF16 && !dn_bf16_runs())
        return err_set(ASSAY_E_UNSUPPORTED, "bf16 products need AVX-512; in use is %s",
                       assay_isa_name());
    return ASSAY_OK;
}

assay_status nn_exec_create(nn_exec **out,
                            assay_ctx *ctx,
                            const nn_graph *g,
                            nn_weights *weights,
                            const nn_exec_options *options) {
    assay_status status = ASSAY_OK;
    nn_exec *e = NULL;
    bool *taken = NULL;
    int *order = NULL;
    *out = NULL;
    ASSAY_TRY(check_options(options));
    ASSAY_TRY(mem_new(ctx, &e, 1, sizeof *e));
    e->ctx = ctx;
    e->graph = g;
    e->weights = weights;
    e->options = *options;
    e->reports = log_verbose_on(ctx, "profile");
    e->profile = e->reports || options->profile;
    ASSAY_TRY(dn_engine_create(&e->engine, ctx));
    ASSAY_TRY(mem_new(ctx, &e->slot, g->n_values + 1, sizeof *e->slot));
    ASSAY_TRY(mem_new(ctx, &e->step, g->n_nodes + 1, sizeof *e->step));
    ASSAY_TRY(mem_new(ctx, &taken, g->n_nodes + 1, sizeof *taken));
    for (size_t v = 0; v < g->n_values; v++) {
        e->slot[v].made = -2;
        e->slot[v].last = e->slot[v].grad_made = e->slot[v].grad_last = -1;
    }
    ASSAY_TRY(exec_make_steps(e, taken));
    e->cap_pieces = (int)(2 * g->n_values + (5 + NN_MAX_INPUTS) * (size_t)e->n_steps) + 1;
    ASSAY_TRY(mem_new(ctx, &e->piece, (size_t)e->cap_pieces, sizeof *e->piece));
    ASSAY_TRY(exec_plan_lifetimes(e));
    ASSAY_TRY(mem_new(ctx, &order, (size_t)e->n_pieces + 1, sizeof *order));
    memplan_place(e->piece, e->n_pieces, order, &e->arena_bytes);
    ASSAY_TRY(mem_new(ctx, &e->arena, e->arena_bytes + 64, 1));
    if (options->mode == NN_TRAIN)
        ASSAY_TRY(mem_new(ctx, &e->grads, g->param_floats + 1, sizeof(float)));
    ASSAY_TRY(list_factors(e));
    resolve_values(e);
    resolve_steps(e);
    /* The caller's list is borrowed no longer than this call. */
    e->options.keep = NULL;
    *out = e;
    e = NULL;
done:
    mem_free(ctx, taken);
    mem_free(ctx, order);
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

void nn_exec_destroy(nn_exec *e) {
    if (!e)
        return;
    assay_ctx *ctx = e->ctx;
    if (e->reports)
        report_profile(e);
    for (int k = 0; k < e->n_steps; k++)
        if (e->step[k].node->op->unplan)
            e->step[k].node->op->unplan(&e->step[k].plan);
    dn_engine_destroy(e->engine);
    mem_free(ctx, e->slot);
    mem_free(ctx, e->step);
    mem_free(ctx, e->piece);
    mem_free(ctx, e->arena);
    mem_free(ctx, e->grads);
    mem_free(ctx, e->factor);
    mem_free(ctx, e->factor_step);
    mem_free(ctx, e);
}

void *nn_exec_input(nn_exec *e, nn_value input) {
    bool known = input >= 0 && (size_t)input < e->graph->n_values &&
                 e->graph->value[input].kind == NN_KIND_INPUT;
    return known ? e->slot[input].data : NULL;
}

void nn_exec_set_step(nn_exec *e, uint64_t step) {
    for (int k = 0; k < e->n_steps; k++)
        e->step[k].io.step = step;
}

/* Phases of a step: those of the op or of one that it takes along. */
static int phases_of(const nn_exec *e, const nn_step *s) {
    int phases = s->node->op->phases;
    for (int i = 0; i < s->n_fused; i++)
        if (s->fused[i]->op->phases > phases)
            phases = s->fused[i]->op->phases;
    return e->options.mode == NN_TRAIN && phases > 1 ? phases : 1;
}

assay_status nn_exec_forward(nn_exec *e, int n) {
    assay_status status = ASSAY_OK;
    if (n < 1 || n > e->options.batch)
        return err_set(ASSAY_E_INVALID, "%d examples in a batch of %d", n,
                       e->options.batch);
    int before = dn_enter();
    e->n = 0;
    for (int k = 0; k < e->n_steps; k++) {
        nn_step *s = &e->step[k];
        s->io.n = exec_step_rows(e, s, n);
        s->io.total = s->io.n;
        s->io.scratch = piece_at(e, s->piece_forward);
        uint64_t since = e->profile ? os_thread_cpu_ns() : 0;
        for (s->io.phase = 0; s->io.phase < phases_of(e, s); s->io.phase++)
            ASSAY_TRY(s->node->op->forward(&s->io));
        s->forward_ns += e->profile ? os_thread_cpu_ns() - since : 0;
    }
    e->n = n;
    e->examples += (uint64_t)n;
done:
    dn_leave(before);
    return status;
}

const float *nn_exec_value(const nn_exec *e, nn_value v) {
    bool there = v >= 0 && (size_t)v < e->graph->n_values && e->slot[v].kept;
    return there ? e->slot[v].data : NULL;
}

static void add_into(void *to, const void *from, size_t count, bool half) {
    const uint16_t *from_half = from;
    const float *from_f32 = from;
    if (half)
        for (size_t i = 0; i < count; i++)
            ((uint16_t *)to)[i] = ten_bf16(ten_from_bf16(((uint16_t *)to)[i]) +
                                           ten_from_bf16(from_half[i]));
    else
        for (size_t i = 0; i < count; i++)
            ((float *)to)[i] += from_f32[i];
}

assay_status nn_exec_backward(nn_exec *e, const float *seed) {
    assay_status status = ASSAY_OK;
    if (e->options.mode == NN_EVAL || e->options.target < 0)
        return err_set(ASSAY_E_INVALID, "this executor was made without a backward pass");
    if (e->n == 0)
        return err_set(ASSAY_E_INVALID, "backward needs a forward pass before it");
    int before = dn_enter();
    const nn_value_info *value = e->graph->value;
    const nn_slot *target = &e->slot[e->options.target];
    if (target->grad)
        memcpy(target->grad, seed,
               (size_t)nn_shape_elements(&value[e->options.target].shape, e->n) * 4);
    for (int k = e->n_steps; k-- > 0;) {
        nn_step *s = &e->step[k];
        if (!s->backward)
            continue;
        s->io.scratch = piece_at(e, s->piece_backward);
        uint64_t since = e->profile ? os_thread_cpu_ns() : 0;
        for (s->io.phase = 0; s->io.phase < phases_of(e, s); s->io.phase++)
            ASSAY_TRY(s->node->op->backward(&s->io));
        s->backward_ns += e->profile ? os_thread_cpu_ns() - since : 0;
        for (int i = 0; i < s->n_in; i++)
            if (s->add_to[i]) {
                const nn_value_info *v = &value[s->in[i]];
                add_into(s->add_to[i], s->io.d_in[i],
                         (size_t)nn_shape_elements(&v->shape, e->n),
                         e->slot[s->in[i]].half);
            }
    }
    for (int i = 0; i < e->n_factors; i++) {
        const nn_step *s = &e->step[e->factor_step[i]];
        nn_factor *f = &e->factor[i];
        *f = (nn_factor){.node = s->node->index, .n = e->n};
        for (int k = 1; k < s->n_in && k < 3; k++) {
            const nn_value_info *v = &value[s->in[k]];
            if (v->kind != NN_KIND_PARAM)
                continue;
            *(k == 1 ? &f->weight_offset : &f->bias_offset) = v->offset;
            *(k == 1 ? &f->weight_count : &f->bias_count) = v->count;
        }
        s->node->op->factors(&s->io, f);
    }
    e->n = 0; /* what forward left has been overwritten */
done:
    dn_leave(before);
    return status;
}

float *nn_exec_grads(nn_exec *e) {
    return e->grads;
}

const float *nn_exec_input_grad(const nn_exec *e, nn_value input) {
    bool there = input >= 0 && (size_t)input < e->graph->n_values &&
                 e->graph->value[input].kind == NN_KIND_INPUT;
    return there ? e->slot[input].grad : NULL;
}

int nn_exec_factor_count(const nn_exec *e) {
    return e->n_factors;
}

nn_factor nn_exec_factor(const nn_exec *e, int i) {
    assert(i >= 0 && i < e->n_factors);
    return e->factor[i];
}

int nn_exec_rows(const nn_exec *e) {
    return e->n_steps;
}

nn_exec_row nn_exec_row_at(const nn_exec *e, int i) {
    assert(i >= 0 && i < e->n_steps);
    const nn_step *s = &e->step[i];
    nn_exec_row row = {.op = s->node->op->name,
                       .forward_ns = s->forward_ns,
                       .backward_ns = s->backward_ns};
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

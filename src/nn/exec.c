/* The executor: which nodes run and in which steps, what lives how long, where it lies.
 * All decisions are taken in nn_exec_create; a run walks an array of steps.
 *
 * Time is counted in steps: forward step i is i, its backward step is 2 S - 1 - i (S
 * steps in all). Every buffer is a piece with a lifetime in that count; memplan.c places
 * the pieces. */
#include "nn/exec.h"

#include "base/os.h"
#include "nn/graph_inside.h"
#include "nn/memplan.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* One node, or several done in one pass. */
typedef struct nn_step {
    const nn_node *node, *fused[NN_MAX_FUSED];
    int n_fused;
    nn_value in[NN_MAX_INPUTS]; /* the node's, then the fused nodes' but their first */
    int n_in;
    nn_value out; /* of the last of them */
    bool backward, want_d[NN_MAX_INPUTS];
    nn_plan plan;
    nn_io io;
    /* Where a gradient is added to instead of written (a value with several users); NULL
     * else. */
    float *add_to[NN_MAX_INPUTS];
    int piece_save, piece_forward, piece_backward, piece_factor,
        piece_extra[NN_MAX_INPUTS];
    uint64_t forward_ns, backward_ns; /* if profiling */
} nn_step;

/* What the executor knows about a value. */
typedef struct nn_slot {
    bool needed, kept, wants_grad;
    bool half;                /* lies in bf16, and its gradient too */
    int made, last;           /* lifetime of the contents */
    int grad_made, grad_last; /* of the gradient; made -1: none */
    int users;
    int piece, grad_piece;
    void *data;
    float *grad;
} nn_slot;

struct nn_exec {
    assay_ctx *ctx;
    const nn_graph *graph;
    nn_weights *weights;
    nn_exec_options options;
    dn_engine *engine;
    nn_slot *slot;
    nn_step *step;
    int n_steps;
    mem_piece *piece;
    int n_pieces, cap_pieces;
    uint8_t *arena;
    size_t arena_bytes, unshared_bytes;
    float *grads;
    nn_factor *factor;
    int *factor_step;
    int n_factors;
    bool profile; /* ASSAY_VERBOSE=profile */
    uint64_t examples;
    int n; /* examples of a forward whose backward has not come; 0: none */
};

/* ---- which nodes, in which steps ---- */

static assay_status mark_needed(nn_exec *e) {
    const nn_graph *g = e->graph;
    const nn_exec_options *o = &e->options;
    for (int i = 0; i < o->n_keep; i++) {
        if (o->keep[i] < 0 || (size_t)o->keep[i] >= g->n_values)
            return err_set(ASSAY_E_INVALID, "a value to keep is not of this graph");
        e->slot[o->keep[i]].needed = e->slot[o->keep[i]].kept = true;
    }
    if (o->target >= 0) {
        if ((size_t)o->target >= g->n_values || g->value[o->target].node < 0)
            return err_set(ASSAY_E_INVALID,
                           "the target is not a computed value of this graph");
        e->slot[o->target].needed = e->slot[o->target].kept = true;
    }
    for (size_t k = g->n_nodes; k-- > 0;) {
        const nn_node *node = &g->node[k];
        if (!e->slot[node->out].needed)
            continue;
        for (int i = 0; i < node->n_in; i++) {
            e->slot[node->in[i]].needed = true;
            e->slot[node->in[i]].users++;
        }
    }
    return ASSAY_OK;
}

/* The only node that uses `v`, if nobody else may see it; NULL otherwise. */
static const nn_node *only_user(const nn_exec *e, nn_value v) {
    const nn_graph *g = e->graph;
    if (e->slot[v].kept || e->slot[v].users != 1)
        return NULL;
    for (size_t k = 0; k < g->n_nodes; k++) {
        const nn_node *node = &g->node[k];
        if (!e->slot[node->out].needed || node->in[0] != v)
            continue;
        for (int i = 1; i < node->n_in; i++)
            if (g->value[node->in[i]].kind != NN_KIND_PARAM &&
                g->value[node->in[i]].kind != NN_KIND_BUFFER)
                return NULL;
        return node;
    }
    return NULL;
}

/* Which values' gradients somebody wants: parameters, kept images, and all that depend on
 * them. */
static void mark_wishes(nn_exec *e) {
    const nn_graph *g = e->graph;
    if (e->options.mode == NN_EVAL || e->options.target < 0)
        return;
    for (size_t v = 0; v < g->n_values; v++) {
        nn_value_kind kind = g->value[v].kind;
        bool image = kind == NN_KIND_INPUT && g->value[v].dtype == ASSAY_F32;
        e->slot[v].wants_grad = kind == NN_KIND_PARAM || (image && e->slot[v].kept);
    }
    for (size_t k = 0; k < g->n_nodes; k++) {
        const nn_node *node = &g->node[k];
        for (int i = 0; i < node->n_in; i++)
            e->slot[node->out].wants_grad |= e->slot[node->in[i]].wants_grad;
    }
}

static void add_inputs(nn_step *s, const nn_node *node, int first) {
    for (int i = first; i < node->n_in; i++)
        s->in[s->n_in++] = node->in[i];
}

/* How many inputs a step over `node` and the first `n` of `chain` would have. */
static int inputs_with(const nn_node *node, const nn_node *const *chain, int n) {
    int count = node->n_in;
    for (int i = 0; i < n; i++)
        count += chain[i]->n_in - 1;
    return count;
}

static void make_steps(nn_exec *e, bool *taken) {
    const nn_graph *g = e->graph;
    for (size_t k = 0; k < g->n_nodes; k++) {
        const nn_node *node = &g->node[k];
        if (!e->slot[node->out].needed || taken[k])
            continue;
        nn_step *s = &e->step[e->n_steps++];
        s->node = node;
        s->out = node->out;
        const nn_node *chain[NN_MAX_FUSED];
        int n = 0;
        for (nn_value v = node->out; n < NN_MAX_FUSED; v = chain[n++]->out)
            if (!(chain[n] = only_user(e, v)) ||
                inputs_with(node, chain, n + 1) > NN_MAX_INPUTS)
                break;
        bool x_grad = e->slot[node->in[0]].wants_grad;
        int fused =
            node->op->fuse ? node->op->fuse(node, chain, n, e->options.mode, x_grad) : 0;
        add_inputs(s, node, 0);
        for (int i = 0; i < fused; i++) {
            s->fused[i] = chain[i];
            add_inputs(s, chain[i], 1);
            s->out = chain[i]->out;
            taken[chain[i]->index] = true;
        }
        s->n_fused = fused;
    }
}

/* The step that alone reads `v`, and as its first input; NULL if there is none. */
static const nn_step *only_reader(const nn_exec *e, nn_value v) {
    const nn_step *reader = NULL;
    for (int k = 0; k < e->n_steps; k++)
        for (int i = 0; i < e->step[k].n_in; i++)
            if (e->step[k].in[i] == v) {
                if (reader || i > 0)
                    return NULL;
                reader = &e->step[k];
            }
    return reader;
}

/* Computing in bf16, images between two ops that can do so lie in bf16. Factors are f32.
 */
static void mark_halves(nn_exec *e) {
    if (e->options.dtype != ASSAY_BF16 || e->options.mode == NN_CAPTURE)
        return;
    for (int k = 0; k < e->n_steps; k++) {
        const nn_step *s = &e->step[k];
        const nn_step *reader = only_reader(e, s->out);
        e->slot[s->out].half = !e->slot[s->out].kept && s->node->op->half_out && reader &&
                               reader->node->op->half_in &&
                               e->graph->value[s->out].shape.ndim == 4;
    }
}

/* ---- gradients: when they come and go ---- */

static void mark_gradients(nn_exec *e) {
    const nn_graph *g = e->graph;
    const nn_exec_options *o = &e->options;
    if (o->mode == NN_EVAL || o->target < 0)
        return;
    /* Backward runs where the target's gradient arrives and somebody wants it. */
    e->slot[o->target].grad_made =
        e->n_steps; /* written before the first backward step */
    for (int k = e->n_steps; k-- > 0;) {
        nn_step *s = &e->step[k];
        int now = 2 * e->n_steps - 1 - k;
        nn_slot *out = &e->slot[s->out];
        s->backward = out->grad_made >= 0 && out->wants_grad;
        if (!s->backward)
            continue;
        out->grad_last = now;
        for (int i = 0; i < s->n_in; i++) {
            nn_slot *in = &e->slot[s->in[i]];
            bool param = g->value[s->in[i]].kind == NN_KIND_PARAM;
            s->want_d[i] = in->wants_grad && !(param && o->mode != NN_TRAIN);
            if (s->want_d[i] && in->grad_made < 0)
                in->grad_made = in->grad_last = now;
        }
    }
}

/* ---- lifetimes ---- */

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

static size_t value_bytes(const nn_exec *e, nn_value v) {
    size_t count = (size_t)nn_shape_each(&e->graph->value[v].shape);
    return count * (size_t)e->options.batch * (e->slot[v].half ? 2 : 4);
}

static bool lies_in_arena(const nn_exec *e, nn_value v) {
    nn_value_kind kind = e->graph->value[v].kind;
    return kind == NN_KIND_INPUT || kind == NN_KIND_ACTIVATION;
}

static void lengthen(int *last, int to) {
    if (to > *last)
        *last = to;
}

static assay_status plan_step(nn_exec *e, nn_step *s) {
    nn_plan *p = &s->plan;
    *p = (nn_plan){.ctx = e->ctx,
                   .engine = e->engine,
                   .node = s->node,
                   .n_fused = s->n_fused,
                   .mode = e->options.mode,
                   .batch = e->options.batch,
                   .dtype = e->options.dtype,
                   .backward = s->backward,
                   .x_half = e->slot[s->in[0]].half,
                   .out_half = e->slot[s->out].half};
    memcpy(p->fused, s->fused, sizeof p->fused);
    memcpy(p->want_d, s->want_d, sizeof p->want_d);
    return s->node->op->plan ? s->node->op->plan(p) : ASSAY_OK;
}

static assay_status plan_lifetimes(nn_exec *e) {
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
                ASSAY_TRY(add_piece(
                    e, lies_in_arena(e, v) ? value_bytes(e, v) : g->value[v].count * 4,
                    back, back, &s->piece_extra[i]));
        }
    }
    for (size_t i = 0; i < g->n_values; i++) {
        nn_value v = (nn_value)i;
        nn_slot *slot = &e->slot[v];
        slot->piece = slot->grad_piece = -1;
        if (!lies_in_arena(e, v) || slot->made == -2)
            continue;
        ASSAY_TRY(add_piece(e, value_bytes(e, v), slot->made, slot->last, &slot->piece));
        if (slot->grad_made >= 0) {
            if (g->value[v].kind == NN_KIND_INPUT)
                slot->grad_last = end;
            ASSAY_TRY(add_piece(e, value_bytes(e, v), slot->grad_made, slot->grad_last,
                                &slot->grad_piece));
        }
    }
done:
    return status;
}

/* ---- addresses ---- */

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
                      .x_half = s->plan.x_half,
                      .out_half = s->plan.out_half,
                      .state = s->plan.state,
                      .out = e->slot[s->out].data,
                      .save = piece_at(e, s->piece_save),
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
            float *extra = piece_at(e, s->piece_extra[i]);
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
    e->profile = log_verbose_on(ctx, "profile");
    ASSAY_TRY(dn_engine_create(&e->engine, ctx));
    ASSAY_TRY(mem_new(ctx, &e->slot, g->n_values + 1, sizeof *e->slot));
    ASSAY_TRY(mem_new(ctx, &e->step, g->n_nodes + 1, sizeof *e->step));
    ASSAY_TRY(mem_new(ctx, &taken, g->n_nodes + 1, sizeof *taken));
    for (size_t v = 0; v < g->n_values; v++) {
        e->slot[v].made = -2;
        e->slot[v].last = e->slot[v].grad_made = e->slot[v].grad_last = -1;
    }
    ASSAY_TRY(mark_needed(e));
    mark_wishes(e);
    make_steps(e, taken);
    mark_halves(e);
    mark_gradients(e);
    e->cap_pieces = (int)(2 * g->n_values + (4 + NN_MAX_INPUTS) * (size_t)e->n_steps) + 1;
    ASSAY_TRY(mem_new(ctx, &e->piece, (size_t)e->cap_pieces, sizeof *e->piece));
    ASSAY_TRY(plan_lifetimes(e));
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
        const nn_step *s = &e->step[k];
        double each = 1e-3 / (double)e->examples;
        char names[96] = "";
        for (int i = 0; i < s->n_fused; i++)
            snprintf(names + strlen(names), sizeof names - strlen(names), "+%s",
                     s->fused[i]->op->name);
        log_verbose(e->ctx, "profile", "nn %2d %s%s forward %.3f backward %.3f", k,
                    s->node->op->name, names, (double)s->forward_ns * each,
                    (double)s->backward_ns * each);
    }
}

void nn_exec_destroy(nn_exec *e) {
    if (!e)
        return;
    assay_ctx *ctx = e->ctx;
    if (e->profile)
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

assay_status nn_exec_forward(nn_exec *e, int n) {
    assay_status status = ASSAY_OK;
    if (n < 1 || n > e->options.batch)
        return err_set(ASSAY_E_INVALID, "%d examples in a batch of %d", n,
                       e->options.batch);
    int before = dn_enter();
    e->n = 0;
    for (int k = 0; k < e->n_steps; k++) {
        nn_step *s = &e->step[k];
        s->io.n = n;
        s->io.scratch = piece_at(e, s->piece_forward);
        uint64_t since = e->profile ? os_thread_cpu_ns() : 0;
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

static void add_into(float *to, const float *from, size_t count) {
    for (size_t i = 0; i < count; i++)
        to[i] += from[i];
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
               (size_t)nn_shape_each(&value[e->options.target].shape) * (size_t)e->n * 4);
    for (int k = e->n_steps; k-- > 0;) {
        nn_step *s = &e->step[k];
        if (!s->backward)
            continue;
        s->io.scratch = piece_at(e, s->piece_backward);
        uint64_t since = e->profile ? os_thread_cpu_ns() : 0;
        ASSAY_TRY(s->node->op->backward(&s->io));
        s->backward_ns += e->profile ? os_thread_cpu_ns() - since : 0;
        for (int i = 0; i < s->n_in; i++)
            if (s->add_to[i]) {
                const nn_value_info *v = &value[s->in[i]];
                add_into(s->add_to[i], s->io.d_in[i],
                         v->kind == NN_KIND_PARAM
                             ? v->count
                             : (size_t)nn_shape_each(&v->shape) * (size_t)e->n);
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

size_t nn_exec_arena_bytes(const nn_exec *e) {
    return e->arena_bytes;
}

size_t nn_exec_unshared_bytes(const nn_exec *e) {
    return e->unshared_bytes;
}

bool nn_bf16_pays(void) {
    return dn_bf16_pays();
}

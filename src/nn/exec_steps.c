/* Which nodes run, which of them in one pass, what lies in bf16, and where gradients
 * flow.
 */
#include "nn/exec_inside.h"

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
    for (size_t k = 0; k < g->n_nodes; k++)
        for (int i = 0; i < g->node[k].n_in; i++)
            if (e->slot[g->node[k].out].needed && g->node[k].in[i] == v)
                return &g->node[k];
    return NULL;
}

static bool frozen(const nn_exec *e, nn_value v) {
    const nn_graph *g = e->graph;
    for (size_t i = 0; e->options.frozen && i < g->n_params; i++)
        if (g->param[i] == v)
            return e->options.frozen[i];
    return false;
}

/* Which values' gradients somebody wants: parameters, kept images, and all that depend on
 * them. Of the parameters of one node all are wanted or none: ops know nothing else. */
static void mark_wishes(nn_exec *e) {
    const nn_graph *g = e->graph;
    if (e->options.mode == NN_EVAL || e->options.target < 0)
        return;
    for (size_t v = 0; v < g->n_values; v++) {
        nn_value_kind kind = g->value[v].kind;
        bool image = kind == NN_KIND_INPUT && g->value[v].dtype == ASSAY_F32;
        e->slot[v].wants_grad = (kind == NN_KIND_PARAM && !frozen(e, (nn_value)v)) ||
                                (image && e->slot[v].kept);
    }
    for (size_t k = 0; k < g->n_nodes; k++) {
        const nn_node *node = &g->node[k];
        bool any = false;
        for (int i = 0; i < node->n_in; i++)
            any |= e->slot[node->in[i]].wants_grad && !(node->op->held >> i & 1);
        if (!any || node->op->no_grad || node->out_dtype != ASSAY_F32)
            continue;
        e->slot[node->out].wants_grad = true;
        for (int i = 0; i < node->n_in; i++)
            e->slot[node->in[i]].wants_grad |= frozen(e, node->in[i]);
    }
}

/* The inputs of `node` but `but`, which the step makes itself (negative: none). */
static void add_inputs(nn_step *s, const nn_node *node, nn_value but) {
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] != but)
            s->in[s->n_in++] = node->in[i];
}

/* How many inputs a step over `node` and the first `n` of `chain` would have. */
static int inputs_with(const nn_node *node, const nn_node *const *chain, int n) {
    int count = node->n_in;
    for (int i = 0; i < n; i++)
        count += chain[i]->n_in - 1;
    return count;
}

/* A step over `node` and what it takes along. It runs where its last node stands: what
 * the others make is used inside only, and whatever else they read is there by then (the
 * other branch of a residual block). */
static nn_step step_from(const nn_exec *e, const nn_node *node, bool *taken) {
    nn_step s = {.node = node, .out = node->out};
    const nn_node *chain[NN_MAX_FUSED];
    int n = 0;
    for (nn_value v = node->out; n < NN_MAX_FUSED; v = chain[n++]->out)
        if (!(chain[n] = only_user(e, v)) || taken[chain[n]->index] ||
            inputs_with(node, chain, n + 1) > NN_MAX_INPUTS)
            break;
    bool x_grad = e->slot[node->in[0]].wants_grad;
    s.n_fused =
        node->op->fuse ? node->op->fuse(node, chain, n, e->options.mode, x_grad) : 0;
    add_inputs(&s, node, -1);
    for (int i = 0; i < s.n_fused; i++) {
        s.fused[i] = chain[i];
        add_inputs(&s, chain[i], s.out);
        s.out = chain[i]->out;
        taken[chain[i]->index] = true;
    }
    return s;
}

static int last_node(const nn_step *s) {
    return s->n_fused ? s->fused[s->n_fused - 1]->index : s->node->index;
}

static void make_steps(nn_exec *e, bool *taken) {
    const nn_graph *g = e->graph;
    for (size_t k = 0; k < g->n_nodes; k++) {
        if (!e->slot[g->node[k].out].needed || taken[k])
            continue;
        nn_step s = step_from(e, &g->node[k], taken);
        int at = e->n_steps++;
        for (; at > 0 && last_node(&e->step[at - 1]) > last_node(&s); at--)
            e->step[at] = e->step[at - 1];
        e->step[at] = s;
    }
    for (int k = 0; k < e->n_steps; k++)
        e->slot[e->step[k].out].maker = k;
}

/* Whether every step that reads `v` can take it in bf16. */
static bool readers_take_half(const nn_exec *e, nn_value v) {
    int readers = 0;
    for (int k = 0; k < e->n_steps; k++)
        for (int i = 0; i < e->step[k].n_in; i++)
            if (e->step[k].in[i] == v) {
                if (!(e->step[k].node->op->half_in >> i & 1))
                    return false;
                readers++;
            }
    return readers > 0;
}

/* Computing in bf16, values between ops that can do so lie in bf16. Factors are f32. */
static void mark_halves(nn_exec *e) {
    if (e->options.dtype != ASSAY_BF16 || e->options.mode == NN_CAPTURE)
        return;
    for (int k = 0; k < e->n_steps; k++) {
        nn_value v = e->step[k].out;
        e->slot[v].half = !e->slot[v].kept && e->step[k].node->op->half_out &&
                          e->graph->value[v].dtype == ASSAY_F32 &&
                          readers_take_half(e, v);
    }
}

static void mark_gradients(nn_exec *e) {
    const nn_graph *g = e->graph;
    const nn_exec_options *o = &e->options;
    if (o->mode == NN_EVAL || o->target < 0)
        return;
    /* Backward runs where the target's gradient arrives and somebody wants it. */
    e->slot[o->target].grad_from = e->n_steps;
    for (int k = e->n_steps; k-- > 0;) {
        nn_step *s = &e->step[k];
        const nn_slot *out = &e->slot[s->out];
        s->backward = out->grad_from >= 0 && out->wants_grad;
        if (!s->backward)
            continue;
        for (int i = 0; i < s->n_in; i++) {
            nn_slot *in = &e->slot[s->in[i]];
            bool param = g->value[s->in[i]].kind == NN_KIND_PARAM;
            bool held = i < s->node->n_in && (s->node->op->held >> i & 1);
            s->want_d[i] = in->wants_grad && !held && !(param && o->mode != NN_TRAIN);
            if (s->want_d[i] && in->grad_from < 0)
                in->grad_from = k;
        }
    }
}

assay_status exec_make_steps(nn_exec *e, bool *taken) {
    assay_status status = mark_needed(e);
    if (status != ASSAY_OK)
        return status;
    mark_wishes(e);
    make_steps(e, taken);
    mark_halves(e);
    mark_gradients(e);
    return ASSAY_OK;
}

/* What is the same for all optimizers: the registry, the parts, the state's memory. */
#include "train/optimizer_kind.h"

#include "base/buf.h"
#include "train/param_rules.h"

#include <math.h>
#include <string.h>

#define X(name) extern const optimizer_kind assay_optimizer_##name;
#include "optimizer_table.inc"
#undef X

#define X(name) &assay_optimizer_##name,
static const optimizer_kind *const kinds[] = {
#include "optimizer_table.inc"
};
#undef X

size_t optimizer_count(void) {
    return sizeof kinds / sizeof *kinds;
}

const char *optimizer_name(size_t i) {
    return kinds[i]->name;
}

const char *optimizer_summary(size_t i) {
    return kinds[i]->summary;
}

void optimizer_usual(const char *name, double *rate, double *weight_decay) {
    const optimizer_kind *k = kinds[0];
    for (size_t i = 0; i < optimizer_count(); i++)
        if (strcmp(kinds[i]->name, name) == 0)
            k = kinds[i];
    *rate = k->rate;
    *weight_decay = k->weight_decay;
}

int optimizer_states(const optimizer *o) {
    int n = 0;
    while (n < OPTIMIZER_STATES && o->kind->state[n])
        n++;
    return n;
}

const char *optimizer_state_name(const optimizer *o, int i) {
    return o->kind->state[i];
}

static assay_status
kind_find(const optimizer_kind **out, assay_ctx *ctx, const char *name) {
    for (size_t i = 0; i < optimizer_count(); i++) {
        *out = kinds[i];
        if (strcmp(kinds[i]->name, name) == 0)
            return ASSAY_OK;
    }
    buf names = buf_make(ctx);
    for (size_t i = 0; i < optimizer_count(); i++)
        buf_fmt(&names, "%s%s", i ? ", " : "", kinds[i]->name);
    (void)err_set(ASSAY_E_NOTFOUND, "there is no optimizer \"%.80s\"", name);
    if (!names.failed)
        err_help("choose from: %s", names.data);
    buf_free(&names);
    return ASSAY_E_NOTFOUND;
}

static bool same(double a, double b) {
    return !(a < b || a > b);
}

static bool alike(const optimizer_part *a, const optimizer_part *b) {
    return a->begin + a->count == b->begin && same(a->rate, b->rate) &&
           same(a->decay, b->decay) && a->until == b->until && !a->rows && !b->rows;
}

/* Neighbours that are treated alike become one part; what is frozen is in none. */
static assay_status parts_make(optimizer *o, const nn_graph *g) {
    assay_status status = ASSAY_OK;
    const optimizer_options *how = &o->options;
    size_t n = nn_graph_param_count(g);
    param_rule *rules = NULL;
    ASSAY_TRY(param_rules_make(&rules, o->ctx, g, how->groups, how->freeze));
    ASSAY_TRY(mem_new(o->ctx, &o->part, n + 1, sizeof *o->part));
    for (size_t i = 0; i < n; i++) {
        nn_param_info p = nn_graph_param_at(g, i);
        const param_rule *rule = &rules[i];
        optimizer_part *last = o->n_parts ? &o->part[o->n_parts - 1] : NULL;
        optimizer_part part = {.begin = p.offset,
                               .count = p.count,
                               .rate = rule->rate,
                               .decay = rule->decay * how->weight_decay};
        if (rule->epochs > 0) {
            part.until = (int64_t)ceil(rule->epochs * (double)how->epoch_steps);
            part.until = part.until > 0 ? part.until : 1;
        }
        if (o->kind->matrices && rule->matrix && p.count > 0) {
            part.rows = (size_t)p.shape.dim[0];
            part.cols = p.count / part.rows;
        }
        if (!(rule->rate > 0))
            continue;
        if (last && alike(last, &part))
            last->count += part.count;
        else
            o->part[o->n_parts++] = part;
    }
done:
    mem_free(o->ctx, rules);
    return status;
}

static assay_status scratch_make(optimizer *o) {
    size_t most = 0;
    for (size_t i = 0; o->kind->scratch && i < o->n_parts; i++) {
        size_t n = o->kind->scratch(&o->part[i]);
        most = n > most ? n : most;
    }
    return most ? mem_new(o->ctx, &o->scratch, most, sizeof *o->scratch) : ASSAY_OK;
}

assay_status optimizer_create(optimizer *out,
                              assay_ctx *ctx,
                              const nn_graph *g,
                              const optimizer_options *options) {
    assay_status status = ASSAY_OK;
    *out =
        (optimizer){.ctx = ctx, .options = *options, .floats = nn_graph_param_floats(g)};
    ASSAY_TRY(kind_find(&out->kind, ctx, options->name));
    out->options.name = out->kind->name;
    for (int i = 0; i < optimizer_states(out); i++)
        ASSAY_TRY(mem_new(ctx, &out->state[i], out->floats + 1, sizeof(float)));
    ASSAY_TRY(parts_make(out, g));
    ASSAY_TRY(scratch_make(out));
    out->options.groups = out->options.freeze = NULL;
done:
    if (status != ASSAY_OK)
        optimizer_destroy(out);
    return status;
}

void optimizer_destroy(optimizer *o) {
    for (int i = 0; i < OPTIMIZER_STATES; i++)
        mem_free(o->ctx, o->state[i]);
    mem_free(o->ctx, o->part);
    mem_free(o->ctx, o->scratch);
    *o = (optimizer){0};
}

void optimizer_frozen(const optimizer *o, const nn_graph *g, uint8_t *out) {
    for (size_t i = 0; i < nn_graph_param_count(g); i++) {
        size_t at = nn_graph_param_at(g, i).offset;
        out[i] = 1;
        for (size_t k = 0; k < o->n_parts; k++)
            if (at >= o->part[k].begin && at < o->part[k].begin + o->part[k].count)
                out[i] = 0;
    }
}

void optimizer_reset(optimizer *o) {
    for (int i = 0; i < optimizer_states(o); i++)
        memset(o->state[i], 0, o->floats * sizeof(float));
    o->steps = 0;
}

void optimizer_step(optimizer *o, float *params, const float *grads, train_pace pace) {
    o->steps++;
    for (size_t i = 0; i < o->n_parts; i++) {
        const optimizer_part *p = &o->part[i];
        const train_pace own = {pace.rate * p->rate, pace.momentum};
        if (p->until && o->steps > p->until)
            continue;
        float *state[OPTIMIZER_STATES] = {NULL};
        for (int s = 0; s < OPTIMIZER_STATES && o->state[s]; s++)
            state[s] = o->state[s] + p->begin;
        o->kind->step(o, p, params + p->begin, grads + p->begin, state, own);
    }
}

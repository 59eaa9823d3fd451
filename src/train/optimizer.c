/* What is the same for all optimizers: the registry, the parts, the state's memory. */
#include "train/optimizer_kind.h"

#include "base/buf.h"

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

/* Neighbours that are treated alike become one part. */
static assay_status parts_make(optimizer *o, const nn_graph *g) {
    assay_status status = ASSAY_OK;
    size_t n = nn_graph_param_count(g);
    ASSAY_TRY(mem_new(o->ctx, &o->part, n + 1, sizeof *o->part));
    for (size_t i = 0; i < n; i++) {
        nn_param_info p = nn_graph_param_at(g, i);
        optimizer_part *last = o->n_parts ? &o->part[o->n_parts - 1] : NULL;
        double decay = p.decay ? o->options.weight_decay : 0;
        if (last && last->begin + last->count == p.offset &&
            !(last->decay < decay || last->decay > decay))
            last->count += p.count;
        else
            o->part[o->n_parts++] = (optimizer_part){p.offset, p.count, decay};
    }
done:
    return status;
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
done:
    if (status != ASSAY_OK)
        optimizer_destroy(out);
    return status;
}

void optimizer_destroy(optimizer *o) {
    for (int i = 0; i < OPTIMIZER_STATES; i++)
        mem_free(o->ctx, o->state[i]);
    mem_free(o->ctx, o->part);
    *o = (optimizer){0};
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
        float *state[OPTIMIZER_STATES] = {NULL};
        for (int s = 0; s < OPTIMIZER_STATES && o->state[s]; s++)
            state[s] = o->state[s] + p->begin;
        o->kind->step(o, p, params + p->begin, grads + p->begin, state, pace);
    }
}

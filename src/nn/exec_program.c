/* The program: every call in order, and the stages between which shards wait for each
 * other. Steps of a segment that is computed again run forward once more before the first
 * of their backward calls. */
#include "nn/exec_inside.h"

static bool waits_in_phases(const nn_op_def *op) {
    return op->batch_coupled && op->phases > 1;
}

/* Phases of a step: those of the op or of one that it takes along. */
static int phases_of(const nn_exec *e, const nn_step *s) {
    int phases = waits_in_phases(s->node->op) ? s->node->op->phases : 1;
    for (int i = 0; i < s->n_fused; i++)
        if (waits_in_phases(s->fused[i]->op) && s->fused[i]->op->phases > phases)
            phases = s->fused[i]->op->phases;
    return e->options.mode == NN_TRAIN ? phases : 1;
}

size_t exec_most_calls(const nn_exec *e) {
    size_t n = 0;
    for (int k = 0; k < e->n_steps; k++)
        n += (size_t)phases_of(e, &e->step[k]);
    return n * NN_PASSES;
}

/* A call that waits begins a stage. */
static void begin_stage(nn_exec *e) {
    if (e->n_stages)
        e->stage[e->n_stages - 1].end = e->n_calls;
    e->stage[e->n_stages++] = (nn_stage){e->n_calls, e->n_calls};
}

static void add_calls(nn_exec *e, int k, nn_pass pass) {
    nn_step *s = &e->step[k];
    s->begin[pass] = e->n_calls;
    for (int phase = 0; phase < s->phases; phase++) {
        if (phase > 0 && e->n_shards > 1)
            begin_stage(e);
        e->call[e->n_calls++] = (nn_call){k, phase, pass};
    }
    s->end[pass] = e->n_calls - 1;
}

/* The steps up to `last` of its segment that are to run again. */
static void add_again(nn_exec *e, int last) {
    int first = last;
    while (first > 0 && e->step[first - 1].segment == e->step[last].segment)
        first--;
    for (int k = first; k <= last; k++)
        if (e->step[k].again)
            add_calls(e, k, NN_PASS_AGAIN);
}

void exec_make_program(nn_exec *e) {
    e->n_calls = e->n_stages = 0;
    for (int k = 0; k < e->n_steps; k++) {
        e->step[k].phases = phases_of(e, &e->step[k]);
        for (int pass = 0; pass < NN_PASSES; pass++)
            e->step[k].begin[pass] = e->step[k].end[pass] = -1;
    }
    begin_stage(e);
    for (int k = 0; k < e->n_steps; k++)
        add_calls(e, k, NN_PASS_FORWARD);
    e->n_forward = e->n_calls;
    e->n_forward_stages = e->n_stages;
    begin_stage(e);
    for (int k = e->n_steps; k-- > 0;) {
        if (k + 1 == e->n_steps || e->step[k + 1].segment != e->step[k].segment)
            add_again(e, k);
        if (e->step[k].backward)
            add_calls(e, k, NN_PASS_BACKWARD);
    }
    if (e->n_shards > 1 && e->options.mode == NN_TRAIN)
        begin_stage(e);
    e->stage[e->n_stages - 1].end = e->n_calls;
}

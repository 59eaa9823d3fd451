/* The executor's inside, shared by its files: exec_steps.c decides which nodes run in
 * which steps, exec_lifetimes.c what lives how long, exec.c where it lies, and runs it.
 *
 * Time is counted in steps: forward step i is i, its backward step is 2 S - 1 - i (S
 * steps in all). Every buffer is a piece with a lifetime in that count; memplan.c places
 * the pieces. */
#ifndef NN_EXEC_INSIDE_H
#define NN_EXEC_INSIDE_H

#include "nn/graph_inside.h"
#include "nn/memplan.h"

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
    void *add_to[NN_MAX_INPUTS];
    int piece_save, piece_shared, piece_forward, piece_backward, piece_factor,
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
    void *grad;
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
    bool profile, reports; /* the steps are measured; ASSAY_VERBOSE=profile */
    uint64_t examples;
    int n; /* examples of a forward whose backward has not come; 0: none */
};

/* Steps, fusions, halves and gradients; fills e->step and what e->slot says of them.
 * `taken` holds a zeroed place per node. */
ASSAY_MUST_CHECK assay_status exec_make_steps(nn_exec *e, bool *taken);
/* Asks every op for its plan; lists the pieces and how long each lives. */
ASSAY_MUST_CHECK assay_status exec_plan_lifetimes(nn_exec *e);
size_t exec_value_bytes(const nn_exec *e, nn_value v);
/* What a step's io.n is when n examples run. */
int exec_step_rows(const nn_exec *e, const nn_step *s, int n);

#endif

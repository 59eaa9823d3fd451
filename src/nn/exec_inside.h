/* The executor's inside, shared by its files.
 *
 *   exec_steps.c      which nodes run in which steps, what lies in bf16, where gradients
 *                     flow
 *   exec_program.c    the order of calls: forward, again (recomputation), backward
 *   exec_recompute.c  which steps run again when memory is short
 *   exec_memory.c     what lives how long, and where
 *   exec_resolve.c    the pointers every call sees
 *   exec_team.c       shards run on threads
 *   exec.c            life, and what the outside asks for
 *
 * Time is counted in calls. Every buffer is a piece with a lifetime in that count. Values
 * that the outside sees (inputs, kept ones) lie in one array for all shards when there
 * are several; all else is a shard's own, since shards do not run in step. */
#ifndef NN_EXEC_INSIDE_H
#define NN_EXEC_INSIDE_H

#include "nn/graph_inside.h"
#include "nn/memplan.h"

#include <pthread.h>
#include <stdatomic.h>

enum { NN_MAX_SHARDS = 16 };

typedef enum nn_pass {
    NN_PASS_FORWARD,
    NN_PASS_AGAIN, /* forward once more, before backward */
    NN_PASS_BACKWARD,
    NN_PASSES
} nn_pass;

/* One phase of one step. */
typedef struct nn_call {
    int step, phase;
    nn_pass pass;
} nn_call;

/* Calls that a shard makes without waiting for others: [begin, end). An empty one at the
 * end adds up the gradients. */
typedef struct nn_stage {
    int begin, end;
} nn_stage;

/* A piece of a shard's memory or of the common memory; piece -1: none. */
typedef struct nn_place {
    int piece;
    bool common;
} nn_place;

/* One node, or several done in one pass. Where there are two copies of something, the
 * second is made again before backward. */
typedef struct nn_step {
    const nn_node *node, *fused[NN_MAX_FUSED];
    int n_fused;
    nn_value in[NN_MAX_INPUTS]; /* the node's, then the fused nodes' but their first */
    int n_in;
    nn_value out; /* of the last of them */
    bool backward, want_d[NN_MAX_INPUTS];
    nn_plan *plan; /* one per shard; what they ask for is the same */
    int phases;
    int segment; /* of steps that are dropped and computed again together */
    bool again;
    int begin[NN_PASSES], end[NN_PASSES]; /* its first and last call of each pass */
    nn_place save[2], shared, scratch[NN_PASSES], factor;
    /* Where a gradient is written that is then added to what others brought (a value with
     * several users); none where this step is the first to bring it. */
    nn_place extra[NN_MAX_INPUTS];
} nn_step;

/* What the executor knows about a value. */
typedef struct nn_slot {
    bool needed, kept, wants_grad;
    bool half;     /* lies in bf16, and its gradient too */
    bool boundary; /* users lie in other segments than its maker */
    int maker;     /* step; -1: none */
    int users;
    int grad_from; /* step whose backward is the first to bring its gradient, n_steps: the
                      target's; -1: none */
    nn_place place[2], grad;
} nn_slot;

typedef struct nn_memory {
    mem_piece *piece;
    int n, cap;
    size_t bytes;
} nn_memory;

typedef struct nn_shard {
    dn_engine *engine;
    int index, first, n; /* of this run */
    uint8_t *arena;
    float *grads;                       /* flat; the first shard's is the executor's */
    nn_io *io;                          /* one per call */
    uint64_t *forward_ns, *backward_ns; /* per step, if profiling */
    assay_status status;
    err_record record;
    atomic_int next; /* the stage that it runs next */
} nn_shard;

/* Threads that take shards through the stages of one pass. */
typedef struct nn_team {
    int threads;         /* that may take part */
    int shards;          /* that take part in this run */
    atomic_int stage;    /* that is being run */
    atomic_int left;     /* shards that have not finished it */
    atomic_int end;      /* the stage behind the last */
    atomic_int sleeping; /* threads */
    pthread_mutex_t lock;
    pthread_cond_t wake;
} nn_team;

struct nn_exec {
    assay_ctx *ctx;
    const nn_graph *graph;
    nn_weights *weights;
    nn_exec_options options;
    nn_slot *slot;
    nn_step *step;
    int n_steps;
    nn_call *call;
    int n_calls, n_forward; /* calls; those of the forward pass */
    nn_stage *stage;
    int n_stages, n_forward_stages;
    nn_memory own, common; /* a shard's; that of all */
    uint8_t *common_arena;
    size_t arena_bytes, unshared_bytes;
    nn_shard *shard;
    int n_shards, shard_batch;
    nn_team team;
    float *grads, *discard; /* discard: where buffers move to when a step runs again */
    nn_factor *factor;
    int *factor_step; /* of which step each is */
    int n_factors;
    bool profile, reports; /* the steps are measured; ASSAY_VERBOSE=profile */
    uint64_t examples;
    int ran;           /* examples that the calls are set for */
    int n;             /* examples of a forward whose backward has not come; 0: none */
    const float *seed; /* of the backward pass under way */
};

/* Steps, fusions, halves and gradients; fills e->step and what e->slot says of them.
 * `taken` holds a zeroed place per node. */
ASSAY_MUST_CHECK assay_status exec_make_steps(nn_exec *e, bool *taken);

/* How many shards there are, and their engines and plans. */
ASSAY_MUST_CHECK assay_status exec_make_shards(nn_exec *e);

/* Lists the calls: of steps with `again` twice forward. */
void exec_make_program(nn_exec *e);
/* The most calls and stages there can be. */
size_t exec_most_calls(const nn_exec *e);

/* Decides about recomputation, lists the calls, places every piece of memory. */
ASSAY_MUST_CHECK assay_status exec_plan(nn_exec *e);
/* Lists the pieces of the program as it is, and places them. */
ASSAY_MUST_CHECK assay_status exec_plan_memory(nn_exec *e, int *order);
/* Bytes of the whole executor as placed. */
size_t exec_memory_bytes(const nn_exec *e);
/* Which copy of a value `s` reads in a pass. */
int exec_copy(const nn_exec *e, const nn_step *s, nn_value v, nn_pass pass);

/* Fills every call's nn_io. */
void exec_resolve(nn_exec *e);
void *exec_at(const nn_exec *e, const nn_shard *sh, nn_place place);
void *exec_value_at(const nn_exec *e, const nn_shard *sh, nn_value v, int copy);
void *exec_grad_at(const nn_exec *e, const nn_shard *sh, nn_value v);
/* Sets the calls for n examples. */
void exec_set_run(nn_exec *e, int n);
/* What a step's io.n is when n examples run. */
int exec_step_rows(const nn_exec *e, const nn_step *s, int n);
/* Bytes of one example of an open value, of the whole of a static one. */
size_t exec_value_each(const nn_exec *e, nn_value v);

/* Runs the stages [begin, end) of all shards that take part. */
ASSAY_MUST_CHECK assay_status exec_run(nn_exec *e, int begin, int end);

#endif

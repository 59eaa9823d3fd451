/* The executor: plans memory once, creates library primitives once, then runs steps that
 * allocate nothing. One executor is used by one thread at a time; many may run side by
 * side on one graph and on one set of weights (read-only in evaluation).
 *
 * A batch is cut into shards by sizes alone, and each shard is computed by one thread
 * from end to end. Gradients are added up in the shards' order, so that results are the
 * same to the bit at any number of threads; they are not the same at another number of
 * shards. A fleet runs one executor with one shard per core, a single model one executor
 * with several (`threads`). */
#ifndef NN_EXEC_H
#define NN_EXEC_H

#include "nn/graph.h"

typedef enum nn_mode {
    NN_TRAIN,  /* batch statistics, running statistics updated, backward possible */
    NN_EVAL,   /* running statistics, no backward */
    NN_CAPTURE /* running statistics, backward to activations; factors per op, no
                  parameter sums */
} nn_mode;

typedef struct nn_exec nn_exec;

typedef struct nn_exec_options {
    nn_mode mode;
    int batch;            /* largest batch; smaller ones may be run */
    const nn_value *keep; /* values whose contents must survive the forward pass */
    int n_keep;
    nn_value target;   /* the value backward starts from (per example [N]); -1: none */
    assay_dtype dtype; /* ASSAY_F32, or ASSAY_BF16: products of convolutions take their
                          operands rounded to bf16 and add up in f32; values stay f32 */
    int shards;        /* that a batch is cut into: 0 as sizes suggest (64 examples, at
                          most 8), 1 for fleets; one where the whole batch is wanted at once,
                          and in NN_CAPTURE */
    int threads;   /* of the context that may take part; 0 and 1: the caller's alone */
    size_t memory; /* bytes that nn_exec_arena_bytes may be, 0: any. If it would be
                      more, parts of forward are computed again before backward; the
                      results are the same to the bit. NOMEM names the least possible */
    uint64_t seed; /* of ops that draw; see nn_exec_set_step */
    const uint8_t *frozen; /* [parameters] 1: its gradient is not asked for. It stays 0
                              where nothing before it, or beside it in a node, learns:
                              that part of backward is left out. NULL: none. Borrowed
                              while it is made */
    bool profile;          /* measure every step: nn_exec_row_at */
    const char *kernels; /* file that keeps which kernels were chosen, so that a run that
                            goes on has the same (nn/conv_choice.h); NULL: none */
} nn_exec_options;

/* `weights` is borrowed; its arrays may change between runs (optimizer steps). */
ASSAY_MUST_CHECK assay_status nn_exec_create(nn_exec **out,
                                             assay_ctx *ctx,
                                             const nn_graph *g,
                                             nn_weights *weights,
                                             const nn_exec_options *options);
void nn_exec_destroy(nn_exec *e);

/* Where to put an input's batch before forward: images as f32 N,H,W,C in memory; labels
 * i32. */
void *nn_exec_input(nn_exec *e, nn_value input);
/* Ops that draw get other bits in every step: keyed by the options' seed, this number (0
 * at first), the node and the example. */
void nn_exec_set_step(nn_exec *e, uint64_t step);
/* Runs `n` (1..batch) examples forward, as far as keep and target need. NUMERIC is not
 * checked here. */
ASSAY_MUST_CHECK assay_status nn_exec_forward(nn_exec *e, int n);
/* A kept value's contents (storage order), or the target's. Borrowed until the next
 * forward. */
const float *nn_exec_value(const nn_exec *e, nn_value v);
/* Backward, once after each forward, from the target with seed (d objective / d target:
 * [n] for a per-example target; in general as many floats as the target has, in storage
 * order). In NN_TRAIN fills the flat gradient (overwritten, summed over the batch in a
 * fixed order); in NN_CAPTURE fills factors. */
ASSAY_MUST_CHECK assay_status nn_exec_backward(nn_exec *e, const float *seed);
float *nn_exec_grads(nn_exec *e); /* flat, as the parameters; NULL unless NN_TRAIN */
/* Gradient of an input (kept only if the input was in `keep`), or NULL. */
const float *nn_exec_input_grad(const nn_exec *e, nn_value input);

/* What per-example gradients are made of, after NN_CAPTURE's backward. Borrowed until the
 * next run. */
typedef enum nn_factor_kind {
    NN_FACTOR_OUTER, /* g_i = sum_t d[i,t,:] x[i,t,:]^T          (linear): weight [O,I],
                        bias [O] or none */
    NN_FACTOR_CONV,  /* the same over unfolded patches, geometry given, input never
                        unfolded */
    NN_FACTOR_DIAG,  /* g_i = direct per-example gradients, [n, count] (norms: scale,
                        shift) */
    NN_FACTOR_GATHER /* g_i[index[i,t]] += d[i,t,:]: rows of an embedding's table [I,O] */
} nn_factor_kind;
typedef struct nn_factor {
    nn_factor_kind kind;
    int node;
    int n;
    size_t weight_offset, weight_count; /* into the flat vector */
    size_t bias_offset, bias_count;     /* bias_count 0: none */
    const float *x;                     /* OUTER [n,T,I]; CONV [n,H,W,I] */
    const float *d; /* OUTER [n,T,O]; CONV [n,OH,OW,O]; DIAG: [n, weight_count] then [n,
                       bias_count] in d2 */
    const float *d2;
    const void *index; /* GATHER [n,T]: i32, or i64 if index_i64 */
    bool index_i64;
    int64_t t, in, out; /* OUTER, GATHER */
    int64_t h, w, oh, ow, kh, kw, stride[2], pad[4],
        dilation[2]; /* CONV; pad: top left bottom right */
    bool transposed; /* CONV, OUTER: x is the output's gradient, d the input, and the
                        bias's gradient the sum of x */
    int64_t groups;  /* CONV; 0 and 1: one */
} nn_factor;
int nn_exec_factor_count(const nn_exec *e);
nn_factor nn_exec_factor(const nn_exec *e, int i);
/* Materialises example i's gradient of one factor into out (flat positions from
 * weight_offset on and bias_offset on are returned as two spans: weight first, bias
 * behind, weight_count + bias_count floats). In the parameters' own layout. `scratch`
 * holds nn_factor_scratch() floats. */
size_t nn_factor_scratch(const nn_factor *f);
void nn_factor_gradient(const nn_factor *f, int example, float *out, float *scratch);

/* Library primitives made so far; a repeated step must not move it. */
uint64_t nn_exec_primitives(const nn_exec *e);
/* Where the time went: one row per step of the executor, in order. Processor time since
 * it was made, of all runs and shards; nought unless options.profile. */
typedef struct nn_exec_row {
    const char *op; /* of the first node of the step */
    char name[96];  /* "conv2d+batch_norm+relu" */
    uint64_t forward_ns, backward_ns;
} nn_exec_row;
int nn_exec_rows(const nn_exec *e);
nn_exec_row nn_exec_row_at(const nn_exec *e, int i);

/* Bytes of the planned memory of all shards (with gradients of parameters beyond the
 * first shard's), and what it would be if no two pieces shared a place. */
size_t nn_exec_arena_bytes(const nn_exec *e);
size_t nn_exec_unshared_bytes(const nn_exec *e);

/* Whether this machine multiplies bf16 faster than f32 (AMX). */
bool nn_bf16_pays(void);

#endif

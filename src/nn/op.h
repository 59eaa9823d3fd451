/* One op of the registry: what a file under nn/ops provides, and what it is handed.
 *
 * An op never sees the graph or the executor. It sees its node (shapes, attributes), once
 * a plan to fill in (what it must keep, how much scratch it needs), and at each run an
 * nn_io: pointers that stay where they are for the executor's life, and the number of
 * examples.
 *
 * A batch runs as one or several shards of examples, each on its own thread. Pointers to
 * values point at the shard's first example; `save`, `scratch`, `factor` and gradients of
 * parameters are the shard's own (the executor adds the latter up in shard order). An op
 * whose examples influence each other (batch_coupled) does its work in training in
 * `phases` (outside training it is called once, with phase 0): between one phase and the
 * next all shards wait for each other, `shared` is memory that they all see, and a
 * shard's scratch survives from phase to phase. Buffers are the first shard's to write.
 * The first io->shards of the plan's shards take part in a run. Shards depend on sizes
 * only, never on threads. */
#ifndef NN_OP_H
#define NN_OP_H

#include "nn/exec.h"
#include "nn/onednn.h"
#include "nn/window.h"

enum { NN_MAX_ATTRS = 8, NN_MAX_FUSED = 3 };

/* How an op wants values of four dimensions to lie (parameters, buffers and constants are
 * always row by row). The graph converts what lies otherwise. */
typedef enum nn_layout_rule {
    NN_IMAGES = 0, /* channels-last in, channels-last out */
    NN_ROWS,       /* row by row in, row by row out */
    NN_ANY /* as they come: the op goes by strides (nn_strides). Its output lies as
              its first input of four dimensions that is an activation does, if it
              has four dimensions too; row by row otherwise. infer may say so */
} nn_layout_rule;

typedef struct nn_node nn_node;
typedef struct nn_op_def nn_op_def;
typedef struct nn_tangent nn_tangent; /* nn/tangent.h */

struct nn_node {
    const nn_op_def *op;
    int index, n_in, n_attr;
    nn_value in[NN_MAX_INPUTS], out;
    nn_shape in_shape[NN_MAX_INPUTS], out_shape;
    assay_dtype in_dtype[NN_MAX_INPUTS], out_dtype; /* out: f32 unless infer says */
    assay_layout in_layout[NN_MAX_INPUTS], out_layout;
    nn_attr attr[NN_MAX_ATTRS];
};

/* What an executor tells an op before the first run, and what the op answers. */
typedef struct nn_plan {
    assay_ctx *ctx;
    dn_engine *engine;
    const nn_node *node;
    const nn_node
        *fused[NN_MAX_FUSED]; /* nodes behind it that it does in the same pass */
    int n_fused;
    nn_mode mode;
    int batch;
    assay_dtype dtype;          /* of the arithmetic inside products; values are f32 */
    bool backward;              /* a backward pass will come */
    bool want_d[NN_MAX_INPUTS]; /* which inputs' gradients it will ask for */
    unsigned in_half;           /* bit i: in[i] lies in bf16, and d_in[i] */
    bool out_half;              /* the output lies in bf16, and d_out */
    const char *kernels;        /* file of the run's choices of kernels, or NULL */
    int shards;                 /* that a batch runs in; `batch` is one shard's most */
    /* ---- filled by the op ---- */
    void *state;         /* released with unplan */
    size_t save_bytes;   /* of one shard; survives from forward to backward */
    size_t shared_bytes; /* of all shards together; survives likewise */
    size_t forward_scratch, backward_scratch; /* bytes, not cleared */
    size_t factor_bytes;     /* survives until the next run (NN_CAPTURE) */
    unsigned backward_reads; /* bit i: backward reads in[i] */
    bool backward_reads_out;
    bool factor_reads_x; /* the factor points at activations among its inputs */
    bool factor_reads_d; /* the factor points at d_out */
} nn_plan;

/* One run. Pointers to parameters and buffers point into the flat vectors. */
typedef struct nn_io {
    const nn_node *node;
    const nn_node *const *fused;
    int n_fused;
    nn_mode mode;
    int n;     /* examples in this run (of this shard); for a node whose inputs are all
                  static, the first dimension of in[0] */
    int first; /* place of the shard's first example in the batch */
    int total; /* examples of the whole batch */
    int shard, shards, phase;
    uint64_t seed, step; /* for ops that draw: random bits are keyed by these, by the
                            node's index and by the example's place in the batch */
    void *state;
    const void *in[NN_MAX_INPUTS]; /* of in_dtype; bf16 where in_half; NULL past n_in */
    float *buffer[NN_MAX_INPUTS];  /* the same, writable, where the input is a buffer */
    void *out;                     /* of the last fused node */
    const void *d_out;
    void *d_in[NN_MAX_INPUTS]; /* overwritten; NULL where not wanted */
    unsigned in_half;
    bool out_half;
    void *save, *shared, *scratch, *factor;
} nn_io;

/* How one conformance case feeds an op: inputs by kind. */
typedef enum nn_case_kind {
    NN_CASE_VALUE = 1, /* an activation, normal numbers */
    NN_CASE_PARAM,
    NN_CASE_BUFFER, /* positive numbers */
    NN_CASE_LABEL,  /* i32, 0..K-1, K = the case's `labels`, else from the first input */
    NN_CASE_POSITIVE, /* an activation, in (0.3, 1.3) */
    NN_CASE_CONSTANT, /* a constant f32, normal numbers; shape static */
    NN_CASE_UNIT,     /* an activation, in (-0.9, 0.9) */
    NN_CASE_ABOVE_ONE /* an activation, in (1.3, 2.3) */
} nn_case_kind;

typedef struct nn_op_case {
    const char *name; /* NULL ends the list */
    int batch, n;     /* the executor's batch, and how many are run */
    int n_inputs;
    struct {
        nn_case_kind kind;
        nn_shape shape;
    } in[NN_MAX_INPUTS];
    nn_attr attr[NN_MAX_ATTRS];
    int n_attrs;
    int labels; /* how many different labels */
    /* Inputs that are no parameters: 0: f32, and i32 for labels. Integers are -5..5, or
     * 0..10 without a sign, 1..6 where positive; truth values 0 and 1. */
    assay_dtype dtype[NN_MAX_INPUTS];
    bool negative; /* labels lie in -K..K-1 */
} nn_op_case;

struct nn_op_def {
    const char *name, *summary;
    int min_inputs, max_inputs;
    nn_layout_rule layout;
    unsigned rows_in; /* bit i: in[i] lies row by row whatever the rule says (weights) */
    /* What its inputs may be: bit 1u << dtype. 0: f32, and i32 past the first input. */
    unsigned dtypes;
    /* Inputs that it can take (bit i: in[i]), and whether it can give its output, in bf16
     * instead of f32; the gradients likewise. An executor that computes in bf16 lets a
     * value lie so when its maker and all its readers can. */
    unsigned half_in;
    bool half_out;
    bool batch_coupled; /* examples influence each other in training (batch norm) */
    int phases;         /* of forward and of backward when batch_coupled, taken along by
                           a node that does it in its own pass; 0: it wants the whole
                           batch in one shard */
    bool no_grad;       /* it has no backward (comparisons, integer outputs) */
    unsigned held;      /* bit i: in[i] only decides; no gradient goes to it */
    const char *const *attrs; /* names it understands, ended by NULL; NULL: none */
    const void *family; /* what code that several ops share wants to know of this one */
    /* Sets node->out_shape from in_shape and attr. SHAPE, INVALID with words. */
    assay_status (*infer)(nn_node *node);
    /* How many of the `n` nodes in a row behind this one it does in its own pass. Each is
     * the only reader of the one before, as any of its inputs; what else it reads comes
     * behind the node's own inputs and is there when the step runs.
     * `x_grad`: somebody wants the gradient of its first input. May be NULL. */
    int (*fuse)(const nn_node *node,
                const nn_node *const *next,
                int n,
                nn_mode mode,
                bool x_grad);
    /* Creates primitives, asks for memory; once per executor. */
    assay_status (*plan)(nn_plan *p);
    void (*unplan)(nn_plan *p); /* also after a failed plan; may be NULL */
    assay_status (*forward)(nn_io *io);
    assay_status (*backward)(nn_io *io);
    /* Describes the per-example gradients; NULL for ops without parameters. Offsets are
     * the executor's business. */
    void (*factors)(const nn_io *io, nn_factor *out);
    /* Adds to the graph how the output moves when inputs do, as ops of their tangents
     * (nn/tangent.h). NULL: Hessians do not go through this op. */
    assay_status (*tangent)(nn_value *out, const nn_tangent *t);
    /* Plain C in float64 and storage order. Forward into `out`; if d_out is given also
     * backward into those d_in that are not NULL. `training`: batch statistics. */
    void (*reference)(const nn_node *node,
                      int n,
                      bool training,
                      const double *const *in,
                      double *out,
                      const double *d_out,
                      double *const *d_in);
    const nn_op_case *cases; /* ended by one without a name */
};

/* The registry, in name order. */
const nn_op_def *nn_op_find(const char *name);
size_t nn_op_count(void);
const nn_op_def *nn_op_at(size_t i);

/* ---- helpers for ops ---- */

/* Elements of one example (all dimensions but the first). */
int64_t nn_shape_each(const nn_shape *s);
/* Elements of a parameter, or of any static shape; a scalar has one. */
int64_t nn_shape_count(const nn_shape *s);
/* Whether the first dimension is the batch. */
bool nn_shape_open(const nn_shape *s);
/* Elements with n examples: an open shape counts n of them, a static one what it says. */
int64_t nn_shape_elements(const nn_shape *s, int n);
/* Distance in elements between neighbours along each dimension. */
void nn_strides(const nn_shape *s, assay_layout layout, int64_t out[NN_MAX_DIMS]);
bool nn_shape_equal(const nn_shape *a, const nn_shape *b);
/* "[N,3,28,28]" */
const char *nn_shape_text(const nn_shape *s, char out[64]);
/* An attribute by name, NULL if not given. */
const nn_attr *nn_attr_get(const nn_node *node, const char *name);
double nn_attr_f(const nn_node *node, const char *name, double fallback);
int64_t nn_attr_i(const nn_node *node, const char *name, int64_t fallback);
/* Two integers (rows, columns) from one or two; fallback if absent. */
assay_status
nn_attr_pair(const nn_node *node, const char *name, int64_t fallback, int64_t out[2]);
/* Top, left, bottom, right from one, two or four; 0 if absent. */
assay_status nn_attr_pad(const nn_node *node, int64_t out[4]);
/* SHAPE "<op>: <what>, has <shape>" */
assay_status nn_op_bad_shape(const nn_node *node, int input, const char *what);
/* DTYPE "<op>: <what>, but input 1 is i64" */
assay_status nn_op_bad_dtype(const nn_node *node, int input, const char *what);

/* Reads stride, pad, dilation, groups, and ceil_mode (1: a last window may jut out behind
 * the padding); kh, kw are given. SHAPE when nothing fits. */
assay_status nn_window_make(nn_window *out, const nn_node *node, int64_t kh, int64_t kw);
/* That of a pooling, whose attribute "kernel" gives the sides. */
assay_status nn_pool_window(nn_window *out, const nn_node *node);

#endif

/* One op of the registry: what a file under nn/ops provides, and what it is handed.
 *
 * An op never sees the graph or the executor. It sees its node (shapes, attributes), once
 * a plan to fill in (what it must keep, how much scratch it needs), and at each run an
 * nn_io: pointers that stay where they are for the executor's life, and the number of
 * examples. 4-d values lie channels-last (N,H,W,C) whatever their logical shape says. */
#ifndef NN_OP_H
#define NN_OP_H

#include "nn/exec.h"
#include "nn/onednn.h"

enum { NN_MAX_ATTRS = 8, NN_MAX_FUSED = 3 };

typedef struct nn_node nn_node;
typedef struct nn_op_def nn_op_def;

struct nn_node {
    const nn_op_def *op;
    int index, n_in, n_attr;
    nn_value in[NN_MAX_INPUTS], out;
    nn_shape in_shape[NN_MAX_INPUTS], out_shape;
    assay_dtype in_dtype[NN_MAX_INPUTS];
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
    bool x_half, out_half;      /* the first input, the output lie in bf16 */
    /* ---- filled by the op ---- */
    void *state;                              /* released with unplan */
    size_t save_bytes;                        /* survives from forward to backward */
    size_t forward_scratch, backward_scratch; /* bytes, not cleared */
    size_t factor_bytes;     /* survives until the next run (NN_CAPTURE) */
    unsigned backward_reads; /* bit i: backward reads in[i] */
    bool backward_reads_out;
    bool factor_reads_x; /* the factor points at in[0] */
    bool factor_reads_d; /* the factor points at d_out */
} nn_plan;

/* One run. Pointers to parameters and buffers point into the flat vectors. */
typedef struct nn_io {
    const nn_node *node;
    const nn_node *const *fused;
    int n_fused;
    nn_mode mode;
    int n; /* examples in this run */
    void *state;
    const void *in[NN_MAX_INPUTS]; /* f32, or i32 labels; NULL past n_in */
    float *buffer[NN_MAX_INPUTS];  /* the same, writable, where the input is a buffer */
    float *out;                    /* of the last fused node */
    const float *d_out;
    float *d_in[NN_MAX_INPUTS]; /* overwritten; NULL where not wanted */
    bool x_half, out_half;      /* in[0] and d_in[0], out and d_out are bf16 */
    void *save, *scratch, *factor;
} nn_io;

/* How one conformance case feeds an op: inputs by kind. */
typedef enum nn_case_kind {
    NN_CASE_VALUE = 1, /* an activation, normal numbers */
    NN_CASE_PARAM,
    NN_CASE_BUFFER, /* positive numbers */
    NN_CASE_LABEL   /* 0..K-1, K from the first input */
} nn_case_kind;

typedef struct nn_op_case {
    const char *name; /* NULL ends the list */
    int batch, n;     /* the executor's batch, and how many are run */
    int n_inputs;
    struct {
        nn_case_kind kind;
        nn_shape shape;
    } in[NN_MAX_INPUTS];
    nn_attr attr[4];
    int n_attrs;
} nn_op_case;

struct nn_op_def {
    const char *name, *summary;
    int min_inputs, max_inputs;
    /* It can take its first input, or give its output, in bf16 instead of f32; the
     * gradients likewise. An executor that computes in bf16 then lets images lie so. */
    bool half_in, half_out;
    bool batch_coupled;       /* examples influence each other in training (batch norm) */
    const char *const *attrs; /* names it understands, ended by NULL; NULL: none */
    /* Sets node->out_shape from in_shape and attr. SHAPE, INVALID with words. */
    assay_status (*infer)(nn_node *node);
    /* How many of the `n` nodes in a row behind this one it does in its own pass.
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
/* Elements of a parameter. */
int64_t nn_shape_count(const nn_shape *s);
bool nn_shape_equal(const nn_shape *a, const nn_shape *b);
/* "[N,3,28,28]" */
const char *nn_shape_text(const nn_shape *s, char out[64]);
/* An attribute by name, NULL if not given. */
const nn_attr *nn_attr_get(const nn_node *node, const char *name);
double nn_attr_f(const nn_node *node, const char *name, double fallback);
/* Two integers (rows, columns) from one or two; fallback if absent. */
assay_status
nn_attr_pair(const nn_node *node, const char *name, int64_t fallback, int64_t out[2]);
/* Top, left, bottom, right from one, two or four; 0 if absent. */
assay_status nn_attr_pad(const nn_node *node, int64_t out[4]);
/* SHAPE "<op>: <what>, has <shape>" */
assay_status nn_op_bad_shape(const nn_node *node, int input, const char *what);

/* A sliding window over the two spatial dimensions: convolutions and poolings. */
typedef struct nn_window {
    int64_t c, h, w, oh, ow, kh, kw, stride[2], pad[4], dilation[2];
} nn_window;
/* Reads stride, pad, dilation; kh, kw are given. SHAPE when nothing fits. */
assay_status nn_window_make(nn_window *out, const nn_node *node, int64_t kh, int64_t kw);

#endif

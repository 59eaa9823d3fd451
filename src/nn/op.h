/* One op of the registry: what a file under nn/ops provides. */
#ifndef NN_OP_H
#define NN_OP_H

#include "nn/exec.h"

/* The narrow view an op gets of its node while planning and running; see exec.c for who fills it. */
typedef struct nn_node nn_node;
typedef struct nn_op_case nn_op_case;

typedef struct nn_op_def {
    const char *name, *summary;
    int min_inputs, max_inputs;
    bool batch_coupled; /* examples influence each other in training (batch norm) */
    /* Output shape from input shapes and attributes; SHAPE with words. */
    assay_status (*infer)(const nn_graph *g, nn_node *node);
    /* Creates primitives, asks for scratch; once per executor. May be NULL. */
    assay_status (*plan)(nn_exec *e, nn_node *node, void **state);
    void (*unplan)(void *state);
    assay_status (*forward)(nn_exec *e, nn_node *node, void *state, int n);
    assay_status (*backward)(nn_exec *e, nn_node *node, void *state, int n);
    /* Fills the per-example factor; NULL for ops without parameters. */
    assay_status (*factors)(nn_exec *e, nn_node *node, void *state, int n, nn_factor *out);
    /* Plain C in float64, forward and backward; shapes as in the node. */
    void (*reference)(const nn_node *node, int n, bool training, double *const *in, double *out,
                      const double *d_out, double *const *d_in);
    const nn_op_case *cases; /* ended by an all-zero one */
} nn_op_def;

const nn_op_def *nn_op_find(const char *name);
size_t nn_op_count(void);
const nn_op_def *nn_op_at(size_t i);

#endif

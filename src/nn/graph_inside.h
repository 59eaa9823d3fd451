/* The graph's inside, for the executor. Ops do not need it. */
#ifndef NN_GRAPH_INSIDE_H
#define NN_GRAPH_INSIDE_H

#include "nn/op.h"

typedef enum nn_value_kind {
    NN_KIND_INPUT,
    NN_KIND_PARAM,
    NN_KIND_BUFFER,
    NN_KIND_CONSTANT,
    NN_KIND_ACTIVATION
} nn_value_kind;

typedef struct nn_value_info {
    nn_value_kind kind;
    assay_dtype dtype;
    assay_layout layout;
    nn_shape shape;
    void *constant;       /* constants: the bytes, owned */
    int node;             /* the producer; -1 for all but activations */
    size_t offset, count; /* parameters and buffers: place in the flat vector */
    nn_init init;
    bool decay;
    char name[NN_MAX_NAME]; /* "" = none */
} nn_value_info;

struct nn_graph {
    assay_ctx *ctx;
    nn_value_info *value;
    size_t n_values, cap_values;
    nn_node *node; /* in order: inputs come before their users */
    size_t n_nodes, cap_nodes;
    int *param, *buffer; /* values, in order of addition */
    size_t n_params, cap_params, n_buffers, cap_buffers;
    size_t param_floats, buffer_floats;
};

#endif

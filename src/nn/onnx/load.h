/* An ONNX file as a graph of ours with its weights. */
#ifndef NN_ONNX_LOAD_H
#define NN_ONNX_LOAD_H

#include "nn/graph.h"
#include "nn/onnx/array.h"

enum { ONNX_MIN_OPSET = 1, ONNX_MAX_OPSET = 21 };

/* The value of one of the model's inputs, told beforehand: sizes that the file leaves
 * open come from here, and numbers that decide about shapes. */
typedef struct onnx_bound {
    const char *name; /* NULL: the input at this place */
    assay_dtype dtype;
    int ndim;
    int64_t dim[ASSAY_MAX_DIMS];
    const void *data; /* row by row; NULL: only the sizes are known */
} onnx_bound;

typedef struct onnx_options {
    const char *folder; /* where external data lies; NULL: none is read */
    bool open_batch;    /* a leading 1 of every input becomes the open batch */
    bool fix_batch;     /* an open batch has the size that `bound` says */
    const onnx_bound *bound;
    int n_bound;
} onnx_options;

/* An input or an output of the model. */
typedef struct onnx_port {
    char name[NN_MAX_NAME]; /* of the file, cut where it is longer */
    assay_dtype dtype;      /* of the file */
    nn_shape shape;         /* dim[0] == 0: the batch; sizes may be 0 if `empty` */
    bool empty;             /* no elements */
    nn_value value;         /* -1: an input that nothing computes with */
    int param, buffer;      /* inputs used as one of these: which; -1: none */
    bool shaped;            /* its shape was used, if nothing else of it */
    bool bound;             /* its numbers decided shapes: they must be the same again */
} onnx_port;

typedef struct onnx_import {
    assay_ctx *ctx;
    nn_graph *graph;
    nn_weights weights;
    onnx_port *in, *out;
    size_t n_in, n_out;
    int64_t opset;
    bool open;               /* some input has an open batch */
    char blame[NN_MAX_NAME]; /* after a failure: the op type it is about; "" if none */
} onnx_import;

/* UNSUPPORTED names the node and its op type; FORMAT for files that make no sense. */
ASSAY_MUST_CHECK assay_status onnx_load(onnx_import *out,
                                        assay_ctx *ctx,
                                        const onnx_model *model,
                                        const onnx_options *options);
void onnx_import_free(onnx_import *m); /* accepts a zeroed one */

/* The op types that rules exist for, in no order; NULL past the last. */
const char *onnx_rule_name(size_t i);

#endif

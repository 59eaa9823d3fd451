/* A graph of ours as an ONNX file (opset 17), with its weights inside. */
#ifndef NN_ONNX_EXPORT_H
#define NN_ONNX_EXPORT_H

#include "nn/graph.h"
#include "nn/onnx/ir.h"

enum { ONNX_EXPORT_OPSET = 17, ONNX_EXPORT_IR = 8 };

typedef struct onnx_export_options {
    const nn_value *outputs;  /* [n_outputs]; what they depend on is written */
    const char *const *names; /* [n_outputs] of theirs */
    int n_outputs;
    /* NULL: none. Else the input `image` takes pixels from 0 to 1, and the file's first
     * nodes subtract mean[c] and divide by std[c]. */
    const float *mean, *std;
    nn_value image;
    const onnx_pair *meta; /* pairs of texts that go along */
    size_t n_meta;
} onnx_export_options;

/* Appends the file. Batch norm is written as it is in evaluation, dropout not at all.
 * UNSUPPORTED names the op that ONNX has no words for here. */
ASSAY_MUST_CHECK assay_status onnx_export(buf *out,
                                          assay_ctx *ctx,
                                          const nn_graph *g,
                                          const nn_weights *weights,
                                          const onnx_export_options *options);

#endif

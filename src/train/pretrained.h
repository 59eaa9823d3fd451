/* Starting from weights of others: what a file has under a parameter's name and in its
 * shape is taken, the rest starts anew. So a model trained on other classes lends all
 * but its head. */
#ifndef TRAIN_PRETRAINED_H
#define TRAIN_PRETRAINED_H

#include "nn/graph.h"

/* SHA-256 of the file, as hexadecimal digits. */
ASSAY_MUST_CHECK assay_status pretrained_hash(char out[65], const char *path);
/* Fills parameters and buffers from a .safetensors file (of ours or of PyTorch's; f32,
 * f64, f16, bf16), or from the initializers of a .onnx file. What starts anew is told in
 * the log. INVALID when no tensor is the model's, NUMERIC when one is not finite; errors
 * of the file as st_open and onnx_parse. */
ASSAY_MUST_CHECK assay_status pretrained_take(assay_ctx *ctx,
                                              const char *path,
                                              const nn_graph *g,
                                              nn_weights *w);

#endif

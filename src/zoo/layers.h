/* Layers as builders write them: parameters with PyTorch's names, the op, and its cost.
 */
#ifndef ZOO_LAYERS_H
#define ZOO_LAYERS_H

#include "zoo/zoo.h"

/* Each takes a value and puts the layer's output into *x. `name` is the module's
 * ("conv1"). */

/* "block.part" into `out`, which is returned. */
const char *zoo_part(char out[NN_MAX_NAME], const char *block, const char *part);

typedef struct zoo_conv_shape {
    int64_t channels, kernel, stride, pad;
    bool bias;
} zoo_conv_shape;
ASSAY_MUST_CHECK assay_status zoo_conv_of(zoo_model *m,
                                          nn_value *x,
                                          const char *name,
                                          const zoo_conv_shape *shape);
/* Each channel with a kernel of its own, without bias, padded as zoo_conv. */
ASSAY_MUST_CHECK assay_status zoo_depthwise(
    zoo_model *m, nn_value *x, const char *name, int64_t kernel, int64_t stride);
/* kernel x kernel convolution without bias, padded so that stride 1 keeps the size. */
ASSAY_MUST_CHECK assay_status zoo_conv(zoo_model *m,
                                       nn_value *x,
                                       const char *name,
                                       int64_t channels,
                                       int64_t kernel,
                                       int64_t stride);
/* Batch norm; then ReLU. */
ASSAY_MUST_CHECK assay_status zoo_norm(zoo_model *m, nn_value *x, const char *name);
ASSAY_MUST_CHECK assay_status zoo_norm_relu(zoo_model *m, nn_value *x, const char *name);
ASSAY_MUST_CHECK assay_status zoo_relu(zoo_model *m, nn_value *x);
/* Batch norm whose scale stays 1: only the shift is trained. `momentum` as PyTorch's. */
ASSAY_MUST_CHECK assay_status
zoo_norm_shift(zoo_model *m, nn_value *x, const char *name, double eps, double momentum);
/* zoo_conv of stride 1 that starts by handing its inputs on (NN_INIT_DIRAC). */
ASSAY_MUST_CHECK assay_status zoo_conv_dirac(
    zoo_model *m, nn_value *x, const char *name, int64_t channels, int64_t kernel);
/* A convolution without padding whose weights are not trained, but its bias is. */
ASSAY_MUST_CHECK assay_status zoo_conv_fixed(
    zoo_model *m, nn_value *x, const char *name, int64_t channels, int64_t kernel);
/* Any op of one input. */
ASSAY_MUST_CHECK assay_status
zoo_op(zoo_model *m, nn_value *x, const char *op, const nn_attr *attrs, int n_attrs);
/* *x + other. */
ASSAY_MUST_CHECK assay_status zoo_add(zoo_model *m, nn_value *x, nn_value other);
/* *x times a number that is not trained. */
ASSAY_MUST_CHECK assay_status zoo_scale(zoo_model *m,
                                        nn_value *x,
                                        const char *name,
                                        float by);
/* Halves the sides (the odd last row and column are left out). */
ASSAY_MUST_CHECK assay_status zoo_max_pool(zoo_model *m, nn_value *x);
ASSAY_MUST_CHECK assay_status
zoo_max_pool_of(zoo_model *m, nn_value *x, int64_t kernel, int64_t stride, int64_t pad);
/* The mean, or the largest value, of each channel. */
ASSAY_MUST_CHECK assay_status zoo_global_pool(zoo_model *m, nn_value *x);
ASSAY_MUST_CHECK assay_status zoo_global_max_pool(zoo_model *m, nn_value *x);
ASSAY_MUST_CHECK assay_status zoo_flatten(zoo_model *m, nn_value *x);
/* Over the last dimension; with a bias, or without. */
ASSAY_MUST_CHECK assay_status zoo_linear(zoo_model *m,
                                         nn_value *x,
                                         const char *name,
                                         int64_t width);
ASSAY_MUST_CHECK assay_status zoo_linear_plain(zoo_model *m,
                                               nn_value *x,
                                               const char *name,
                                               int64_t width);

/* ---- of tokens: [0,T,C] ---- */

/* Rows of a table [rows, width] by number. */
ASSAY_MUST_CHECK assay_status
zoo_embedding(zoo_model *m, nn_value *x, const char *name, int64_t rows, int64_t width);
/* *x + a trained vector for each of its places. */
ASSAY_MUST_CHECK assay_status zoo_positions(zoo_model *m, nn_value *x, const char *name);
/* `eps` is 1e-5 in GPT-2 and in PyTorch, 1e-6 in timm, 1e-12 in BERT. */
ASSAY_MUST_CHECK assay_status zoo_layer_norm(zoo_model *m,
                                             nn_value *x,
                                             const char *name,
                                             double eps);
ASSAY_MUST_CHECK assay_status zoo_gelu(zoo_model *m, nn_value *x);
/* Self-attention; *x is [0,T,3C], queries, keys and values side by side. Causal: a token
 * sees those up to itself. */
ASSAY_MUST_CHECK assay_status zoo_attention(zoo_model *m,
                                            nn_value *x,
                                            int64_t heads,
                                            bool causal);
/* The same of queries, keys and values of their own, [0,T,C] each. */
ASSAY_MUST_CHECK assay_status zoo_attention_of(zoo_model *m,
                                               nn_value *x,
                                               const nn_value qkv[3],
                                               int64_t heads);
/* One token of each example: [0,T,C] to [0,C]. */
ASSAY_MUST_CHECK assay_status zoo_token(zoo_model *m, nn_value *x, int64_t which);

/* ---- a block of a transformer that normalises before each part ---- */

/* Names of its modules, put behind `block`: GPT-2's or timm's. */
typedef struct zoo_block_names {
    const char *norm1, *qkv, *proj, *norm2, *up, *down;
} zoo_block_names;
typedef struct zoo_block {
    const zoo_block_names *names;
    int64_t heads; /* of the width's attention; the perceptron is four times as wide */
    bool causal;
    double eps;
} zoo_block;
ASSAY_MUST_CHECK assay_status zoo_transformer_block(zoo_model *m,
                                                    nn_value *x,
                                                    const char *block,
                                                    const zoo_block *shape);

#endif

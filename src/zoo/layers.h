/* Layers as builders write them: parameters with PyTorch's names, the op, and its cost.
 */
#ifndef ZOO_LAYERS_H
#define ZOO_LAYERS_H

#include "zoo/zoo.h"

/* Each takes a value and puts the layer's output into *x. `name` is the module's
 * ("conv1"). */

typedef struct zoo_conv_shape {
    int64_t channels, kernel, stride, pad;
    bool bias;
} zoo_conv_shape;
ASSAY_MUST_CHECK assay_status zoo_conv_of(zoo_model *m,
                                          nn_value *x,
                                          const char *name,
                                          const zoo_conv_shape *shape);
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
ASSAY_MUST_CHECK assay_status zoo_layer_norm(zoo_model *m, nn_value *x, const char *name);
ASSAY_MUST_CHECK assay_status zoo_gelu(zoo_model *m, nn_value *x);
/* Causal self-attention; *x is [0,T,3C], queries, keys and values side by side. */
ASSAY_MUST_CHECK assay_status zoo_attention(zoo_model *m, nn_value *x, int64_t heads);

#endif

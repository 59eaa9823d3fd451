/* Layers as builders write them: parameters with PyTorch's names, the op, and its cost.
 */
#ifndef ZOO_LAYERS_H
#define ZOO_LAYERS_H

#include "zoo/zoo.h"

/* Each takes a value and puts the layer's output into *x. `name` is the module's
 * ("conv1"). */

/* kernel x kernel convolution without bias, padded so that stride 1 keeps the size. */
ASSAY_MUST_CHECK assay_status zoo_conv(zoo_model *m,
                                       nn_value *x,
                                       const char *name,
                                       int64_t channels,
                                       int64_t kernel,
                                       int64_t stride);
/* Batch norm, then ReLU. */
ASSAY_MUST_CHECK assay_status zoo_norm_relu(zoo_model *m, nn_value *x, const char *name);
ASSAY_MUST_CHECK assay_status zoo_relu(zoo_model *m, nn_value *x);
/* Halves the sides (the odd last row and column are left out). */
ASSAY_MUST_CHECK assay_status zoo_max_pool(zoo_model *m, nn_value *x);
ASSAY_MUST_CHECK assay_status zoo_global_pool(zoo_model *m, nn_value *x);
ASSAY_MUST_CHECK assay_status zoo_flatten(zoo_model *m, nn_value *x);
ASSAY_MUST_CHECK assay_status zoo_linear(zoo_model *m,
                                         nn_value *x,
                                         const char *name,
                                         int64_t width);

#endif

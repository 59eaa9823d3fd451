/* The networks whose training steps are measured: two small ones that other engines are
 * measured on, and the zoo's. */
#ifndef TRAIN_BENCH_NETS_H
#define TRAIN_BENCH_NETS_H

#include "zoo/zoo.h"

/* "mlp" and "cnn" are 784-256-10 and two convolutions on 28x28 pixels, with the names of
 * a PyTorch nn.Sequential; they are not the zoo's of these names. Other names are the
 * zoo's. `size`: side of the images, 0: as usual for the model. `smooth`: as in
 * zoo_config. NOTFOUND, SHAPE */
ASSAY_MUST_CHECK assay_status bench_net_build(zoo_model *out,
                                              assay_ctx *ctx,
                                              const char *name,
                                              int size,
                                              bool smooth);

#endif

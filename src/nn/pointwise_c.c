/* The activations, compiled for what every processor of the architecture has. */
#include "nn/pointwise.h"

#define KERNELS      pointwise_kernels_c
#define KERNELS_NAME "c"
#include "nn/pointwise.inc"

/* The activations, compiled for avx2. */
#include "nn/pointwise.h"

#define KERNELS      pointwise_kernels_avx2
#define KERNELS_NAME "avx2"
#include "nn/pointwise.inc"

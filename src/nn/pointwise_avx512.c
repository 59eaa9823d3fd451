/* The activations, compiled for avx512. */
#include "nn/pointwise.h"

#define KERNELS      pointwise_kernels_avx512
#define KERNELS_NAME "avx512"
#include "nn/pointwise.inc"

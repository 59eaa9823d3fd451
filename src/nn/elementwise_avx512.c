/* The elementwise kernels, compiled for AVX-512. */
#include "nn/elementwise.h"

#define KERNELS      elementwise_kernels_avx512
#define KERNELS_NAME "avx512"
#include "nn/elementwise.inc"

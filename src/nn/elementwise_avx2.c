/* The elementwise kernels, compiled for AVX2 and FMA. */
#include "nn/elementwise.h"

#define KERNELS      elementwise_kernels_avx2
#define KERNELS_NAME "avx2"
#include "nn/elementwise.inc"

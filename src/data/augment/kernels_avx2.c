/* The transforms' kernels for AVX2; empty on other architectures. */
#include "data/augment/kernels.h"

#ifdef __AVX2__
#define DATA_KERNELS data_kernels_avx2
#include "data/augment/kernels.inc"
#endif

/* The transforms' kernels for AVX-512; empty on other architectures. */
#include "data/augment/kernels.h"

#ifdef __AVX512BW__
#define DATA_KERNELS data_kernels_avx512
#include "data/augment/kernels.inc"
#endif

/* The kernels for AVX2; empty on other architectures. */
#include "simd/simd.h"

#ifdef __AVX2__
#define SIMD_TABLE simd_table_avx2
#include "simd/kernels.inc"
#endif

/* The kernels for AVX-512; empty on other architectures. */
#include "simd/simd.h"

#ifdef __AVX512F__
#define SIMD_TABLE simd_table_avx512
#include "simd/kernels.inc"
#endif

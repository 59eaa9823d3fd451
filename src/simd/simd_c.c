/* The kernels for what every processor of the architecture has; also the reference. */
#define SIMD_TABLE simd_table_none
#include "simd/kernels.inc"

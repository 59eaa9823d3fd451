/* The kernels, compiled for avx2. */
#include "nn/kernel_table.h"

#define KERNELS      nn_kernels_avx2
#define KERNELS_NAME "avx2"
#include "nn/kernels.inc"

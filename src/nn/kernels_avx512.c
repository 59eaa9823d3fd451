/* The kernels, compiled for avx512. */
#include "nn/kernel_table.h"

#define KERNELS      nn_kernels_avx512
#define KERNELS_NAME "avx512"
#include "nn/kernels.inc"

/* The kernels, compiled for what every processor of the architecture has. */
#include "nn/kernel_table.h"

#define KERNELS      nn_kernels_c
#define KERNELS_NAME "c"
#include "nn/kernels.inc"

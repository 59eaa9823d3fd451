/* The elementwise kernels, compiled for what every processor of the architecture has. */
#include "nn/elementwise.h"

#define KERNELS      elementwise_kernels_c
#define KERNELS_NAME "c"
#include "nn/elementwise.inc"

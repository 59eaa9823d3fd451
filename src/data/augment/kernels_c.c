/* The transforms' kernels for what every processor has. */
#include "data/augment/kernels.h"

#define DATA_KERNELS data_kernels_none
#include "data/augment/kernels.inc"

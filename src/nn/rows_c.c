/* The kernels over rows, compiled for what every processor of the architecture has. */
#include "nn/rows.h"

#define ROWS      row_kernels_c
#define ROWS_NAME "c"
#include "nn/rows.inc"

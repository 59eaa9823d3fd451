/* The kernels over rows, compiled for avx2. */
#include "nn/rows.h"

#define ROWS      row_kernels_avx2
#define ROWS_NAME "avx2"
#include "nn/rows.inc"

/* The kernels over rows, compiled for avx512. */
#include "nn/rows.h"

#define ROWS      row_kernels_avx512
#define ROWS_NAME "avx512"
#include "nn/rows.inc"

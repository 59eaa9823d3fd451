/* Small products in plain C: the meaning of the others. */
#include "nn/gemm_inside.h"

#include <math.h>

#define ROW_KERNELS row_kernels_c

static void turn_block(float *to, size_t ld_to, const float *from, size_t ld_from) {
    for (size_t i = 0; i < 16; i++)
        for (size_t j = 0; j < 16; j++)
            to[i * ld_to + j] = from[j * ld_from + i];
}

static void tile(float *c,
                 size_t ldc,
                 const float *a,
                 size_t a_row,
                 size_t a_col,
                 const float *b,
                 size_t ldb,
                 size_t k,
                 size_t rows,
                 size_t wide,
                 bool add) {
    for (size_t i = 0; i < rows; i++, c += ldc, a += a_row) {
        float sum[GEMM_WIDE];
        for (size_t j = 0; j < wide; j++)
            sum[j] = 0;
        for (size_t p = 0; p < k; p++)
            for (size_t j = 0; j < wide; j++)
                sum[j] = fmaf(a[p * a_col], b[p * ldb + j], sum[j]);
        for (size_t j = 0; j < wide; j++)
            c[j] = add ? c[j] + sum[j] : sum[j];
    }
}

#include "nn/gemm.inc"

const gemm_kernels gemm_kernels_c = {.name = "c", .run = k_run};

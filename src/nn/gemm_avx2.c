/* Small products in AVX2: 4 x 16 of C in eight registers. */
#include "nn/gemm_inside.h"

#include <immintrin.h>

#define ROW_KERNELS row_kernels_avx2

static void turn_block(float *to, size_t ld_to, const float *from, size_t ld_from) {
    for (size_t i = 0; i < 16; i++)
        for (size_t j = 0; j < 16; j++)
            to[i * ld_to + j] = from[j * ld_from + i];
}

static inline __attribute__((always_inline)) void part(float *c,
                                                       size_t ldc,
                                                       const float *a,
                                                       size_t a_row,
                                                       size_t a_col,
                                                       const float *b,
                                                       size_t ldb,
                                                       size_t k,
                                                       const int rows,
                                                       bool add) {
    __m256 s[4][2];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < 2; j++)
            s[i][j] = _mm256_setzero_ps();
    for (size_t p = 0; p < k; p++, a += a_col, b += ldb) {
        __m256 x = _mm256_loadu_ps(b), y = _mm256_loadu_ps(b + 8);
#pragma GCC unroll 4
        for (int i = 0; i < rows; i++) {
            __m256 w = _mm256_broadcast_ss(a + (size_t)i * a_row);
            s[i][0] = _mm256_fmadd_ps(w, x, s[i][0]);
            s[i][1] = _mm256_fmadd_ps(w, y, s[i][1]);
        }
    }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < 2; j++) {
            float *to = c + (size_t)i * ldc + 8 * j;
            _mm256_storeu_ps(to,
                             add ? _mm256_add_ps(_mm256_loadu_ps(to), s[i][j]) : s[i][j]);
        }
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
    for (size_t j = 0; j < wide; j += 16) {
        size_t i = 0;
        for (; i + 4 <= rows; i += 4)
            part(c + i * ldc + j, ldc, a + i * a_row, a_row, a_col, b + j, ldb, k, 4,
                 add);
        for (; i < rows; i++)
            part(c + i * ldc + j, ldc, a + i * a_row, a_row, a_col, b + j, ldb, k, 1,
                 add);
    }
}

#include "nn/gemm.inc"

const gemm_kernels gemm_kernels_avx2 = {.name = "avx2", .run = k_run};

/* Small products in AVX-512: 8 x 48 of C in 24 registers. */
#include "nn/gemm_inside.h"

#include <immintrin.h>

#define ROW_KERNELS row_kernels_avx512
#define INLINE      static inline __attribute__((always_inline))

/* 16 x 16 floats, rows to columns: pairs, then fours, then quarters of registers. */
static void turn_block(float *to, size_t ld_to, const float *from, size_t ld_from) {
    __m512 r[16], t[16];
    for (int i = 0; i < 16; i++)
        r[i] = _mm512_loadu_ps(from + (size_t)i * ld_from);
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int j = 0; j < 2; j++) {
            __m512d low = _mm512_castps_pd(t[i + j]);
            __m512d high = _mm512_castps_pd(t[i + j + 2]);
            r[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
            r[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
        }
    for (int i = 0; i < 16; i += 8)
        for (int j = 0; j < 4; j++) {
            t[i + j] = _mm512_shuffle_f32x4(r[i + j], r[i + j + 4], 0x88);
            t[i + j + 4] = _mm512_shuffle_f32x4(r[i + j], r[i + j + 4], 0xdd);
        }
    for (int j = 0; j < 8; j++) {
        _mm512_storeu_ps(to + (size_t)j * ld_to,
                         _mm512_shuffle_f32x4(t[j], t[j + 8], 0x88));
        _mm512_storeu_ps(to + (size_t)(j + 8) * ld_to,
                         _mm512_shuffle_f32x4(t[j], t[j + 8], 0xdd));
    }
}

INLINE void part(float *c,
                 size_t ldc,
                 const float *a,
                 size_t a_row,
                 size_t a_col,
                 const float *b,
                 size_t ldb,
                 size_t k,
                 const int rows,
                 const int vectors,
                 bool add) {
    __m512 s[GEMM_TALL][3];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < vectors; j++)
            s[i][j] = _mm512_setzero_ps();
    for (size_t p = 0; p < k; p++, a += a_col, b += ldb) {
        __m512 x[3];
        for (int j = 0; j < vectors; j++)
            x[j] = _mm512_loadu_ps(b + 16 * j);
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            __m512 w = _mm512_set1_ps(a[(size_t)i * a_row]);
            for (int j = 0; j < vectors; j++)
                s[i][j] = _mm512_fmadd_ps(w, x[j], s[i][j]);
        }
    }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < vectors; j++) {
            float *to = c + (size_t)i * ldc + 16 * j;
            _mm512_storeu_ps(to,
                             add ? _mm512_add_ps(_mm512_loadu_ps(to), s[i][j]) : s[i][j]);
        }
}

INLINE void rows_of(float *c,
                    size_t ldc,
                    const float *a,
                    size_t a_row,
                    size_t a_col,
                    const float *b,
                    size_t ldb,
                    size_t k,
                    size_t rows,
                    const int vectors,
                    bool add) {
    size_t i = 0;
    for (; i + 8 <= rows; i += 8)
        part(c + i * ldc, ldc, a + i * a_row, a_row, a_col, b, ldb, k, 8, vectors, add);
    for (; i + 4 <= rows; i += 4)
        part(c + i * ldc, ldc, a + i * a_row, a_row, a_col, b, ldb, k, 4, vectors, add);
    for (; i < rows; i++)
        part(c + i * ldc, ldc, a + i * a_row, a_row, a_col, b, ldb, k, 1, vectors, add);
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
    if (wide == 48)
        rows_of(c, ldc, a, a_row, a_col, b, ldb, k, rows, 3, add);
    else if (wide == 32)
        rows_of(c, ldc, a, a_row, a_col, b, ldb, k, rows, 2, add);
    else
        rows_of(c, ldc, a, a_row, a_col, b, ldb, k, rows, 1, add);
}

#include "nn/gemm.inc"

const gemm_kernels gemm_kernels_avx512 = {.name = "avx512", .run = k_run};

/* Splitting 21 pixels, one register, at a time: a byte permutation for each plane. */
#include "image/split.h"

#ifdef __AVX512VBMI__

#include <immintrin.h>

enum { PIXELS = 21 };

/* For each plane: which bytes go to its front. */
static const uint8_t front[3][64] = {
    {0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36, 39, 42, 45, 48, 51, 54, 57, 60},
    {1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 34, 37, 40, 43, 46, 49, 52, 55, 58, 61},
    {2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 32, 35, 38, 41, 44, 47, 50, 53, 56, 59, 62},
};

void split_rgb_avx512v(uint8_t *planes, size_t stride, const uint8_t *rgb, size_t n) {
    size_t i = 0;
    for (; n - i > PIXELS; i += PIXELS) { /* the load takes one byte more */
        __m512i v = _mm512_loadu_si512(rgb + 3 * i);
        for (int c = 0; c < 3; c++) {
            __m512i plane = _mm512_permutexvar_epi8(_mm512_loadu_si512(front[c]), v);
            _mm256_storeu_si256((__m256i *)(planes + (size_t)c * stride + i),
                                _mm512_castsi512_si256(plane));
        }
    }
    split_rgb_c(planes + i, stride, rgb + 3 * i, n - i);
}

#endif

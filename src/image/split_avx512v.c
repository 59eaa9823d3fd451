/* Splitting 21 pixels, one register, at a time: a byte permutation for each plane. */
#include "image/split.h"

#ifdef __AVX512VBMI__

#include <immintrin.h>

enum { PIXELS = 21 };

void split_rgb_avx512v(uint8_t *planes, size_t stride, const uint8_t *rgb, size_t n) {
    uint8_t choice[3][64] = {{0}};
    __m512i from[3];
    size_t i = 0;
    for (int c = 0; c < 3; c++) {
        for (int k = 0; k < PIXELS; k++)
            choice[c][k] = (uint8_t)(3 * k + c);
        from[c] = _mm512_loadu_si512(choice[c]);
    }
    for (; n - i > PIXELS; i += PIXELS) { /* the load takes one byte more */
        __m512i v = _mm512_loadu_si512(rgb + 3 * i);
        for (int c = 0; c < 3; c++) {
            __m512i plane = _mm512_permutexvar_epi8(from[c], v);
            _mm256_storeu_si256((__m256i *)(planes + (size_t)c * stride + i),
                                _mm512_castsi512_si256(plane));
        }
    }
    split_rgb_c(planes + i, stride, rgb + 3 * i, n - i);
}

#endif

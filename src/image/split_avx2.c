/* Splitting 16 pixels at a time: each plane gathers its bytes from three registers. */
#include "image/split.h"

#ifdef __AVX2__

#include <immintrin.h>

/* For plane c and register k: which of its bytes go where; 0x80 puts a zero. */
static void fill_choices(uint8_t choice[3][3][16]) {
    for (int c = 0; c < 3; c++)
        for (int k = 0; k < 3; k++)
            for (int i = 0; i < 16; i++) {
                int at = 3 * i + c - 16 * k;
                choice[c][k][i] = (uint8_t)(at >= 0 && at < 16 ? at : 0x80);
            }
}

void split_rgb_avx2(uint8_t *planes, size_t stride, const uint8_t *rgb, size_t n) {
    uint8_t choice[3][3][16];
    __m128i from[3][3];
    size_t i = 0;
    fill_choices(choice);
    for (int c = 0; c < 3; c++)
        for (int k = 0; k < 3; k++)
            from[c][k] = _mm_loadu_si128((const __m128i *)choice[c][k]);
    for (; n - i >= 16; i += 16) {
        const __m128i *p = (const __m128i *)(rgb + 3 * i);
        __m128i a = _mm_loadu_si128(p), b = _mm_loadu_si128(p + 1),
                d = _mm_loadu_si128(p + 2);
        for (int c = 0; c < 3; c++) {
            __m128i v = _mm_or_si128(_mm_shuffle_epi8(a, from[c][0]),
                                     _mm_shuffle_epi8(b, from[c][1]));
            v = _mm_or_si128(v, _mm_shuffle_epi8(d, from[c][2]));
            _mm_storeu_si128((__m128i *)(planes + (size_t)c * stride + i), v);
        }
    }
    split_rgb_c(planes + i, stride, rgb + 3 * i, n - i);
}

#endif

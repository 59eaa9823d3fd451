/* Splitting 16 pixels at a time: each plane gathers its bytes from three registers. */
#include "image/split.h"

#ifdef __AVX2__

#include <immintrin.h>

/* For each plane and register: which of its bytes go where; N puts a zero. */
enum { N = 0x80 };
static const uint8_t choice[3][3][16] = {
    {{0, 3, 6, 9, 12, 15, N, N, N, N, N, N, N, N, N, N},
     {N, N, N, N, N, N, 2, 5, 8, 11, 14, N, N, N, N, N},
     {N, N, N, N, N, N, N, N, N, N, N, 1, 4, 7, 10, 13}},
    {{1, 4, 7, 10, 13, N, N, N, N, N, N, N, N, N, N, N},
     {N, N, N, N, N, 0, 3, 6, 9, 12, 15, N, N, N, N, N},
     {N, N, N, N, N, N, N, N, N, N, N, 2, 5, 8, 11, 14}},
    {{2, 5, 8, 11, 14, N, N, N, N, N, N, N, N, N, N, N},
     {N, N, N, N, N, 1, 4, 7, 10, 13, N, N, N, N, N, N},
     {N, N, N, N, N, N, N, N, N, N, 0, 3, 6, 9, 12, 15}},
};

static inline __m128i choose(__m128i v, const uint8_t *bytes) {
    return _mm_shuffle_epi8(v, _mm_loadu_si128((const __m128i *)bytes));
}

void split_rgb_avx2(uint8_t *planes, size_t stride, const uint8_t *rgb, size_t n) {
    size_t i = 0;
    for (; n - i >= 16; i += 16) {
        const __m128i *p = (const __m128i *)(rgb + 3 * i);
        __m128i a = _mm_loadu_si128(p), b = _mm_loadu_si128(p + 1),
                d = _mm_loadu_si128(p + 2);
        for (int c = 0; c < 3; c++) {
            __m128i v = _mm_or_si128(choose(a, choice[c][0]), choose(b, choice[c][1]));
            v = _mm_or_si128(v, choose(d, choice[c][2]));
            _mm_storeu_si128((__m128i *)(planes + (size_t)c * stride + i), v);
        }
    }
    split_rgb_c(planes + i, stride, rgb + 3 * i, n - i);
}

#endif

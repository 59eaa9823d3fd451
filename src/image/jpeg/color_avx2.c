/* Upsampling and colour 16 pixels at a time. */
#include "image/jpeg/kernels.h"

#ifdef __AVX2__

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
typedef __m256i V;
typedef __m128i H;
enum { WIDTH = 16 };
#define NAME(f)     jpg_##f##_avx2
#define OP(f)       _mm256_##f
#define HALF(f)     _mm_##f
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(p), v)
#define LOAD_H(p)   _mm_loadu_si128((const __m128i *)(p))

INLINE V load_words(const uint8_t *p) {
    return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)p));
}

INLINE void store_bytes(uint8_t *p, V v) {
    H lo = _mm256_castsi256_si128(v), hi = _mm256_extracti128_si256(v, 1);
    _mm_storeu_si128((__m128i *)p, _mm_packus_epi16(lo, hi));
}

INLINE V alternate(H even, H odd) {
    return _mm256_set_m128i(_mm_unpackhi_epi16(even, odd), _mm_unpacklo_epi16(even, odd));
}

#include "image/jpeg/color.inc"

#endif

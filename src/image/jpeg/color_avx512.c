/* Upsampling and colour 32 pixels at a time. */
#include "image/jpeg/kernels.h"

#ifdef __AVX512BW__

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
typedef __m512i V;
typedef __m256i H;
enum { WIDTH = 32 };
#define NAME(f)     jpg_##f##_avx512
#define OP(f)       _mm512_##f
#define HALF(f)     _mm256_##f
#define STORE(p, v) _mm512_storeu_si512(p, v)
#define LOAD_H(p)   _mm256_loadu_si256((const __m256i *)(p))

INLINE V load_words(const uint8_t *p) {
    return _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)p));
}

INLINE void store_bytes(uint8_t *p, V v) {
    v = _mm512_max_epi16(v, _mm512_setzero_si512());
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtusepi16_epi8(v));
}

INLINE V alternate(H even, H odd) {
    return _mm512_or_si512(_mm512_cvtepu16_epi32(even),
                           _mm512_slli_epi32(_mm512_cvtepu16_epi32(odd), 16));
}

#include "image/jpeg/color.inc"

#endif

/* The IDCT four blocks at a time. */
#include "image/jpeg/idct.h"

#ifdef __AVX512BW__

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
typedef __m512i V;
enum { WIDTH = 4 };
#define JPG_IDCT    jpg_idct_avx512
#define OP(f)       _mm512_##f
#define LOAD(p)     _mm512_load_si512(p)
#define STORE(p, v) _mm512_store_si512(p, v)
#define LANES(p)    _mm512_broadcast_i32x4(_mm_load_si128((const __m128i *)(p)))
#define ZERO        _mm512_setzero_si512()
#define OR(a, b)    _mm512_or_si512(a, b)
#define AND(a, b)   _mm512_and_si512(a, b)
#define IS_ZERO(a)  (_mm512_test_epi32_mask(a, a) == 0)

/* Each lane's halves are one row each: 32 bytes of the first, then of the second. */
INLINE void store_rows(uint8_t *out, size_t stride, V v) {
    v = _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), v);
    _mm256_storeu_si256((__m256i *)out, _mm512_castsi512_si256(v));
    _mm256_storeu_si256((__m256i *)(out + stride), _mm512_extracti64x4_epi64(v, 1));
}

#include "image/jpeg/idct.inc"

#endif

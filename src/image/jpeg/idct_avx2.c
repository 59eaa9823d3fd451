/* The IDCT two blocks at a time. */
#include "image/jpeg/idct.h"

#ifdef __AVX2__

#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
typedef __m256i V;
enum { WIDTH = 2 };
#define JPG_IDCT    jpg_idct_avx2
#define OP(f)       _mm256_##f
#define LOAD(p)     _mm256_load_si256((const __m256i *)(p))
#define STORE(p, v) _mm256_store_si256((__m256i *)(p), v)
#define LANES(p)    _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)(p)))
#define ZERO        _mm256_setzero_si256()
#define OR(a, b)    _mm256_or_si256(a, b)
#define AND(a, b)   _mm256_and_si256(a, b)
#define IS_ZERO(a)  (_mm256_testz_si256(a, a) != 0)

/* Each lane's halves are one row each: 16 bytes of the first, then of the second. */
INLINE void store_rows(uint8_t *out, size_t stride, V v) {
    v = _mm256_permute4x64_epi64(v, 0xD8);
    _mm_storeu_si128((__m128i *)out, _mm256_castsi256_si128(v));
    _mm_storeu_si128((__m128i *)(out + stride), _mm256_extracti128_si256(v, 1));
}

#include "image/jpeg/idct.inc"

#endif

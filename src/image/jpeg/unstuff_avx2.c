/* Unstuffing 32 bytes at a time where none of them is FF. */
#include "image/jpeg/kernels.h"

#ifdef __AVX2__

#include <immintrin.h>

size_t jpg_unstuff_avx2(uint8_t *to,
                        const uint8_t *from,
                        const uint8_t *end,
                        const uint8_t **stop) {
    const __m256i ones = _mm256_set1_epi8(-1);
    uint8_t *begin = to;
    while (end - from >= 33) { /* 32, and what follows an FF at their end */
        __m256i v = _mm256_loadu_si256((const __m256i *)from);
        uint32_t ff = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, ones));
        _mm256_storeu_si256((__m256i *)to, v);
        if (ff == 0) {
            to += 32;
            from += 32;
            continue;
        }
        int n = __builtin_ctz(ff) + 1; /* up to the FF */
        if (from[n] != 0)
            break;
        to += n;
        from += n + 1;
    }
    return jpg_unstuff_tail(begin, to, from, end, stop);
}

#endif

/* Unstuffing 64 bytes at a time: the zeros behind FF bytes are squeezed out. */
#include "image/jpeg/kernels.h"

#ifdef __AVX512VBMI2__

#include <immintrin.h>

size_t jpg_unstuff_avx512v(uint8_t *to,
                           const uint8_t *from,
                           const uint8_t *end,
                           const uint8_t **stop) {
    uint8_t *begin = to;
    uint64_t carry = 0; /* the byte before was FF */
    while (end - from >= 64) {
        __m512i v = _mm512_loadu_si512(from);
        uint64_t ff = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(-1));
        uint64_t behind = ff << 1 | carry;
        if (behind & _mm512_test_epi8_mask(v, v))
            break; /* a marker */
        if (behind)
            v = _mm512_maskz_compress_epi8(~behind, v);
        _mm512_storeu_si512(to, v);
        to += 64 - __builtin_popcountll(behind);
        from += 64;
        carry = ff >> 63;
    }
    if (carry) { /* take the FF back */
        from--;
        to--;
    }
    return jpg_unstuff_tail(begin, to, from, end, stop);
}

#endif

/* Sixteen floats to the output's type, for the AVX-512V kernels of output and resampler.
 */
#ifndef IMAGE_OUTPUT_AVX512V_H
#define IMAGE_OUTPUT_AVX512V_H

#include "image/output_kernels.h"

#include <immintrin.h>

/* A float's upper half becomes the nearest bf16; the lower is rubbish. */
OUTPUT_INLINE __m512i output_round_bf16(__m512 v) {
    __m512i u = _mm512_castps_si512(v), one = _mm512_set1_epi32(1);
    __m512i even = _mm512_and_si512(_mm512_srli_epi32(u, 16), one);
    return _mm512_add_epi32(u, _mm512_add_epi32(even, _mm512_set1_epi32(0x7FFF)));
}

/* Stores the lanes of `lanes` at element `at`. Streaming asks for all lanes and for an
 * address that is a multiple of the stored bytes. */
OUTPUT_INLINE void output_put16(
    output_type type, bool stream, void *out, size_t at, __mmask16 lanes, __m512 v) {
    if (type == OUTPUT_F32) {
        float *to = (float *)out + at;
        if (stream)
            _mm512_stream_ps(to, v);
        else
            _mm512_mask_storeu_ps(to, lanes, v);
        return;
    }
    __m256i half;
    if (type == OUTPUT_F16) {
        half = _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    } else {
        half = _mm512_cvtepi32_epi16(_mm512_srli_epi32(output_round_bf16(v), 16));
    }
    uint16_t *to = (uint16_t *)out + at;
    if (stream)
        _mm256_stream_si256((__m256i *)(void *)to, half);
    else
        _mm256_mask_storeu_epi16(to, lanes, half);
}

/* Whether sixteen elements at a time from `out` on may be streamed. */
OUTPUT_INLINE bool output_may_stream(const image_output *o, const void *out) {
    return o->stream && (uintptr_t)out % 64 == 0;
}

/* The lowest n bits, for n from below 0 to above 64. */
OUTPUT_INLINE uint64_t output_bits(int64_t n) {
    return n <= 0 ? 0 : n >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << n) - 1;
}

#endif

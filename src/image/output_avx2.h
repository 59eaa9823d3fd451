/* Eight floats to the output's type, for the AVX2 kernels of output and resampler. */
#ifndef IMAGE_OUTPUT_AVX2_H
#define IMAGE_OUTPUT_AVX2_H

#include "image/output_kernels.h"

#include <immintrin.h>

/* Streaming asks for an address that is a multiple of the stored bytes. */
OUTPUT_INLINE void
output_put8(output_type type, bool stream, void *out, size_t at, __m256 v) {
    if (type == OUTPUT_F32) {
        float *to = (float *)out + at;
        if (stream)
            _mm256_stream_ps(to, v);
        else
            _mm256_storeu_ps(to, v);
        return;
    }
    __m128i half;
    if (type == OUTPUT_F16) {
        half = _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    } else {
        __m256i u = _mm256_castps_si256(v), one = _mm256_set1_epi32(1);
        __m256i even = _mm256_and_si256(_mm256_srli_epi32(u, 16), one);
        u = _mm256_add_epi32(u, _mm256_add_epi32(even, _mm256_set1_epi32(0x7FFF)));
        u = _mm256_srli_epi32(u, 16);
        half =
            _mm_packus_epi32(_mm256_castsi256_si128(u), _mm256_extracti128_si256(u, 1));
    }
    __m128i *to = (__m128i *)(void *)((uint16_t *)out + at);
    if (stream)
        _mm_stream_si128(to, half);
    else
        _mm_storeu_si128(to, half);
}

#endif

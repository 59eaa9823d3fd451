/* The last pass for AVX2: eight floats at a time, pixels split and reversed by byte
 * shuffles of sixteen. */
#include "image/output_kernels.h"

#ifdef __AVX2__
#include "image/output_avx2.h"

OUTPUT_INLINE __m128i load16(const uint8_t *in) {
    return _mm_loadu_si128((const __m128i *)(const void *)in);
}

OUTPUT_INLINE __m256 to_float(__m128i low_bytes, __m256 scale, __m256 shift) {
    return _mm256_fmadd_ps(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(low_bytes)), scale,
                           shift);
}

/* Returns how many are done; the rest begins with channel 0. */
OUTPUT_INLINE size_t convert(const image_output *o,
                             const uint8_t *in,
                             size_t n,
                             void *out,
                             output_type type,
                             bool stream) {
    float scale[24], shift[24];
    __m256 k[3], b[3];
    size_t i = 0;
    for (int j = 0; j < 24; j++) {
        scale[j] = o->scale[o->channels == 3 ? j % 3 : 0];
        shift[j] = o->shift[o->channels == 3 ? j % 3 : 0];
    }
    for (int j = 0; j < 3; j++) {
        k[j] = _mm256_loadu_ps(scale + 8 * j);
        b[j] = _mm256_loadu_ps(shift + 8 * j);
    }
    for (; n - i >= 24; i += 24)
        for (int j = 0; j < 3; j++) {
            size_t at = i + 8 * (size_t)j;
            __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)(in + at));
            output_put8(type, stream, out, at, to_float(bytes, k[j], b[j]));
        }
    return i;
}

static void interleaved(const image_output *o, const uint8_t *in, size_t n, void *out) {
    bool stream = o->stream && (uintptr_t)out % 32 == 0;
    size_t done = 0;
    if (o->type == OUTPUT_U8) {
        memcpy(out, in, n);
        return;
    }
    if (o->type == OUTPUT_F32 && stream)
        done = convert(o, in, n, out, OUTPUT_F32, true);
    else if (o->type == OUTPUT_F32)
        done = convert(o, in, n, out, OUTPUT_F32, false);
    else if (o->type == OUTPUT_F16)
        done = convert(o, in, n, out, OUTPUT_F16, stream);
    else
        done = convert(o, in, n, out, OUTPUT_BF16, stream);
    output_rest(o, in, done, n, out);
}

/* Where the sixteen bytes of a channel lie in three registers of sixteen pixels; 128:
 * not in this one. */
static const uint8_t pick[3][3][16] = {
#define NO 128
    {{0, 3, 6, 9, 12, 15, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO},
     {NO, NO, NO, NO, NO, NO, 2, 5, 8, 11, 14, NO, NO, NO, NO, NO},
     {NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, 1, 4, 7, 10, 13}},
    {{1, 4, 7, 10, 13, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO},
     {NO, NO, NO, NO, NO, 0, 3, 6, 9, 12, 15, NO, NO, NO, NO, NO},
     {NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, 2, 5, 8, 11, 14}},
    {{2, 5, 8, 11, 14, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO},
     {NO, NO, NO, NO, NO, 1, 4, 7, 10, 13, NO, NO, NO, NO, NO, NO},
     {NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, 0, 3, 6, 9, 12, 15}}};

OUTPUT_INLINE size_t split(const image_output *o,
                           const uint8_t *rgb,
                           size_t pixels,
                           void *out,
                           size_t plane,
                           output_type type) {
    size_t i = 0;
    for (; pixels - i >= 16; i += 16)
        for (int c = 0; c < 3; c++) {
            const uint8_t *in = rgb + 3 * i;
            size_t at = (size_t)c * plane + i;
            __m128i a = _mm_shuffle_epi8(load16(in), load16(pick[c][0])),
                    b = _mm_shuffle_epi8(load16(in + 16), load16(pick[c][1])),
                    d = _mm_shuffle_epi8(load16(in + 32), load16(pick[c][2])),
                    v = _mm_or_si128(_mm_or_si128(a, b), d);
            if (type == OUTPUT_U8) {
                _mm_storeu_si128((__m128i *)(void *)((uint8_t *)out + at), v);
                continue;
            }
            __m256 k = _mm256_set1_ps(o->scale[c]), s = _mm256_set1_ps(o->shift[c]);
            output_put8(type, false, out, at, to_float(v, k, s));
            output_put8(type, false, out, at + 8, to_float(_mm_srli_si128(v, 8), k, s));
        }
    return i;
}

static void planar(
    const image_output *o, const uint8_t *rgb, size_t pixels, void *out, size_t plane) {
    size_t done = 0;
    switch (o->type) {
    case OUTPUT_U8:
        done = split(o, rgb, pixels, out, plane, OUTPUT_U8);
        break;
    case OUTPUT_F32:
        done = split(o, rgb, pixels, out, plane, OUTPUT_F32);
        break;
    case OUTPUT_F16:
        done = split(o, rgb, pixels, out, plane, OUTPUT_F16);
        break;
    case OUTPUT_BF16:
        done = split(o, rgb, pixels, out, plane, OUTPUT_BF16);
        break;
    }
    output_rest_planar(o, rgb, done, pixels, out, plane);
}

/* Five pixels at a time. The load begins one byte early and the store ends one byte late:
 * at least one pixel is left on that side. */
static size_t reverse3(uint8_t *out, const uint8_t *in, size_t pixels) {
    const __m128i turn =
        _mm_setr_epi8(13, 14, 15, 10, 11, 12, 7, 8, 9, 4, 5, 6, 1, 2, 3, 0);
    size_t i = 0;
    for (; pixels - i >= 6; i += 5) {
        __m128i v = load16(in + 3 * (pixels - i - 5) - 1);
        _mm_storeu_si128((__m128i *)(void *)(out + 3 * i), _mm_shuffle_epi8(v, turn));
    }
    return i;
}

static size_t reverse1(uint8_t *out, const uint8_t *in, size_t pixels) {
    const __m128i turn =
        _mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    size_t i = 0;
    for (; pixels - i >= 16; i += 16) {
        __m128i v = load16(in + (pixels - i - 16));
        _mm_storeu_si128((__m128i *)(void *)(out + i), _mm_shuffle_epi8(v, turn));
    }
    return i;
}

static void reverse(uint8_t *out, const uint8_t *in, size_t pixels, int channels) {
    size_t done = channels == 3 ? reverse3(out, in, pixels) : reverse1(out, in, pixels);
    output_reverse_rest(out, in, done, pixels, channels);
}

static void finish(void) {
    _mm_sfence();
}

extern const output_kernels output_kernels_avx2;
const output_kernels output_kernels_avx2 = {interleaved, planar, reverse, NULL, finish};
#endif

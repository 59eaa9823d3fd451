/* The resampler's passes for AVX2. Across, a register holds two groups of four outputs:
 * one byte shuffle fetches two inputs for each as words, one multiply-add weighs them. */
#include "image/resample_avx2.h"
#include "image/resample_scalar.h"

#ifdef __AVX2__
#include "image/output_avx2.h"

/* 32 bytes at a time, each in the upper half of a word, so that the upper half of a
 * product with its weight is a term. */
OUTPUT_INLINE void blend_by(
    uint8_t *out, const uint8_t *const *row, const int32_t *weight, int taps, size_t n) {
    const __m256i zero = _mm256_setzero_si256(),
                  start = _mm256_set1_epi16((int16_t)resample_start(taps));
    for (size_t i = 0; i < n; i += 32) {
        __m256i low = start, high = start, v;
        for (int t = 0; t < taps; t++) {
            const __m256i w = _mm256_set1_epi16((int16_t)weight[t]);
            v = _mm256_loadu_si256((const __m256i *)(const void *)(row[t] + i));
            low = _mm256_add_epi16(low,
                                   _mm256_mulhi_epu16(_mm256_unpacklo_epi8(zero, v), w));
            high = _mm256_add_epi16(high,
                                    _mm256_mulhi_epu16(_mm256_unpackhi_epi8(zero, v), w));
        }
        v = _mm256_packus_epi16(_mm256_srli_epi16(low, 7), _mm256_srli_epi16(high, 7));
        _mm256_storeu_si256((__m256i *)(void *)(out + i), v);
    }
}

static void blend(
    uint8_t *out, const uint8_t *const *row, const int32_t *weight, int taps, size_t n) {
    if (taps == 2)
        blend_by(out, row, weight, 2, n);
    else if (taps == 3)
        blend_by(out, row, weight, 3, n);
    else
        blend_by(out, row, weight, taps, n);
}

/* 16 sums of terms in words. */
OUTPUT_INLINE __m256i blend16(const uint8_t *const *row,
                              const int32_t *weight,
                              int taps,
                              size_t i) {
    __m256i sum = _mm256_setzero_si256();
    for (int t = 0; t < taps; t++) {
        __m256i w = _mm256_set1_epi16((int16_t)weight[t]),
                v = _mm256_cvtepu8_epi16(
                    _mm_loadu_si128((const __m128i *)(const void *)(row[t] + i)));
        sum = _mm256_add_epi16(sum, _mm256_mulhrs_epi16(_mm256_slli_epi16(v, 7), w));
    }
    return sum;
}

static void blend_words(
    int16_t *out, const uint8_t *const *row, const int32_t *weight, int taps, size_t n) {
    for (size_t i = 0; i < n; i += 16)
        _mm256_storeu_si256((__m256i *)(void *)(out + i), blend16(row, weight, taps, i));
}

static void add(int32_t *sums, const uint8_t *row, int32_t weight, size_t n) {
    const __m256i w = _mm256_set1_epi32(weight);
    for (size_t i = 0; i < n; i += 8) {
        __m256i *to = (__m256i *)(void *)(sums + i);
        __m256i v = _mm256_cvtepu8_epi32(
            _mm_loadl_epi64((const __m128i *)(const void *)(row + i)));
        _mm256_storeu_si256(
            to, _mm256_add_epi32(_mm256_loadu_si256(to), _mm256_mullo_epi32(v, w)));
    }
}

/* ---- across ---- */

/* Sums of eight outputs, two groups of four. `in` in bytes. */
OUTPUT_INLINE void
block_sums(const resample_across *a, const char *row, size_t block, __m256i sum[3]) {
    const size_t bytes = a->words ? 2 : 1, plane = a->plane * bytes;
    const char *low = row + (size_t)a->begin[2 * block] * bytes,
               *high = row + (size_t)a->begin[2 * block + 1] * bytes;
    __m256i in[3];
    for (size_t c = 0; c < 3; c++) {
        in[c] = _mm256_castsi128_si256(
            _mm_loadu_si128((const __m128i *)(const void *)(low + c * plane)));
        in[c] = _mm256_inserti128_si256(
            in[c], _mm_loadu_si128((const __m128i *)(const void *)(high + c * plane)), 1);
        sum[c] = _mm256_setzero_si256();
    }
    const size_t first = block * (size_t)a->steps;
    for (size_t t = first; t < first + (size_t)a->steps; t++) {
        __m256i pick =
            _mm256_load_si256((const __m256i *)(const void *)(a->pick + 32 * t));
        __m256i w =
            _mm256_load_si256((const __m256i *)(const void *)(a->weight + 16 * t));
        for (int c = 0; c < 3; c++)
            sum[c] = _mm256_add_epi32(
                sum[c], _mm256_madd_epi16(_mm256_shuffle_epi8(in[c], pick), w));
    }
}

OUTPUT_INLINE __m128i load_eight(const resample_across *a, const char *row, size_t i) {
    if (a->words)
        return _mm_loadu_si128((const __m128i *)(const void *)(row + 2 * i));
    return _mm_cvtepu8_epi16(_mm_loadl_epi64((const __m128i *)(const void *)(row + i)));
}

void resample_dots_avx2(const resample_across *a, const void *row) {
    const size_t steps = (size_t)a->steps;
    const int16_t *weight = a->weight;
    for (size_t x = 0; x < (size_t)a->axis->out; x++, weight += 8 * steps) {
        __m128i sum[3] = {_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128()};
        for (size_t t = 0; t < steps; t++) {
            __m128i w = _mm_load_si128((const __m128i *)(const void *)(weight + 8 * t));
            for (size_t c = 0; c < 3; c++) {
                size_t i = c * a->plane + (size_t)a->begin[x] + 8 * t;
                sum[c] = _mm_add_epi32(sum[c], _mm_madd_epi16(load_eight(a, row, i), w));
            }
        }
        __m128i all = _mm_hadd_epi32(_mm_hadd_epi32(sum[0], sum[1]),
                                     _mm_hadd_epi32(sum[2], sum[2]));
        a->sums[x] = _mm_cvtsi128_si32(all);
        a->sums[x + a->sums_stride] = _mm_extract_epi32(all, 1);
        a->sums[x + 2 * a->sums_stride] = _mm_extract_epi32(all, 2);
    }
}

/* ---- what becomes of eight sums ---- */

OUTPUT_INLINE void cut(const resample_across *a, __m256i sum[3]) {
    const __m256i most = _mm256_set1_epi32(255 << a->bits);
    for (int c = 0; c < 3; c++)
        sum[c] = _mm256_min_epi32(_mm256_max_epi32(sum[c], _mm256_setzero_si256()), most);
}

/* R0 G0 B0 R1 ... from three registers of one channel each. */
OUTPUT_INLINE void interleave(__m256 v[3]) {
    __m256 r = _mm256_permute_ps(v[0], 0x6c), g = _mm256_permute_ps(v[1], 0xb1),
           b = _mm256_permute_ps(v[2], 0xc6);
    __m256 p = _mm256_blend_ps(_mm256_blend_ps(r, g, 0x92), b, 0x24),
           q = _mm256_blend_ps(_mm256_blend_ps(g, b, 0x92), r, 0x24);
    v[1] = _mm256_blend_ps(_mm256_blend_ps(b, r, 0x92), g, 0x24);
    v[0] = _mm256_permute2f128_ps(p, q, 0x20);
    v[2] = _mm256_permute2f128_ps(p, q, 0x31);
}

/* Eight pixels, `plane` elements between planes (of planar outputs). */
OUTPUT_INLINE void
store_bytes(const resample_across *a, const __m256i sum[3], uint8_t *out, size_t plane) {
    const __m256i half = _mm256_set1_epi32(1 << (a->bits - 1));
    const __m128i drop = _mm_cvtsi32_si128(a->bits);
    __m256i v[3];
    for (int c = 0; c < 3; c++)
        v[c] = _mm256_srl_epi32(_mm256_add_epi32(sum[c], half), drop);
    if (a->output.planar) {
        const __m256i low =
            _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                             0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
        for (size_t c = 0; c < 3; c++) {
            __m256i four = _mm256_shuffle_epi8(v[c], low);
            __m128i all = _mm_unpacklo_epi32(_mm256_castsi256_si128(four),
                                             _mm256_extracti128_si256(four, 1));
            _mm_storel_epi64((__m128i *)(void *)(out + c * plane), all);
        }
        return;
    }
    const __m256i three =
        _mm256_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1, 0, 1, 2,
                         4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    __m256i rgb = _mm256_or_si256(
        v[0], _mm256_or_si256(_mm256_slli_epi32(v[1], 8), _mm256_slli_epi32(v[2], 16)));
    rgb = _mm256_shuffle_epi8(rgb, three);
    _mm_storeu_si128((__m128i *)(void *)out, _mm256_castsi256_si128(rgb));
    __m128i high = _mm256_extracti128_si256(rgb, 1);
    _mm_storel_epi64((__m128i *)(void *)(out + 12), high);
    int32_t last = _mm_extract_epi32(high, 2);
    memcpy(out + 20, &last, 4);
}

OUTPUT_INLINE void store_floats(const resample_across *a,
                                const __m256i sum[3],
                                void *out,
                                size_t plane,
                                output_type type,
                                bool stream) {
    __m256 v[3];
    for (int c = 0; c < 3; c++)
        v[c] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[c]),
                               _mm256_set1_ps(a->output.scale[c]),
                               _mm256_set1_ps(a->output.shift[c]));
    if (!a->output.planar) {
        interleave(v);
        plane = 8;
    }
    for (size_t c = 0; c < 3; c++)
        output_put8(type, stream, out, c * plane, v[c]);
}

OUTPUT_INLINE void store(const resample_across *a,
                         const __m256i sum[3],
                         void *out,
                         size_t plane,
                         output_type type,
                         bool stream) {
    if (type == OUTPUT_U8)
        store_bytes(a, sum, out, plane);
    else
        store_floats(a, sum, out, plane, type, stream);
}

/* The last pixels of a row, by way of a full block. */
OUTPUT_INLINE void store_last(const resample_across *a,
                              const __m256i sum[3],
                              uint8_t *out,
                              size_t n,
                              output_type type) {
    uint8_t full[3 * 8 * 4];
    const size_t each = output_type_bytes(type);
    store(a, sum, full, 8, type, false);
    if (!a->output.planar)
        memcpy(out, full, 3 * n * each);
    else
        for (size_t c = 0; c < 3; c++)
            memcpy(out + c * a->out_plane * each, full + c * 8 * each, n * each);
}

OUTPUT_INLINE void across_by(
    const resample_across *a, const void *row, void *out, output_type type, bool stream) {
    const size_t width = (size_t)a->axis->out,
                 each = output_type_bytes(type) * (a->output.planar ? 1 : 3);
    for (size_t x = 0; x < width; x += 8) {
        __m256i sum[3];
        if (a->group > 0)
            block_sums(a, row, x / 8, sum);
        else
            for (size_t c = 0; c < 3; c++)
                sum[c] = _mm256_loadu_si256(
                    (const __m256i *)(const void *)(a->sums + c * a->sums_stride + x));
        if (a->words)
            cut(a, sum);
        uint8_t *to = (uint8_t *)out + x * each;
        if (width - x >= 8)
            store(a, sum, to, a->out_plane, type, stream);
        else
            store_last(a, sum, to, width - x, type);
    }
}

static void across(const resample_across *a, const void *row, void *out) {
    if (a->steps == 0) {
        resample_across_plain(a, row, out);
        return;
    }
    if (a->group == 0)
        resample_dots_avx2(a, row);
    bool stream = a->output.stream && (uintptr_t)out % 32 == 0 && a->axis->out % 8 == 0;
    stream = stream && (!a->output.planar || a->out_plane % 8 == 0);
    OUTPUT_BY_TYPE(across_by, a->output.type, stream, a, row, out);
}

static void finish(void) {
    _mm_sfence();
}

extern const resample_kernels resample_kernels_avx2;
const resample_kernels resample_kernels_avx2 = {.tables = true,
                                                .group = 4,
                                                .side = 2,
                                                .window = 16,
                                                .window_words = 8,
                                                .blend = blend,
                                                .blend_words = blend_words,
                                                .add = add,
                                                .across = across,
                                                .finish = finish};
#endif

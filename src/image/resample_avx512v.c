/* The resampler's passes for AVX-512 with byte permutations. Across, sixteen outputs at a
 * time: one permutation fetches two inputs for each as words, one dot product weighs
 * them. */
#include "image/resample_avx2.h"
#include "image/resample_scalar.h"

#ifdef __AVX512VBMI__
#include "image/output_avx512v.h"

/* 64 bytes at a time, each in the upper half of a word, so that the upper half of a
 * product with its weight is a term. */
OUTPUT_INLINE void blend_by(
    uint8_t *out, const uint8_t *const *row, const int32_t *weight, int taps, size_t n) {
    const __m512i zero = _mm512_setzero_si512(),
                  start = _mm512_set1_epi16((int16_t)resample_start(taps));
    for (size_t i = 0; i < n; i += 64) {
        __m512i low = start, high = start, v;
        for (int t = 0; t < taps; t++) {
            const __m512i w = _mm512_set1_epi16((int16_t)weight[t]);
            v = _mm512_loadu_si512(row[t] + i);
            low = _mm512_add_epi16(low,
                                   _mm512_mulhi_epu16(_mm512_unpacklo_epi8(zero, v), w));
            high = _mm512_add_epi16(high,
                                    _mm512_mulhi_epu16(_mm512_unpackhi_epi8(zero, v), w));
        }
        v = _mm512_packus_epi16(_mm512_srli_epi16(low, 7), _mm512_srli_epi16(high, 7));
        _mm512_storeu_si512(out + i, v);
    }
}

static void blend(
    uint8_t *out, const uint8_t *const *row, const int32_t *weight, int taps, size_t n) {
    if (taps == 2)
        blend_by(out, row, weight, 2, n);
    else if (taps == 3)
        blend_by(out, row, weight, 3, n);
    else if (taps == 4)
        blend_by(out, row, weight, 4, n);
    else
        blend_by(out, row, weight, taps, n);
}

/* 32 sums of terms in words. */
OUTPUT_INLINE __m512i blend32(const uint8_t *const *row,
                              const int32_t *weight,
                              int taps,
                              size_t i) {
    __m512i sum = _mm512_setzero_si512();
    for (int t = 0; t < taps; t++) {
        __m512i w = _mm512_set1_epi16((int16_t)weight[t]),
                v = _mm512_cvtepu8_epi16(
                    _mm256_loadu_si256((const __m256i *)(const void *)(row[t] + i)));
        sum = _mm512_add_epi16(sum, _mm512_mulhrs_epi16(_mm512_slli_epi16(v, 7), w));
    }
    return sum;
}

OUTPUT_INLINE void blend_words_by(
    int16_t *out, const uint8_t *const *row, const int32_t *weight, int taps, size_t n) {
    for (size_t i = 0; i < n; i += 32)
        _mm512_storeu_si512(out + i, blend32(row, weight, taps, i));
}

static void blend_words(
    int16_t *out, const uint8_t *const *row, const int32_t *weight, int taps, size_t n) {
    if (taps == 4)
        blend_words_by(out, row, weight, 4, n);
    else
        blend_words_by(out, row, weight, taps, n);
}

static void add(int32_t *sums, const uint8_t *row, int32_t weight, size_t n) {
    const __m512i w = _mm512_set1_epi32(weight);
    for (size_t i = 0; i < n; i += 16) {
        __m512i v = _mm512_cvtepu8_epi32(
            _mm_loadu_si128((const __m128i *)(const void *)(row + i)));
        _mm512_storeu_si512(sums + i, _mm512_add_epi32(_mm512_loadu_si512(sums + i),
                                                       _mm512_mullo_epi32(v, w)));
    }
}

/* ---- across ---- */

/* How the inputs of sixteen outputs are fetched. */
typedef enum fetch {
    FROM_64_BYTES,  /* one register of bytes */
    FROM_128_BYTES, /* two */
    FROM_32_WORDS,  /* one register of words */
    FROM_64_WORDS,  /* two */
    FROM_SUMS       /* sums are there already */
} fetch;

OUTPUT_INLINE void block_sums(
    const resample_across *a, const char *row, size_t block, fetch from, __m512i sum[3]) {
    const __mmask64 low_bytes = 0x5555555555555555; /* of words */
    const bool one = from == FROM_64_BYTES || from == FROM_32_WORDS;
    const size_t bytes = from == FROM_32_WORDS || from == FROM_64_WORDS ? 2 : 1,
                 plane = a->plane * bytes, steps = (size_t)a->steps;
    const char *in = row + (size_t)a->begin[block] * bytes;
    __m512i low[3], high[3];
    for (size_t c = 0; c < 3; c++) {
        low[c] = _mm512_loadu_si512(in + c * plane);
        high[c] = one ? low[c] : _mm512_loadu_si512(in + c * plane + 64);
        sum[c] = _mm512_setzero_si512();
    }
    for (size_t t = block * steps; t < (block + 1) * steps; t++) {
        __m512i pick = _mm512_load_si512(a->pick + 64 * t),
                w = _mm512_load_si512(a->weight + 32 * t);
        for (int c = 0; c < 3; c++) {
            __m512i v;
            if (from == FROM_64_BYTES)
                v = _mm512_maskz_permutexvar_epi8(low_bytes, pick, low[c]);
            else if (from == FROM_128_BYTES)
                v = _mm512_maskz_permutex2var_epi8(low_bytes, low[c], pick, high[c]);
            else if (from == FROM_32_WORDS)
                v = _mm512_permutexvar_epi8(pick, low[c]);
            else
                v = _mm512_permutex2var_epi8(low[c], pick, high[c]);
            sum[c] = _mm512_dpwssd_epi32(sum[c], v, w);
        }
    }
}

OUTPUT_INLINE void cut(const resample_across *a, __m512i sum[3]) {
    const __m512i most = _mm512_set1_epi32(255 << a->bits);
    for (int c = 0; c < 3; c++)
        sum[c] = _mm512_min_epi32(_mm512_max_epi32(sum[c], _mm512_setzero_si512()), most);
}

/* R0 G0 B0 R1 ... from three registers of one channel each. */
OUTPUT_INLINE void interleave(__m512 v[3]) {
    const __m512i rg0 = _mm512_setr_epi32(0, 16, 0, 1, 17, 0, 2, 18, 0, 3, 19, 0, 4, 20,
                                          0, 5),
                  rg1 = _mm512_setr_epi32(21, 0, 6, 22, 0, 7, 23, 0, 8, 24, 0, 9, 25, 0,
                                          10, 26),
                  rg2 = _mm512_setr_epi32(0, 11, 27, 0, 12, 28, 0, 13, 29, 0, 14, 30, 0,
                                          15, 31, 0);
    const __m512i b0 = _mm512_setr_epi32(0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 3, 0, 0, 4, 0),
                  b1 = _mm512_setr_epi32(0, 5, 0, 0, 6, 0, 0, 7, 0, 0, 8, 0, 0, 9, 0, 0),
                  b2 = _mm512_setr_epi32(10, 0, 0, 11, 0, 0, 12, 0, 0, 13, 0, 0, 14, 0, 0,
                                         15);
    __m512 r = v[0], g = v[1], b = v[2];
    v[0] = _mm512_mask_permutexvar_ps(_mm512_permutex2var_ps(r, rg0, g), 0x4924, b0, b);
    v[1] = _mm512_mask_permutexvar_ps(_mm512_permutex2var_ps(r, rg1, g), 0x2492, b1, b);
    v[2] = _mm512_mask_permutexvar_ps(_mm512_permutex2var_ps(r, rg2, g), 0x9249, b2, b);
}

/* The pixel of each of 48 words R0 G0 B0 R1 ... */
static const uint16_t word_pixel[64] = {0,  0,  0,  1,  1,  1,  2,  2,  2,  3,  3,  3,
                                        4,  4,  4,  5,  5,  5,  6,  6,  6,  7,  7,  7,
                                        8,  8,  8,  9,  9,  9,  10, 10, 10, 11, 11, 11,
                                        12, 12, 12, 13, 13, 13, 14, 14, 14, 15, 15, 15};

/* The same for halves, in the upper words of lanes or in the lowest
 * sixteen: 32 words in *first, 16 returned. */
OUTPUT_INLINE __m256i interleave_words(const __m512i v[3], bool upper, __m512i *first) {
    /* bytes of words of channel 0; word 32 is of channel 2 */
    const uint64_t third = 0x30C30C30C30C30C3;
    const __mmask64 green[2] = {third << 2, third << 4}, blue[2] = {third << 4, third};
    __m512i out[2];
    for (int h = 0; h < 2; h++) {
        __m512i place = _mm512_loadu_si512(word_pixel + 32 * h);
        if (upper)
            place =
                _mm512_add_epi16(_mm512_add_epi16(place, place), _mm512_set1_epi16(1));
        place = _mm512_mullo_epi16(place, _mm512_set1_epi16(0x0202)); /* both bytes */
        place = _mm512_add_epi16(place, _mm512_set1_epi16(0x0100));
        out[h] = _mm512_permutexvar_epi8(place, v[0]);
        out[h] = _mm512_mask_permutexvar_epi8(out[h], green[h], place, v[1]);
        out[h] = _mm512_mask_permutexvar_epi8(out[h], blue[h], place, v[2]);
    }
    *first = out[0];
    return _mm512_castsi512_si256(out[1]);
}

OUTPUT_INLINE void store_halves(
    const __m512 v[3], uint16_t *out, uint64_t lanes, output_type type, bool stream) {
    __m512i words[3], first;
    for (int c = 0; c < 3; c++)
        words[c] = type == OUTPUT_BF16
                       ? output_round_bf16(v[c])
                       : _mm512_castsi256_si512(_mm512_cvtps_ph(
                             v[c], _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    __m256i last = interleave_words(words, type == OUTPUT_BF16, &first);
    if (!stream) {
        _mm512_mask_storeu_epi16(out, (__mmask32)lanes, first);
        _mm256_mask_storeu_epi16(out + 32, (__mmask16)(lanes >> 32), last);
        return;
    }
    __m256i *to = (__m256i *)(void *)out;
    _mm256_stream_si256(to, _mm512_castsi512_si256(first));
    _mm256_stream_si256(to + 1, _mm512_extracti64x4_epi64(first, 1));
    _mm256_stream_si256(to + 2, last);
}

OUTPUT_INLINE void store_bytes(
    const resample_across *a, const __m512i sum[3], uint8_t *out, int64_t n, bool words) {
    enum { BYTES = RESAMPLE_ACROSS_BITS, WORDS = BYTES + RESAMPLE_WORD_BITS };
    const __m512i half = _mm512_set1_epi32(1 << ((words ? WORDS : BYTES) - 1));
    __m512i v[3];
    for (int c = 0; c < 3; c++) {
        v[c] = _mm512_add_epi32(sum[c], half);
        v[c] = words ? _mm512_srli_epi32(v[c], WORDS) : _mm512_srli_epi32(v[c], BYTES);
    }
    if (a->output.planar) {
        for (size_t c = 0; c < 3; c++)
            _mm_mask_storeu_epi8(out + c * a->out_plane, (__mmask16)output_bits(n),
                                 _mm512_cvtepi32_epi8(v[c]));
        return;
    }
    /* bytes 0, 1 and 2 of each fourth */
    const __m512i three =
        _mm512_setr_epi32(0x04020100, 0x09080605, 0x0e0d0c0a, 0x14121110, 0x19181615,
                          0x1e1d1c1a, 0x24222120, 0x29282625, 0x2e2d2c2a, 0x34323130,
                          0x39383635, 0x3e3d3c3a, 0, 0, 0, 0);
    __m512i rgb = _mm512_or_si512(
        v[0], _mm512_or_si512(_mm512_slli_epi32(v[1], 8), _mm512_slli_epi32(v[2], 16)));
    _mm512_mask_storeu_epi8(out, output_bits(3 * n), _mm512_permutexvar_epi8(three, rgb));
}

/* n of sixteen pixels; streaming wants all of them. */
OUTPUT_INLINE void store_floats(const resample_across *a,
                                const __m512i sum[3],
                                void *out,
                                int64_t n,
                                output_type type,
                                bool stream) {
    __m512 v[3];
    for (int c = 0; c < 3; c++)
        v[c] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[c]),
                               _mm512_set1_ps(a->output.scale[c]),
                               _mm512_set1_ps(a->output.shift[c]));
    if (a->output.planar) {
        for (size_t c = 0; c < 3; c++)
            output_put16(type, stream, out, c * a->out_plane, (__mmask16)output_bits(n),
                         v[c]);
        return;
    }
    uint64_t lanes = output_bits(3 * n);
    if (type != OUTPUT_F32) {
        store_halves(v, out, lanes, type, stream);
        return;
    }
    interleave(v);
    for (size_t c = 0; c < 3; c++)
        output_put16(type, stream, out, 16 * c, (__mmask16)(lanes >> 16 * c), v[c]);
}

OUTPUT_INLINE void across_by(const resample_across *a,
                             const void *row,
                             void *out,
                             fetch from,
                             output_type type,
                             bool stream) {
    const size_t width = (size_t)a->axis->out,
                 each = output_type_bytes(type) * (a->output.planar ? 1 : 3);
    const bool words =
        from == FROM_32_WORDS || from == FROM_64_WORDS || (from == FROM_SUMS && a->words);
    for (size_t x = 0; x < width; x += 16) {
        __m512i sum[3];
        int64_t n = width - x < 16 ? (int64_t)(width - x) : 16;
        uint8_t *to = (uint8_t *)out + x * each;
        if (from == FROM_SUMS)
            for (size_t c = 0; c < 3; c++)
                sum[c] = _mm512_loadu_si512(a->sums + c * a->sums_stride + x);
        else
            block_sums(a, row, x / 16, from, sum);
        if (words)
            cut(a, sum);
        if (type == OUTPUT_U8)
            store_bytes(a, sum, to, n, words);
        else
            store_floats(a, sum, to, n, type, stream);
    }
}

static void across(const resample_across *a, const void *row, void *out) {
    bool stream = output_may_stream(&a->output, out) && a->axis->out % 16 == 0;
    stream = stream && (!a->output.planar || a->out_plane % 16 == 0);
    if (a->steps == 0) {
        resample_across_plain(a, row, out);
    } else if (a->group == 0) {
        resample_dots_avx2(a, row);
        OUTPUT_BY_TYPE(across_by, a->output.type, stream, a, row, out, FROM_SUMS);
    } else if (a->words && a->reach > 32) {
        OUTPUT_BY_TYPE(across_by, a->output.type, stream, a, row, out, FROM_64_WORDS);
    } else if (a->words) {
        OUTPUT_BY_TYPE(across_by, a->output.type, stream, a, row, out, FROM_32_WORDS);
    } else if (a->reach > 64) {
        OUTPUT_BY_TYPE(across_by, a->output.type, stream, a, row, out, FROM_128_BYTES);
    } else {
        OUTPUT_BY_TYPE(across_by, a->output.type, stream, a, row, out, FROM_64_BYTES);
    }
}

static void finish(void) {
    _mm_sfence();
}

extern const resample_kernels resample_kernels_avx512v;
const resample_kernels resample_kernels_avx512v = {.tables = true,
                                                   .group = 16,
                                                   .side = 1,
                                                   .window = 128,
                                                   .window_words = 64,
                                                   .blend = blend,
                                                   .blend_words = blend_words,
                                                   .add = add,
                                                   .across = across,
                                                   .finish = finish};
#endif

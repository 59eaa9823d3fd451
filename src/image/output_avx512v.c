/* The last pass for AVX-512 with byte permutations: pixels of three bytes are split,
 * reversed and shifted by one permutation of a whole register, and tails are masks. */
#include "image/output_kernels.h"

#ifdef __AVX512VBMI__
#include "image/output_avx512v.h"

/* i mod 3, for bytes and for words of four; read from 64 (16) times any h on by beginning
 * at h. */
static const uint8_t byte_mod3[68] = {
#define MOD12 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2
    MOD12, MOD12, MOD12, MOD12, MOD12, 0, 1, 2, 0, 1, 2, 0, 1};
static const int32_t lane_mod3[36] = {MOD12, MOD12, MOD12};
static const uint8_t iota[64] = {
#define IOTA8(i) (i), (i) + 1, (i) + 2, (i) + 3, (i) + 4, (i) + 5, (i) + 6, (i) + 7
    IOTA8(0), IOTA8(8), IOTA8(16), IOTA8(24), IOTA8(32), IOTA8(40), IOTA8(48), IOTA8(56)};

/* Factors and offsets of 48 consecutive values. */
typedef struct affine {
    __m512 scale[3], shift[3];
} affine;

OUTPUT_INLINE affine affine_of(const image_output *o) {
    affine a;
    __m512 scale = _mm512_maskz_loadu_ps(7, o->scale),
           shift = _mm512_maskz_loadu_ps(7, o->shift);
    for (int j = 0; j < 3; j++) {
        __m512i channel = _mm512_loadu_si512(lane_mod3 + j);
        if (o->channels == 1)
            channel = _mm512_setzero_si512();
        a.scale[j] = _mm512_permutexvar_ps(channel, scale);
        a.shift[j] = _mm512_permutexvar_ps(channel, shift);
    }
    return a;
}

/* Of 96 consecutive values, the even ones and the odd ones of each 32. */
typedef struct affine_pairs {
    __m512 scale[3][2], shift[3][2];
} affine_pairs;

OUTPUT_INLINE affine_pairs affine_pairs_of(const affine *a) {
    affine_pairs p;
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24,
                                           26, 28, 30),
                  odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    for (int j = 0; j < 3; j++) {
        int low = 2 * j % 3, high = (2 * j + 1) % 3;
        p.scale[j][0] = _mm512_permutex2var_ps(a->scale[low], even, a->scale[high]);
        p.scale[j][1] = _mm512_permutex2var_ps(a->scale[low], odd, a->scale[high]);
        p.shift[j][0] = _mm512_permutex2var_ps(a->shift[low], even, a->shift[high]);
        p.shift[j][1] = _mm512_permutex2var_ps(a->shift[low], odd, a->shift[high]);
    }
    return p;
}

OUTPUT_INLINE __m512 to_float(__m128i bytes, __m512 scale, __m512 shift) {
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes)), scale, shift);
}

/* 32 bytes to bf16: pairs of bytes lie in lanes, so that the halves need no order. */
OUTPUT_INLINE __m512i to_bf16(__m256i bytes, const affine_pairs *a, int j) {
    const __m512i pair = _mm512_cvtepu16_epi32(bytes),
                  upper = _mm512_set1_epi32((int)0xFFFF0000);
    __m512 even = _mm512_cvtepi32_ps(_mm512_and_si512(pair, _mm512_set1_epi32(255))),
           odd = _mm512_cvtepi32_ps(_mm512_srli_epi32(pair, 8));
    even = _mm512_fmadd_ps(even, a->scale[j][0], a->shift[j][0]);
    odd = _mm512_fmadd_ps(odd, a->scale[j][1], a->shift[j][1]);
    return _mm512_or_si512(_mm512_srli_epi32(output_round_bf16(even), 16),
                           _mm512_and_si512(output_round_bf16(odd), upper));
}

OUTPUT_INLINE void convert_bf16(
    const affine_pairs *a, const uint8_t *in, size_t n, uint16_t *out, bool stream) {
    size_t i = 0;
    for (; n - i >= 96; i += 96)
        for (int j = 0; j < 3; j++) {
            size_t at = i + 32 * (size_t)j;
            __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)(in + at));
            __m512i half = to_bf16(bytes, a, j);
            if (stream)
                _mm512_stream_si512((__m512i *)(void *)(out + at), half);
            else
                _mm512_storeu_si512(out + at, half);
        }
    for (int j = 0; i < n; j++, i += 32) {
        __mmask32 lanes = (__mmask32)output_bits((int64_t)(n - i));
        _mm512_mask_storeu_epi16(out + i, lanes,
                                 to_bf16(_mm256_maskz_loadu_epi8(lanes, in + i), a, j));
    }
}

OUTPUT_INLINE void convert(const affine *a,
                           const affine_pairs *pairs,
                           const uint8_t *in,
                           size_t n,
                           void *out,
                           output_type type,
                           bool stream) {
    size_t i = 0;
    if (type == OUTPUT_BF16) {
        convert_bf16(pairs, in, n, out, stream);
        return;
    }
    for (; n - i >= 48; i += 48)
        for (int j = 0; j < 3; j++) {
            size_t at = i + 16 * (size_t)j;
            __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(in + at));
            output_put16(type, stream, out, at, 0xFFFF,
                         to_float(bytes, a->scale[j], a->shift[j]));
        }
    for (int j = 0; i < n; j++, i += 16) {
        __mmask16 lanes = (__mmask16)output_bits((int64_t)(n - i));
        __m128i bytes = _mm_maskz_loadu_epi8(lanes, in + i);
        output_put16(type, false, out, i, lanes,
                     to_float(bytes, a->scale[j], a->shift[j]));
    }
}

static void stream_bytes(const uint8_t *in, size_t n, uint8_t *out) {
    size_t i = 0;
    for (; n - i >= 64; i += 64)
        _mm512_stream_si512((__m512i *)(void *)(out + i), _mm512_loadu_si512(in + i));
    memcpy(out + i, in + i, n - i);
}

static void interleaved(const image_output *o, const uint8_t *in, size_t n, void *out) {
    bool stream = output_may_stream(o, out);
    if (o->type == OUTPUT_U8) {
        if (stream)
            stream_bytes(in, n, out);
        else
            memcpy(out, in, n);
        return;
    }
    affine a = affine_of(o);
    affine_pairs pairs = affine_pairs_of(&a);
    OUTPUT_BY_TYPE(convert, o->type, stream, &a, &pairs, in, n, out);
}

/* Bytes of 64 pixels, in three registers, to a plane each: byte 3 p + c of them is byte
 * (3 p + c) mod 64 of the register that a mask names. */
static const uint8_t of_channel[3][64] = {
#define PICK(p, c) (3 * (p) + (c)) % 64
#define PICK8(p, c)                                                                      \
    PICK(p, c), PICK(p + 1, c), PICK(p + 2, c), PICK(p + 3, c), PICK(p + 4, c),          \
        PICK(p + 5, c), PICK(p + 6, c), PICK(p + 7, c)
#define PICK64(c)                                                                        \
    {                                                                                    \
        PICK8(0, c), PICK8(8, c), PICK8(16, c), PICK8(24, c), PICK8(32, c),              \
            PICK8(40, c), PICK8(48, c), PICK8(56, c)                                     \
    }
    PICK64(0), PICK64(1), PICK64(2)};

static size_t split64(const uint8_t *rgb, size_t pixels, uint8_t *out, size_t plane) {
    size_t i = 0;
    __m512i pick[3];
    __mmask64 middle[3], last[3];
    for (int c = 0; c < 3; c++) {
        int first = (64 - c + 2) / 3, second = (128 - c + 2) / 3;
        pick[c] = _mm512_loadu_si512(of_channel[c]);
        last[c] = ~output_bits(second);
        middle[c] = output_bits(second) & ~output_bits(first);
    }
    for (; pixels - i >= 64; i += 64) {
        __m512i a = _mm512_loadu_si512(rgb + 3 * i),
                b = _mm512_loadu_si512(rgb + 3 * i + 64),
                d = _mm512_loadu_si512(rgb + 3 * i + 128);
        for (int c = 0; c < 3; c++) {
            __m512i v = _mm512_permutexvar_epi8(pick[c], a);
            v = _mm512_mask_permutexvar_epi8(v, middle[c], pick[c], b);
            v = _mm512_mask_permutexvar_epi8(v, last[c], pick[c], d);
            _mm512_storeu_si512(out + (size_t)c * plane + i, v);
        }
    }
    return i;
}

/* From pixel i on, sixteen at a time. */
OUTPUT_INLINE void split(const image_output *o,
                         const uint8_t *rgb,
                         size_t i,
                         size_t pixels,
                         void *out,
                         size_t plane,
                         output_type type,
                         bool stream) {
    /* R of sixteen pixels, then G, then B */
    const __m512i pick =
        _mm512_setr_epi32(0x09060300, 0x15120f0c, 0x211e1b18, 0x2d2a2724, 0x0a070401,
                          0x1613100d, 0x221f1c19, 0x2e2b2825, 0x0b080502, 0x1714110e,
                          0x23201d1a, 0x2f2c2926, 0, 0, 0, 0);
    for (; i < pixels; i += 16) {
        int64_t n = pixels - i < 16 ? (int64_t)(pixels - i) : 16;
        __mmask16 lanes = (__mmask16)output_bits(n);
        __m512i v = _mm512_maskz_loadu_epi8(output_bits(3 * n), rgb + 3 * i);
        v = _mm512_permutexvar_epi8(pick, v);
        __m128i part[3] = {_mm512_castsi512_si128(v), _mm512_extracti32x4_epi32(v, 1),
                           _mm512_extracti32x4_epi32(v, 2)};
        for (int c = 0; c < 3; c++) {
            size_t at = (size_t)c * plane + i;
            if (type == OUTPUT_U8) {
                _mm_mask_storeu_epi8((uint8_t *)out + at, lanes, part[c]);
                continue;
            }
            __m512 f = to_float(part[c], _mm512_set1_ps(o->scale[c]),
                                _mm512_set1_ps(o->shift[c]));
            if (stream && n == 16)
                output_put16(type, true, out, at, lanes, f);
            else
                output_put16(type, false, out, at, lanes, f);
        }
    }
}

static void planar(
    const image_output *o, const uint8_t *rgb, size_t pixels, void *out, size_t plane) {
    bool stream = output_may_stream(o, out) && plane % 16 == 0 && o->type != OUTPUT_U8;
    size_t from = o->type == OUTPUT_U8 ? split64(rgb, pixels, out, plane) : 0;
    OUTPUT_BY_TYPE(split, o->type, stream, o, rgb, from, pixels, out, plane);
}

/* Byte j + 64 half of reversed pixels is the source's byte at the last pixel's first plus
 * this. */
OUTPUT_INLINE __m512i reversed(int channels, int half) {
    __m512i j =
        _mm512_add_epi8(_mm512_loadu_si512(iota), _mm512_set1_epi8((char)(64 * half)));
    __m512i channel =
        channels == 3 ? _mm512_loadu_si512(byte_mod3 + half) : _mm512_setzero_si512();
    return _mm512_sub_epi8(_mm512_add_epi8(channel, channel), j);
}

OUTPUT_INLINE void
reverse_by(uint8_t *out, const uint8_t *in, size_t pixels, int channels) {
    const size_t each = (size_t)channels, most = 64 / each;
    const __m512i step = reversed(channels, 0);
    for (size_t left = pixels; left > 0;) {
        size_t n = left < most ? left : most;
        __mmask64 bytes = output_bits((int64_t)(n * each));
        __m512i pick = _mm512_add_epi8(step, _mm512_set1_epi8((char)((n - 1) * each)));
        __m512i v = _mm512_maskz_loadu_epi8(bytes, in + (left - n) * each);
        _mm512_mask_storeu_epi8(out, bytes, _mm512_permutexvar_epi8(pick, v));
        out += n * each;
        left -= n;
    }
}

static void reverse(uint8_t *out, const uint8_t *in, size_t pixels, int channels) {
    if (channels == 3)
        reverse_by(out, in, pixels, 3);
    else
        reverse_by(out, in, pixels, 1);
}

/* A row of up to 128 bytes as one permutation of two registers, and what of it comes from
 * where. Mirroring is a pattern of its own; a shift only adds to every index. */
typedef struct small_row {
    __m512i pick[2], fill[2], hole_fill[2];
    __mmask64 load[2], store[2], inside[2], hole[2];
} small_row;

/* A colour in every pixel, from byte 64 half on. */
OUTPUT_INLINE __m512i repeated(const uint8_t *colour, int channels, int half) {
    if (channels == 1)
        return _mm512_set1_epi8((char)colour[0]);
    int32_t packed = colour[0] | colour[1] << 8 | colour[2] << 16;
    return _mm512_permutexvar_epi8(_mm512_loadu_si512(byte_mod3 + half),
                                   _mm512_set1_epi32(packed));
}

OUTPUT_INLINE small_row small_row_of(const image_placement *p, int channels) {
    int64_t each = channels, width = p->width * each, out_width = p->out_width * each,
            from = p->dx * each, to = from + width;
    int64_t hole = p->hole_x * each, hole_end = hole + p->hole_width * each;
    small_row s;
    for (int h = 0; h < 2; h++) {
        int64_t first = 64 * h;
        if (p->mirror_x)
            s.pick[h] = _mm512_add_epi8(reversed(channels, h),
                                        _mm512_set1_epi8((char)(to - each)));
        else
            s.pick[h] = _mm512_add_epi8(_mm512_loadu_si512(iota),
                                        _mm512_set1_epi8((char)(first - from)));
        s.fill[h] = repeated(p->fill, channels, h);
        s.hole_fill[h] = repeated(p->hole_fill, channels, h);
        s.load[h] = output_bits(width - first);
        s.store[h] = output_bits(out_width - first);
        s.inside[h] = output_bits(to - first) & ~output_bits(from - first);
        s.hole[h] = output_bits(hole_end - first) & ~output_bits(hole - first);
    }
    return s;
}

OUTPUT_INLINE void place_rows(const image_output *o,
                              const image_placement *p,
                              const small_row *s,
                              const uint8_t *hwc,
                              void *out,
                              output_type type,
                              bool stream) {
    const size_t row = (size_t)p->width * (size_t)o->channels,
                 out_row = (size_t)p->out_width * (size_t)o->channels;
    const size_t bytes = output_type_bytes(type);
    const affine a = affine_of(o);
    const affine_pairs pairs = affine_pairs_of(&a);
    for (int y = 0; y < p->out_height; y++) {
        __m512i v[2] = {s->fill[0], s->fill[1]};
        int64_t from = (int64_t)y - p->dy;
        if (from >= 0 && from < p->height) {
            const uint8_t *in =
                hwc + (size_t)(p->mirror_y ? p->height - 1 - from : from) * row;
            __m512i low = _mm512_maskz_loadu_epi8(s->load[0], in),
                    high = _mm512_maskz_loadu_epi8(s->load[1], in + 64);
            for (int h = 0; h < 2; h++)
                v[h] = _mm512_mask_mov_epi8(
                    v[h], s->inside[h], _mm512_permutex2var_epi8(low, s->pick[h], high));
        }
        if (y >= p->hole_y && y < (int64_t)p->hole_y + p->hole_height)
            for (int h = 0; h < 2; h++)
                v[h] = _mm512_mask_mov_epi8(v[h], s->hole[h], s->hole_fill[h]);
        uint8_t *to = (uint8_t *)out + (size_t)y * out_row * bytes;
        if (type == OUTPUT_U8) {
            _mm512_mask_storeu_epi8(to, s->store[0], v[0]);
            _mm512_mask_storeu_epi8(to + 64, s->store[1], v[1]);
        } else {
            uint8_t line[OUTPUT_SMALL_ROW];
            _mm512_storeu_si512(line, v[0]);
            _mm512_storeu_si512(line + 64, v[1]);
            convert(&a, &pairs, line, out_row, to, type, stream);
        }
    }
}

static void place_small(const image_output *o,
                        const image_placement *p,
                        const uint8_t *hwc,
                        void *out) {
    small_row s = small_row_of(p, o->channels);
    bool stream = output_may_stream(o, out) && o->type != OUTPUT_U8 &&
                  p->out_width * o->channels % 96 == 0;
    OUTPUT_BY_TYPE(place_rows, o->type, stream, o, p, &s, hwc, out);
}

static void finish(void) {
    _mm_sfence();
}

extern const output_kernels output_kernels_avx512v;
const output_kernels output_kernels_avx512v = {interleaved, planar, reverse, place_small,
                                               finish};
#endif

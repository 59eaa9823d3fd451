/* The words that kernels are written in: sixteen floats side by side in a vector of the
 * compiler's, their bf16 halves, masks, the exponential. Included by the bodies that are
 * compiled once per instruction set, and by nothing else. No sum changes its order and no
 * product is fused, so each set gives the same bits (mul_add excepted). */
#ifndef NN_VECTOR_H
#define NN_VECTOR_H

#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

/* Vectors are never passed between functions that are not inlined: there is no ABI to
 * speak of. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

enum { L = 16, CHUNK = 64 };
typedef float vf __attribute__((vector_size(64)));
typedef int32_t vi __attribute__((vector_size(64)));
typedef uint32_t vu __attribute__((vector_size(64)));
typedef uint16_t vh __attribute__((vector_size(32)));
typedef uint8_t vb __attribute__((vector_size(16)));

#define INLINE static inline __attribute__((always_inline))

/* The first m (<= 16) of sixteen channels. */
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#define IS_PART(m) (!__builtin_constant_p(m) || (m) != L)
INLINE __mmask16 first_of(int m) {
    return (__mmask16)((1u << m) - 1);
}
#endif
INLINE vf load_f32(const float *p, int m) {
#if defined(IS_PART)
    if (IS_PART(m))
        return (vf)_mm512_maskz_loadu_ps(first_of(m), p);
#endif
    vf v = {0};
    memcpy(&v, p, (size_t)m * sizeof *p);
    return v;
}
INLINE void store_f32(float *p, vf v, int m) {
#if defined(IS_PART)
    if (IS_PART(m)) {
        _mm512_mask_storeu_ps(p, first_of(m), (__m512)v);
        return;
    }
#endif
    memcpy(p, &v, (size_t)m * sizeof *p);
}
/* The same in bf16: the upper half of an f32, rounded to nearest even. */
INLINE vf load_half(const uint16_t *p, int m) {
    vh half = {0};
#if defined(IS_PART)
    if (IS_PART(m))
        half = (vh)_mm256_maskz_loadu_epi16(first_of(m), p);
    else
#endif
        memcpy(&half, p, (size_t)m * sizeof *p);
    return (vf)(__builtin_convertvector(half, vu) << 16);
}
INLINE void store_half(uint16_t *p, vf v, int m) {
    vu bits = (vu)v;
    bits += 0x7fff + (bits >> 16 & 1);
    vh half = __builtin_convertvector(bits >> 16, vh);
#if defined(IS_PART)
    if (IS_PART(m)) {
        _mm256_mask_storeu_epi16(p, first_of(m), (__m256i)half);
        return;
    }
#endif
    memcpy(p, &half, (size_t)m * sizeof *p);
}
#define load(p, m)                                                                       \
    _Generic((p),                                                                        \
        const float *: load_f32,                                                         \
        float *: load_f32,                                                               \
        const uint16_t *: load_half,                                                     \
        uint16_t *: load_half)(p, m)
#define store(p, v, m)                                                                   \
    _Generic((p), float * : store_f32, uint16_t * : store_half)(p, v, m)

/* x everywhere; minus zero, since that leaves every x as it is and costs nothing. */
INLINE vf all(float x) {
    return x - (vf){0};
}
INLINE vf where(vi mask, vf v) {
    return (vf)((vi)v & mask);
}
INLINE vf choose(vi mask, vf yes, vf no) {
    return (vf)(((vi)yes & mask) | ((vi)no & ~mask));
}
INLINE vf positive(vf v) {
    return where(v > 0.0f, v);
}
/* The lanes' numbers. */
INLINE vi lanes(void) {
    return (vi){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
}

/* ---- 32 channels in bf16, a cache line: even ones in v[0], odd ones in v[1] ---- */

typedef uint16_t vh2 __attribute__((vector_size(64)));

INLINE void pair_load(vf v[2], const void *p) {
    vu bits;
    memcpy(&bits, p, sizeof bits);
    v[0] = (vf)(bits << 16);
    v[1] = (vf)(bits & 0xffff0000u);
}
/* `stream`: past the cache, for what is not read again soon; p is a multiple of 64 then,
 * and stream_end comes before others may read. */
INLINE void pair_store(void *p, const vf v[2], bool stream) {
    vu even = (vu)v[0], odd = (vu)v[1];
    vh2 low = (vh2)((even & 0xffffu) | (odd << 16));
    vh2 high = (vh2)((even >> 16) | (odd & 0xffff0000u));
    high -= (vh2)((low | (high & 1)) > 0x8000);
#if defined(__AVX512F__)
    if (stream) {
        _mm512_stream_si512(p, (__m512i)high);
        return;
    }
#else
    (void)stream;
#endif
    memcpy(p, &high, sizeof high);
}
INLINE void stream_end(bool stream) {
#if defined(__AVX512F__)
    if (stream)
        _mm_sfence();
#else
    (void)stream;
#endif
}
/* Numbers of 32 channels in the same order, and back into their own. */
INLINE void pair_split(vf v[2], const float *p) {
    vf a = load_f32(p, L), b = load_f32(p + L, L);
    v[0] = __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24,
                                   26, 28, 30);
    v[1] = __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25,
                                   27, 29, 31);
}
INLINE void pair_join(float *p, const vf v[2]) {
    store_f32(p,
              __builtin_shufflevector(v[0], v[1], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5,
                                      21, 6, 22, 7, 23),
              L);
    store_f32(p + L,
              __builtin_shufflevector(v[0], v[1], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28,
                                      13, 29, 14, 30, 15, 31),
              L);
}

/* ---- blocks: `vecs` = 2: 32 channels as above; 1: the first m of sixteen ---- */

INLINE void block_get(vf v[2], const void *p, bool half, int vecs, int m) {
    if (vecs == 2)
        pair_load(v, p);
    else
        v[0] = half ? load_half(p, m) : load_f32(p, m);
}
INLINE void block_put(void *p, const vf v[2], bool half, int vecs, int m, bool stream) {
    if (vecs == 2)
        pair_store(p, v, stream);
    else if (half)
        store_half(p, v[0], m);
#if defined(__AVX512F__)
    else if (stream && m == L)
        _mm512_stream_ps(p, (__m512)v[0]);
#endif
    else
        store_f32(p, v[0], m);
}
INLINE void param_get(vf v[2], const float *p, int vecs, int m) {
    if (vecs == 2)
        pair_split(v, p);
    else
        v[0] = load_f32(p, m);
}
INLINE void param_put(float *p, const vf v[2], int vecs, int m) {
    if (vecs == 2)
        pair_join(p, v);
    else
        store_f32(p, v[0], m);
}

/* One bit per lane: whether it is set. */
INLINE uint16_t bits_of(vi mask) {
#if defined(__AVX512F__)
    return (uint16_t)_mm512_movepi32_mask((__m512i)mask);
#elif defined(__AVX2__)
    __m256 half[2];
    memcpy(half, &mask, sizeof half);
    return (uint16_t)(_mm256_movemask_ps(half[0]) | _mm256_movemask_ps(half[1]) << 8);
#else
    unsigned bits = 0;
    for (int i = 0; i < L; i++)
        bits |= ((unsigned)mask[i] & 1u) << i;
    return (uint16_t)bits;
#endif
}
INLINE vi mask_of(uint16_t bits) {
#if defined(__AVX512F__)
    return (vi)_mm512_movm_epi32(bits);
#else
    const vi one = {1,      1 << 1, 1 << 2,  1 << 3,  1 << 4,  1 << 5,  1 << 6,  1 << 7,
                    1 << 8, 1 << 9, 1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15};
    return (one & (int32_t)bits) != 0;
#endif
}

/* Calls the body on whole blocks of 32 channels if `wide`, on whole blocks of sixteen,
 * and on the rest; `vecs` and `m` are constants but for the last. */
#define FOR_WIDE(c, b, wide, ...)                                                        \
    do {                                                                                 \
        size_t b = 0;                                                                    \
        if (wide)                                                                        \
            for (; b + 2 * L <= (c); b += 2 * L) {                                       \
                enum { vecs = 2, m = L };                                                \
                __VA_ARGS__;                                                             \
            }                                                                            \
        for (; b + L <= (c); b += L) {                                                   \
            enum { vecs = 1, m = L };                                                    \
            __VA_ARGS__;                                                                 \
        }                                                                                \
        if (b < (c)) {                                                                   \
            enum { vecs = 1 };                                                           \
            const int m = (int)((c)-b);                                                  \
            __VA_ARGS__;                                                                 \
        }                                                                                \
    } while (0)

/* Calls body(..., 16) on whole blocks of channels and body(..., rest) on the last one, so
 * that the compiler makes a version without the partial loads. */
#define FOR_BLOCKS(c, cb, call16, callrest)                                              \
    do {                                                                                 \
        size_t cb = 0;                                                                   \
        for (; cb + L <= (c); cb += L) {                                                 \
            call16;                                                                      \
        }                                                                                \
        if (cb < (c)) {                                                                  \
            callrest;                                                                    \
        }                                                                                \
    } while (0)

/* a b + c, fused where there is an instruction for sixteen at once. */
INLINE vf mul_add(vf a, vf b, vf c) {
#if defined(__AVX512F__)
    return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#else
    return a * b + c;
#endif
}

/* e^x within 2 units in the last place: x = n ln 2 + r with |r| <= ln 2 / 2, a polynomial
 * of degree 7 in r (Moshier, Cephes 2.2, expf), and 2^n in two factors so that results
 * below the normal numbers are right as well. 0 below -104, infinity from 88.8 on; NaN
 * stays NaN. */
INLINE vf exp_of(vf x) {
    vi low_x = x < -104.0f; /* these take another way: underflow is slow */
    vf in = where(~low_x, x);
#if defined(__AVX512F__) /* NaN is the second operand's */
    in = (vf)_mm512_min_ps((__m512)all(89.0f), (__m512)in);
#else
    in = choose(in > 89.0f, all(89.0f), in);
#endif
    vf n = (in * 1.44269504088896341f + 12582912.0f) - 12582912.0f;
    vf r = (in - n * 0.693359375f) - n * -2.12194440e-4f;
    vf p = ((((r * 1.9875691500e-4f + 1.3981999507e-3f) * r + 8.3334519073e-3f) * r +
             4.1665795894e-2f) *
                r +
            1.6666665459e-1f) *
               r +
           5.0000001201e-1f;
    vf y = p * (r * r) + r + 1.0f;
#if defined(__AVX512F__) /* the same factors at once: one rounding as well */
    return where(~low_x, (vf)_mm512_scalef_ps((__m512)y, (__m512)n));
#else
    vi whole = __builtin_convertvector(choose(x == x, n, (vf){0}), vi);
    vi low = whole >> 1, high = whole - low;
    y = y * (vf)((low + 127) << 23) * (vf)((high + 127) << 23);
    return where(~low_x, y);
#endif
}

/* The normal distribution's cumulative function, and its density: the tail below -|x| is
 * e^(-x^2/2) P(1 / (1 + 0.3 |x|)), P fitted to a relative error of 1.4e-7 for |x| < 13.6;
 * the absolute error is below 2e-7 everywhere. */
INLINE vf normal_of(vf x, vf *density) {
    vf t = 1.0f / (1.0f + 0.3f * (vf)((vi)x & 0x7fffffff));
    vf e = exp_of(x * x * -0.5f);
    vf p = 3.5880932867e-2f * t - 0.15806376621f;
    p = p * t + 0.20783969564f;
    p = p * t - 5.5054752485e-2f;
    p = p * t + 0.12928889028f;
    p = p * t + 9.9692472965e-2f;
    p = p * t + 0.12078948284f;
    p = p * t + 0.11962697373f;
    vf tail = p * t * e;
    *density = e * 0.39894228040f;
    return choose(x > 0.0f, 1.0f - tail, tail);
}

#endif

/* The words that kernels are written in: sixteen floats side by side in a vector of the
 * compiler's, their bf16 halves, masks, the exponential. Included by the bodies that are
 * compiled once per instruction set, and by nothing else. No sum changes its order and no
 * product is fused, so each set gives the same bits (mul_add excepted). */
#ifndef NN_VECTOR_H
#define NN_VECTOR_H

#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX512F__)
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
INLINE vf load_f32(const float *p, int m) {
    vf v = {0};
    memcpy(&v, p, (size_t)m * sizeof *p);
    return v;
}
INLINE void store_f32(float *p, vf v, int m) {
    memcpy(p, &v, (size_t)m * sizeof *p);
}
/* The same in bf16: the upper half of an f32, rounded to nearest even. */
INLINE vf load_half(const uint16_t *p, int m) {
    vh half = {0};
    memcpy(&half, p, (size_t)m * sizeof *p);
    return (vf)(__builtin_convertvector(half, vu) << 16);
}
INLINE void store_half(uint16_t *p, vf v, int m) {
    vu bits = (vu)v;
    bits += 0x7fff + (bits >> 16 & 1);
    vh half = __builtin_convertvector(bits >> 16, vh);
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
    vf in = choose(x < -104.0f, all(-104.0f), x);
    in = choose(in > 89.0f, all(89.0f), in);
    vf n = (in * 1.44269504088896341f + 12582912.0f) - 12582912.0f;
    vf r = (in - n * 0.693359375f) - n * -2.12194440e-4f;
    vf p = ((((r * 1.9875691500e-4f + 1.3981999507e-3f) * r + 8.3334519073e-3f) * r +
             4.1665795894e-2f) *
                r +
            1.6666665459e-1f) *
               r +
           5.0000001201e-1f;
    vf y = p * (r * r) + r + 1.0f;
    vi whole = __builtin_convertvector(choose(x == x, n, (vf){0}), vi);
    vi low = whole >> 1, high = whole - low;
    y = y * (vf)((low + 127) << 23) * (vf)((high + 127) << 23);
    return where(~(x < -104.0f), y);
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

/* Kernels that exist once per instruction set, behind one table of functions.
 *
 * The same C body (kernels.inc) is compiled for each set and left to the compiler to
 * vectorise. No sum changes its order and no product is fused, so every set gives the
 * same bits. Pointers of one call must not overlap; no alignment is asked for. */
#ifndef SIMD_SIMD_H
#define SIMD_SIMD_H

#include "base/cpu.h"

#include <stddef.h>
#include <stdint.h>

/* What is the same for every weight of AdamW's step. */
typedef struct simd_adamw {
    float beta1, gain1, beta2, gain2, keep, rate, root, epsilon;
} simd_adamw;

typedef struct simd_table {
    /* y += a x */
    void (*f32_axpy)(float *y, float a, const float *x, size_t n);
    /* y += x */
    void (*f32_add)(float *y, const float *x, size_t n);
    /* y += t (x - y) */
    void (*f32_lerp)(float *y, const float *x, float t, size_t n);
    /* y *= a */
    void (*f32_scale)(float *y, float a, size_t n);
    /* A step of stochastic gradient descent with momentum, PyTorch's rule, dampening 0:
     * d = g + decay w; v = momentum v + d; w -= rate (nesterov ? d + momentum v : v). */
    void (*f32_sgd)(float *w,
                    float *v,
                    const float *g,
                    size_t n,
                    float rate,
                    float momentum,
                    float decay,
                    bool nesterov);
    /* A step of AdamW: m = beta1 m + gain1 g; v = beta2 v + gain2 g^2;
     * w = keep w - rate m / (root sqrt(v) + epsilon). */
    void (*f32_adamw)(
        float *w, float *m, float *v, const float *g, size_t n, const simd_adamw *f);
    /* out = (in - mean[c]) inv_std[c], both in units of the bytes; c runs fastest, 1 <=
     * c. */
    void (*u8_normalize)(float *out,
                         const uint8_t *in,
                         size_t pixels,
                         size_t channels,
                         const float *mean,
                         const float *inv_std);
    /* acc += weight row: rows into an area average */
    void (*f32_accumulate_row)(float *acc, float weight, const uint8_t *row, size_t n);
    /* out = a + t (b - a) */
    void (*f32_lerp_rows)(float *out, const float *a, const float *b, float t, size_t n);
    /* Sum of a[i] b[i] in 16 double lanes, lane i mod 16, then lanes by halves. */
    double (*f32_dot64)(const float *a, const float *b, size_t n);
    /* Sum of a[i] b[i]; n up to 66051 (the sum stays below 2^32). */
    uint32_t (*u8_dot)(const uint8_t *a, const uint8_t *b, size_t n);
    /* The places i with a[i] + |b[i]| > cut, in order; at[] has room for n. Returns how
     * many. */
    size_t (*f32_above)(
        uint32_t *at, const float *a, const float *b, float cut, size_t n);
    /* Sixteen rows side by side: out[j][lane] = rows[lane][j], rows `stride` apart. */
    void (*f32_interleave16)(float *out, const float *rows, size_t stride, size_t n);
    /* Sparse Johnson-Lindenstrauss sketch, one nonzero per coordinate, of 16 vectors side
     * by side: out[b][lane] += s g[j][lane], with (b, s) of coordinate first + j from
     * simd_sjlt_place. out: [buckets][16], added to; g: [n][16]. */
    void (*f32_sjlt16)(float *out,
                       uint32_t buckets,
                       const float *g,
                       size_t n,
                       uint64_t key,
                       uint64_t first);
    /* The same of outer products: g[j][lane] = x[j][lane] y[lane]. */
    void (*f32_sjlt16_outer)(float *out,
                             uint32_t buckets,
                             const float *x,
                             const float *y,
                             size_t n,
                             uint64_t key,
                             uint64_t first);
} simd_table;

/* The table for the instruction set in use. */
const simd_table *simd(void);
/* The table of one set, whether or not the processor has it; NULL if it was not built. */
const simd_table *simd_for(cpu_isa isa);

/* Where the sketch sends a coordinate: the bucket, and in *sign 1 or -1. */
static inline uint32_t
simd_sjlt_place(float *sign, uint64_t key, uint64_t coordinate, uint32_t buckets) {
    uint64_t x = key ^ coordinate * 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    x ^= x >> 31;
    *sign = (float)((int)(x & 1) * 2 - 1);
    return (uint32_t)(((x >> 32) * buckets) >> 32);
}

#endif

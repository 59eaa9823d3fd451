/* Elementwise passes, norms, poolings: the loops around the products. One body
 * (kernels.inc) is compiled per instruction set; all versions give the same bits,
 * outer_sum excepted. Rows of C channels lie one behind the other; a "row" is one pixel
 * of one image. */
#ifndef NN_KERNEL_TABLE_H
#define NN_KERNEL_TABLE_H

#include "nn/direct.h"

/* Per-channel numbers of a batch norm in use: y = (x - mean) * invstd * scale + shift. */
typedef struct bn_affine {
    const float *mean, *invstd, *scale, *shift;
} bn_affine;

/* What is done behind a batch norm in the same pass: a ReLU, the sum with `other`, or
 * both. Of a sum under a ReLU forward notes in `mask` where it lets through (NULL: not
 * wanted), a bit per element, rows of (c + 15) / 16 * 2 bytes; backward goes by it.
 * `d_other` (NULL: not wanted) takes the gradient of the sum in the pass for the sums; it
 * may be d_y itself if the types agree. */
typedef struct bn_tail {
    bool relu, relu_first, other_half;
    const void *other;
    void *d_other;
    uint8_t *mask;
} bn_tail;

static inline size_t max_pool_tap_bytes(const nn_window *g) {
    return g->kh * g->kw <= UINT8_MAX ? 1 : 2;
}

/* The kernels on images: x, x_won, d_x lie in one element type, y, d_y in one; f32 or
 * bf16. sum_rows and spread_row know the first only. */
typedef struct image_kernels {
    /* sum[c] = over rows of x */
    void (*sum_rows)(float *sum, const void *x, size_t rows, size_t c);

    /* Merges `rows` more rows into mean[c] and sums of squared deviations m2[c] of the
     * `before` seen so far, chunk by chunk (Chan et al. 1979). */
    void (*moments)(
        double *mean, double *m2, const void *x, size_t before, size_t rows, size_t c);
    /* y = affine(x), and what the tail says */
    void (*bn)(void *y,
               const void *x,
               const bn_affine *a,
               const bn_tail *t,
               size_t rows,
               size_t c);
    /* y = affine(x), its positive part, then 2 x 2 max-pooling: y[n,oh,ow,c], the x that
     * won, and which of four (4: cut off by the ReLU). `x_won` and `won` may be NULL. */
    void (*bn_relu_pool)(void *y,
                         void *x_won,
                         uint8_t *won,
                         const void *x,
                         const bn_affine *a,
                         const nn_window *g,
                         size_t n);
    /* sum[0..c) += of d_y, sum[c..2c) += of d_y (x - mean) invstd, where the ReLU lets
     * through; `won` != NULL: d_y lies in pooled pixels, x is x_won. */
    void (*bn_back_sums)(double *sum,
                         const void *d_y,
                         const void *x,
                         const uint8_t *won,
                         const bn_affine *a,
                         const bn_tail *t,
                         size_t rows,
                         size_t c);
    /* d_x = scale invstd (d_y - s0 - s1 xhat); s0 = s1 = NULL: the statistics are
     * constants. Of the tail only `relu` and `mask`. */
    void (*bn_back)(void *d_x,
                    const void *d_y,
                    const void *x,
                    const bn_affine *a,
                    const float *s0,
                    const float *s1,
                    const bn_tail *t,
                    size_t rows,
                    size_t c);
    void (*bn_back_pool)(void *d_x,
                         const void *d_y,
                         const void *x,
                         const uint8_t *won,
                         const bn_affine *a,
                         const float *s0,
                         const float *s1,
                         const nn_window *g,
                         size_t n);
    /* y[r] = row times `share`, for every row */
    void (*spread_row)(void *y, const float *row, float share, size_t rows, size_t c);
    /* Max-pooling, behind a ReLU if `relu`; `tap` notes which tap of each window won (all
     * bits set: none, behind a ReLU), max_pool_tap_bytes each (NULL: not wanted). */
    void (*max_pool)(
        void *y, void *tap, const void *x, const nn_window *g, size_t n, bool relu);
    void (*max_pool_back)(
        void *d_x, const void *d_y, const void *tap, const nn_window *g, size_t n);
} image_kernels;

typedef struct nn_kernels {
    const char *name;
    void (*relu)(float *y, const float *x, size_t n);
    /* d_x = d_y where y > 0 */
    void (*relu_back)(float *d_x, const float *d_y, const float *y, size_t n);
    void (*add)(float *y, const float *a, const float *b, size_t n);
    /* The same in bf16; and from it to f32 and back. */
    void (*relu_half)(uint16_t *y, const uint16_t *x, size_t n);
    void (*relu_back_half)(uint16_t *d_x,
                           const uint16_t *d_y,
                           const uint16_t *y,
                           size_t n);
    void (*add_half)(uint16_t *y, const uint16_t *a, const uint16_t *b, size_t n);
    void (*widen)(float *y, const uint16_t *x, size_t n);
    void (*narrow)(uint16_t *y, const float *x, size_t n);
    void (*add_row)(float *y, const float *row, size_t rows, size_t c);
    /* [x is bf16][y is bf16] */
    const image_kernels *image[2][2];
    /* One padded example through a small-patch convolution; bias may be NULL. */
    void (*direct)(float *y,
                   const float *padded,
                   const float *packed,
                   const float *bias,
                   const direct_conv *d);
    /* Adds one example's gradient of the packed weights. */
    void (*direct_weights)(float *d_packed,
                           const float *padded,
                           const float *d_y,
                           const direct_conv *d);
    /* Patches under output pixels [first, first + n) of one example: row i of `to` holds
     * [kh,kw,c], zeros outside the image; rows are `ld` floats apart, zeroed behind the
     * patch. */
    void (*unfold)(
        float *to, const float *x, const nn_window *g, size_t first, size_t n, size_t ld);
    /* [taps,c] to [c,taps] */
    void (*turn_taps)(float *to, const float *from, size_t taps, size_t c);
    /* g[m,n] (+)= sum over k of d[k,m] u[k,n]; rows of u and g are `ld` floats apart, ld
     * >= n a multiple of 16 (the floats behind n are read and written). */
    void (*outer_sum)(float *g,
                      const float *d,
                      const float *u,
                      size_t k,
                      size_t m,
                      size_t n,
                      size_t ld,
                      bool add);
    /* The largest of z[k] into *most; returns the sum of exp(z - most). z[skip] is left
     * out (negative: none). Lanes of 1024 floats in f32, the rest in double. */
    double (*exp_sum)(float *most, const float *z, size_t k, int64_t skip);
    /* y = exp(z - most) gain - offset */
    void (*exp_scaled)(
        float *y, const float *z, size_t k, float most, float gain, float offset);
} nn_kernels;

/* Those of the instruction set in use. */
const nn_kernels *nn_kernels_get(void);

extern const nn_kernels nn_kernels_c, nn_kernels_avx2, nn_kernels_avx512;

#endif

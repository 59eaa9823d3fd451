/* What transforms do to long rows of bytes and floats, once per instruction set: the same
 * C body (kernels.inc) compiled for each and left to the compiler to vectorise. Nothing
 * is fused or reordered, so every set gives the same bits. */
#ifndef DATA_KERNELS_H
#define DATA_KERNELS_H

#include "base/cpu.h"

#include <stddef.h>
#include <stdint.h>

/* `dst` may be the last input (`src`), and overlaps nothing otherwise.
 * Planes are R, G and B, n bytes each, one behind the other. */
typedef struct data_kernels {
    /* base + factor (v - base), cut to 0..255 and to whole numbers: Pillow's blend */
    void (*blend_flat)(
        uint8_t *dst, const uint8_t *src, size_t n, float factor, int base);
    void (*blend)(
        uint8_t *dst, const uint8_t *base, const uint8_t *src, size_t n, float factor);
    /* of at most 2^24 bytes */
    uint32_t (*sum)(const uint8_t *src, size_t n);
    void (*solarize)(uint8_t *dst, const uint8_t *src, size_t n, int threshold);
    void (*mask)(uint8_t *dst, const uint8_t *src, size_t n, uint8_t bits);
    /* HSV's hue turned by so many sixths, 0 <= sixths < 6; planes of R, G and B, n each
     */
    void (*hue)(uint8_t *planes, size_t n, float sixths);
    /* the same planes blended with their luma; factor 0: the luma itself */
    void (*saturate)(uint8_t *planes, size_t n, float factor);
    /* the sum of the luma of planes, n <= 2^16 */
    uint32_t (*luma_sum)(const uint8_t *planes, size_t n);
    /* planes to pixels */
    void (*merge)(uint8_t *rgb, const uint8_t *planes, size_t n);
    /* 3 x 3 mean with the middle 5 times, of the inner n bytes of a row; `c` bytes a
     * pixel */
    void (*smooth)(uint8_t *dst,
                   const uint8_t *above,
                   const uint8_t *row,
                   const uint8_t *below,
                   size_t n,
                   size_t c);
    /* to the nearest byte; values lie in 0..255 */
    void (*to_bytes)(uint8_t *dst, const float *src, size_t n);
    /* a = share a + (1 - share) b, for the four output types */
    void (*mix_u8)(uint8_t *a, const uint8_t *b, size_t n, float share);
    void (*mix_f32)(float *a, const float *b, size_t n, float share);
    void (*mix_f16)(uint16_t *a, const uint16_t *b, size_t n, float share);
    void (*mix_bf16)(uint16_t *a, const uint16_t *b, size_t n, float share);
} data_kernels;

const data_kernels *data_kernels_used(void);
/* The table of one set, whether or not the processor has it. */
const data_kernels *data_kernels_for(cpu_isa isa);

#endif

/* The decoder's inner loops, one table per instruction set. All sets give the same bytes,
 * which are libjpeg-turbo's. */
#ifndef IMAGE_JPEG_KERNELS_H
#define IMAGE_JPEG_KERNELS_H

#include "base/cpu.h"
#include "image/jpeg/entropy.h"

enum {
    JPG_SLACK = 64 /* bytes that may be read and written around a row of samples */
};

/* Dequantises and transforms `quads` quads (accurate integer IDCT) to rows of 32 samples
 * each, side by side, rows `stride` bytes apart; clears the coefficients, which are
 * 64-byte aligned. quant: natural order, 16-byte aligned. */
typedef void (*jpg_idct)(
    int16_t *coefs, const int16_t *quant, uint8_t *out, size_t stride, int quads);

/* Chroma between two rows of it: 3 near + far, in quarters. May write (and read) up to 32
 * samples beyond n. */
typedef void (*jpg_blend_rows)(uint16_t *out,
                               const uint8_t *near,
                               const uint8_t *far,
                               int n);
/* The same brought back to bytes, as 4:4:0 has it: + 1 above a row's middle, + 2 below.
 */
typedef void (*jpg_blend_rows_u8)(
    uint8_t *out, const uint8_t *near, const uint8_t *far, int n, int bias);
/* One row of colour, chroma at full width. May write up to 32 bytes beyond n. */
typedef void (*jpg_color_h1)(
    uint8_t *const rgb[3], const uint8_t *y, const uint8_t *cb, const uint8_t *cr, int n);
/* The same from chroma of half the width, in quarters (shift 4) or whole (shift 2); y
 * begins at an even column, chroma is read from one before to one behind. */
typedef void (*jpg_color_h2)(uint8_t *const rgb[3],
                             const uint8_t *y,
                             const uint16_t *cb,
                             const uint16_t *cr,
                             int n,
                             int shift);

typedef struct jpg_kernels {
    const jpg_entropy *entropy;
    jpg_unstuff unstuff;
    jpg_idct idct;
    jpg_blend_rows blend_rows;
    jpg_blend_rows_u8 blend_rows_u8;
    jpg_color_h1 color_h1;
    jpg_color_h2 color_h2;
} jpg_kernels;

/* NULL if the set was not built. */
const jpg_kernels *jpg_kernels_for(cpu_isa isa);

/* What the tables are made of. */
extern const jpg_entropy jpg_entropy_c, jpg_entropy_avx2;
size_t jpg_unstuff_c(uint8_t *, const uint8_t *, const uint8_t *, const uint8_t **);
size_t jpg_unstuff_avx2(uint8_t *, const uint8_t *, const uint8_t *, const uint8_t **);
size_t jpg_unstuff_avx512v(uint8_t *, const uint8_t *, const uint8_t *, const uint8_t **);
/* Goes on where a vector loop stopped: `to` bytes from `begin` on are there. */
size_t jpg_unstuff_tail(uint8_t *begin,
                        uint8_t *to,
                        const uint8_t *from,
                        const uint8_t *end,
                        const uint8_t **stop);
void jpg_idct_c(int16_t *, const int16_t *, uint8_t *, size_t, int);
void jpg_idct_avx2(int16_t *, const int16_t *, uint8_t *, size_t, int);
void jpg_idct_avx512(int16_t *, const int16_t *, uint8_t *, size_t, int);
#define JPG_COLOR_OF(SET)                                                                \
    void jpg_blend_rows_##SET(uint16_t *, const uint8_t *, const uint8_t *, int);        \
    void jpg_blend_rows_u8_##SET(uint8_t *, const uint8_t *, const uint8_t *, int, int); \
    void jpg_color_h1_##SET(uint8_t *const[3], const uint8_t *, const uint8_t *,         \
                            const uint8_t *, int);                                       \
    void jpg_color_h2_##SET(uint8_t *const[3], const uint8_t *, const uint16_t *,        \
                            const uint16_t *, int, int)
JPG_COLOR_OF(c);
JPG_COLOR_OF(avx2);
JPG_COLOR_OF(avx512);

#endif

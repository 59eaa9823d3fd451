/* The accurate integer IDCT's constants, in 13 bits of fraction, and its one block. */
#ifndef IMAGE_JPEG_IDCT_H
#define IMAGE_JPEG_IDCT_H

#include "image/jpeg/kernels.h"

enum {
    IDCT_BITS = 13,
    IDCT_SHIFT_1 = 11, /* after the first pass: 2 bits of fraction stay */
    IDCT_SHIFT_2 = 18, /* after the second: those, and 3 of the transform's own scale */
    IDCT_0_298 = 2446,
    IDCT_0_390 = 3196,
    IDCT_0_541 = 4433,
    IDCT_0_765 = 6270,
    IDCT_0_899 = 7373,
    IDCT_1_175 = 9633,
    IDCT_1_501 = 12299,
    IDCT_1_847 = 15137,
    IDCT_1_961 = 16069,
    IDCT_2_053 = 16819,
    IDCT_2_562 = 20995,
    IDCT_3_072 = 25172,
    /* First-row values beyond 14 bits overflow between the passes, where vector code
     * treats a block apart that has nothing below; such blocks go through plain C. */
    IDCT_SAFE = 1 << 13
};

/* One block of a quad, to 8 x 8 samples; the coefficients stay. */
void jpg_idct_block(const int16_t *coefs,
                    const int16_t *quant,
                    uint8_t *out,
                    size_t stride);

#endif

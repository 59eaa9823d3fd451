/* The accurate integer IDCT (Loeffler, Ligtenberg and Moschytz 1989, as in libjpeg's
 * jidctint.c), with the widths at which libjpeg-turbo's vector code computes: products of
 * 16 bits wrap around, rows between the passes saturate. Only coefficients that no
 * encoder makes reach those. */
#include "image/jpeg/idct.h"

static int16_t wrap16(int v) {
    return (int16_t)(uint16_t)v;
}

static int16_t saturate16(int32_t v) {
    return (int16_t)(v < INT16_MIN ? INT16_MIN : v > INT16_MAX ? INT16_MAX : v);
}

static int16_t descale(uint32_t v, int shift) {
    return saturate16((int32_t)(v + (1u << (shift - 1))) >> shift);
}

static uint32_t product(int a, int b) {
    return (uint32_t)(a * b);
}

/* Eight values, `step` apart, in place. */
static void transform(int16_t *x, int step, int shift) {
    int16_t in[8];
    int others = 0;
    for (int i = 0; i < 8; i++) {
        in[i] = x[i * step];
        others |= i ? in[i] : 0;
    }
    if (!others) { /* most rows and columns of a photo */
        int16_t v = descale(product(in[0], 1 << IDCT_BITS), shift);
        for (int i = 0; i < 8; i++)
            x[i * step] = v;
        return;
    }
    uint32_t sum = product(wrap16(in[0] + in[4]), 1 << IDCT_BITS);
    uint32_t difference = product(wrap16(in[0] - in[4]), 1 << IDCT_BITS);
    uint32_t t3 = product(in[2], IDCT_0_541 + IDCT_0_765) + product(in[6], IDCT_0_541);
    uint32_t t2 = product(in[2], IDCT_0_541) + product(in[6], IDCT_0_541 - IDCT_1_847);
    uint32_t even[4] = {sum + t3, difference + t2, difference - t2, sum - t3};
    int z3 = wrap16(in[7] + in[3]), z4 = wrap16(in[5] + in[1]);
    uint32_t y3 = product(z3, IDCT_1_175 - IDCT_1_961) + product(z4, IDCT_1_175);
    uint32_t y4 = product(z3, IDCT_1_175) + product(z4, IDCT_1_175 - IDCT_0_390);
    uint32_t odd[4] = {
        product(in[7], -IDCT_0_899) + product(in[1], IDCT_1_501 - IDCT_0_899) + y4,
        product(in[5], -IDCT_2_562) + product(in[3], IDCT_3_072 - IDCT_2_562) + y3,
        product(in[5], IDCT_2_053 - IDCT_2_562) + product(in[3], -IDCT_2_562) + y4,
        product(in[7], IDCT_0_298 - IDCT_0_899) + product(in[1], -IDCT_0_899) + y3};
    for (int i = 0; i < 4; i++) {
        x[i * step] = descale(even[i] + odd[i], shift);
        x[(7 - i) * step] = descale(even[i] - odd[i], shift);
    }
}

static uint8_t to_sample(int v) {
    return (uint8_t)((v < -128 ? -128 : v > 127 ? 127 : v) + 128);
}

void jpg_idct_block(const int16_t *coefs,
                    const int16_t *quant,
                    uint8_t *out,
                    size_t stride) {
    int16_t x[64];
    int below = 0; /* the first row */
    for (int i = 0; i < 64; i++) {
        int16_t v = coefs[(i >> 3) * 32 + (i & 7)];
        below |= i < 8 ? 0 : v;
        x[i] = wrap16(v * quant[i]);
    }
    for (int c = 0; c < 8; c++) {
        if (below)
            transform(x + c, 8, IDCT_SHIFT_1);
        else
            for (int r = 7; r >= 0; r--)
                x[r * 8 + c] = wrap16(x[c] * 4);
    }
    for (int r = 0; r < 8; r++) {
        transform(x + r * 8, 1, IDCT_SHIFT_2);
        for (int c = 0; c < 8; c++)
            out[(size_t)r * stride + (size_t)c] = to_sample(x[r * 8 + c]);
    }
}

void jpg_idct_c(
    int16_t *coefs, const int16_t *quant, uint8_t *out, size_t stride, int quads) {
    for (int i = 0; i < quads; i++, coefs += JPG_QUAD, out += 32) {
        for (int b = 0; b < 4; b++)
            jpg_idct_block(coefs + b * 8, quant, out + b * 8, stride);
        for (int k = 0; k < JPG_QUAD; k++)
            coefs[k] = 0;
    }
}

/* Fancy chroma upsampling and YCbCr to RGB, as in libjpeg's jdsample.c and jdcolor.c. */
#include "image/jpeg/kernels.h"

enum { /* in 16 bits of fraction */
       CR_TO_RED = 91881,
       CB_TO_GREEN = -22554,
       CR_TO_GREEN = -46802,
       CB_TO_BLUE = 116130,
       HALF = 1 << 15
};

static uint8_t clamp(int v) {
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static void put_pixel(uint8_t *const rgb[3], int i, int y, int cb, int cr) {
    cb -= 128;
    cr -= 128;
    rgb[0][i] = clamp(y + ((CR_TO_RED * cr + HALF) >> 16));
    rgb[1][i] = clamp(y + ((CB_TO_GREEN * cb + CR_TO_GREEN * cr + HALF) >> 16));
    rgb[2][i] = clamp(y + ((CB_TO_BLUE * cb + HALF) >> 16));
}

void jpg_blend_rows_c(uint16_t *out, const uint8_t *near, const uint8_t *far, int n) {
    for (int i = 0; i < n; i++)
        out[i] = (uint16_t)(3 * near[i] + far[i]);
}

void jpg_blend_rows_u8_c(
    uint8_t *out, const uint8_t *near, const uint8_t *far, int n, int bias) {
    for (int i = 0; i < n; i++)
        out[i] = (uint8_t)((3 * near[i] + far[i] + bias) >> 2);
}

void jpg_color_h1_c(uint8_t *const rgb[3],
                    const uint8_t *y,
                    const uint8_t *cb,
                    const uint8_t *cr,
                    int n) {
    for (int i = 0; i < n; i++)
        put_pixel(rgb, i, y[i], cb[i], cr[i]);
}

/* 3 parts of the sample above a pixel, 1 of the next one on its side: the left for even
 * pixels, the right for odd ones. */
static int blend(int near, int far, int bias, int shift) {
    return (3 * near + far + bias) >> shift;
}

/* Rounding is up for even pixels and down for odd ones (by quarters), or the other way
 * about (whole). */
void jpg_color_h2_c(uint8_t *const rgb[3],
                    const uint8_t *y,
                    const uint16_t *cb,
                    const uint16_t *cr,
                    int n,
                    int shift) {
    int even = shift == 4 ? 8 : 1, odd = shift == 4 ? 7 : 2;
    for (int i = 0; i < n; i += 2, cb++, cr++) {
        put_pixel(rgb, i, y[i], blend(cb[0], cb[-1], even, shift),
                  blend(cr[0], cr[-1], even, shift));
        if (i + 1 < n)
            put_pixel(rgb, i + 1, y[i + 1], blend(cb[0], cb[1], odd, shift),
                      blend(cr[0], cr[1], odd, shift));
    }
}

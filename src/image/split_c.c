/* Splitting in plain C. */
#include "image/split.h"

void split_rgb_c(uint8_t *planes, size_t stride, const uint8_t *rgb, size_t n) {
    for (size_t i = 0; i < n; i++, rgb += 3) {
        planes[i] = rgb[0];
        planes[stride + i] = rgb[1];
        planes[2 * stride + i] = rgb[2];
    }
}

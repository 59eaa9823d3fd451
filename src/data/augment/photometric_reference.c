/* The same pixel by pixel, by definition. */
#include "data/augment/photometric.h"

#include <math.h>
#include <string.h>

/* Pillow's Image.blend: in single precision, the fraction cut off. */
static uint8_t blend_one(int base, int value, double factor) {
    float v = (float)base + (float)factor * (float)(value - base);
    return (uint8_t)(v <= 0 ? 0 : v >= 255 ? 255 : (int)v);
}

static int luma_at(const uint8_t *pixel, int channels) {
    if (channels == 1)
        return pixel[0];
    return (pixel[0] * 19595 + pixel[1] * 38470 + pixel[2] * 7471 + 32768) / 65536;
}

void photo_brightness_reference(uint8_t *dst,
                                const uint8_t *src,
                                const photo_shape *s,
                                double factor) {
    for (size_t i = 0; i < photo_bytes(s); i++)
        dst[i] = blend_one(0, src[i], factor);
}

void photo_contrast_reference(uint8_t *dst,
                              const uint8_t *src,
                              const photo_shape *s,
                              double factor) {
    size_t n = photo_bytes(s), c = (size_t)s->channels;
    double sum = 0;
    for (size_t i = 0; i < n; i += c)
        sum += luma_at(src + i, s->channels);
    int mean = (int)floor(sum / (double)(n / c) + 0.5);
    for (size_t i = 0; i < n; i++)
        dst[i] = blend_one(mean, src[i], factor);
}

void photo_saturation_reference(uint8_t *dst,
                                const uint8_t *src,
                                const photo_shape *s,
                                double factor) {
    size_t c = (size_t)s->channels;
    for (size_t i = 0; i < photo_bytes(s); i += c) {
        int luma = luma_at(src + i, s->channels);
        for (size_t k = 0; k < c; k++)
            dst[i + k] = blend_one(luma, src[i + k], factor);
    }
}

void photo_grayscale_reference(uint8_t *dst, const uint8_t *src, const photo_shape *s) {
    size_t c = (size_t)s->channels;
    for (size_t i = 0; i < photo_bytes(s); i += c) {
        int luma = luma_at(src + i, s->channels);
        for (size_t k = 0; k < c; k++)
            dst[i + k] = (uint8_t)luma;
    }
}

/* RGB to HSV and back, sector by sector (Smith 1978). */
static void turn_one(uint8_t *dst, const uint8_t *rgb, double turn) {
    double r = rgb[0], g = rgb[1], b = rgb[2];
    double high = fmax(r, fmax(g, b)), low = fmin(r, fmin(g, b)), spread = high - low;
    double hue = 0;
    if (spread > 0 && high == r)
        hue = (g - b) / spread;
    else if (spread > 0 && high == g)
        hue = (b - r) / spread + 2;
    else if (spread > 0)
        hue = (r - g) / spread + 4;
    hue = fmod(hue + 6 * turn + 12, 6);
    int sector = (int)hue;
    double f = hue - sector, up = low + spread * f, down = high - spread * f;
    const double sectors[6][3] = {{high, up, low}, {down, high, low},
                                  {low, high, up}, {low, down, high},
                                  {up, low, high}, {high, low, down}};
    for (int k = 0; k < 3; k++)
        dst[k] = (uint8_t)floor(sectors[sector][k] + 0.5);
}

void photo_hue_reference(uint8_t *dst,
                         const uint8_t *src,
                         const photo_shape *s,
                         double turn) {
    if (s->channels == 1) {
        memcpy(dst, src, photo_bytes(s));
        return;
    }
    for (size_t i = 0; i < photo_bytes(s); i += 3)
        turn_one(dst + i, src + i, turn);
}

void photo_solarize_reference(uint8_t *dst,
                              const uint8_t *src,
                              const photo_shape *s,
                              int threshold) {
    for (size_t i = 0; i < photo_bytes(s); i++)
        dst[i] = (uint8_t)(src[i] < threshold ? src[i] : 255 - src[i]);
}

void photo_posterize_reference(uint8_t *dst,
                               const uint8_t *src,
                               const photo_shape *s,
                               int bits) {
    int step = 1 << (8 - bits);
    for (size_t i = 0; i < photo_bytes(s); i++)
        dst[i] = (uint8_t)(src[i] / step * step);
}

void photo_autocontrast_reference(uint8_t *dst,
                                  const uint8_t *src,
                                  const photo_shape *s) {
    size_t n = photo_bytes(s), c = (size_t)s->channels;
    for (size_t k = 0; k < c; k++) {
        int low = 255, high = 0;
        for (size_t i = k; i < n; i += c) {
            low = src[i] < low ? src[i] : low;
            high = src[i] > high ? src[i] : high;
        }
        for (size_t i = k; i < n; i += c) {
            double scale = high > low ? 255.0 / (high - low) : 1;
            double v = high > low ? src[i] * scale - low * scale : src[i];
            dst[i] = (uint8_t)fmin(fmax(v, 0), 255);
        }
    }
}

void photo_equalize_reference(uint8_t *dst, const uint8_t *src, const photo_shape *s) {
    size_t n = photo_bytes(s), c = (size_t)s->channels;
    for (size_t k = 0; k < c; k++) {
        size_t below[257] = {0}, of_last = 0;
        for (int v = 0; v < 256; v++) {
            size_t here = 0;
            for (size_t i = k; i < n; i += c)
                here += src[i] == v;
            below[v + 1] = below[v] + here;
            of_last = here > 0 ? here : of_last;
        }
        size_t step = (below[256] - of_last) / 255;
        for (size_t i = k; i < n; i += c) {
            size_t v = step > 0 ? (step / 2 + below[src[i]]) / step : src[i];
            dst[i] = (uint8_t)(v > 255 ? 255 : v);
        }
    }
}

void photo_sharpness_reference(uint8_t *dst,
                               const uint8_t *src,
                               const photo_shape *s,
                               double factor) {
    int w = s->width, h = s->height, c = s->channels;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int k = 0; k < c; k++) {
                int i = (y * w + x) * c + k;
                double mean = src[i];
                if (y > 0 && y + 1 < h && x > 0 && x + 1 < w) {
                    double sum = 4 * src[i];
                    for (int dy = -1; dy <= 1; dy++)
                        for (int dx = -1; dx <= 1; dx++)
                            sum += src[i + (dy * w + dx) * c];
                    mean = floor(sum / 13 + 0.5);
                }
                dst[i] = blend_one((int)mean, src[i], factor);
            }
}

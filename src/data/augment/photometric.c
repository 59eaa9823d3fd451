/* The fast forms, over the kernels. */
#include "data/augment/photometric.h"

#include "data/augment/kernels.h"

#include <string.h>

enum { CHUNK = 256 }; /* pixels */

size_t photo_bytes(const photo_shape *s) {
    return (size_t)s->height * (size_t)s->width * (size_t)s->channels;
}

bool photo_happens(rng *r, double p) {
    return rng_uniform(r) < p;
}

double photo_draw_factor(rng *r, double magnitude) {
    double least = magnitude < 1 ? 1 - magnitude : 0;
    return least + (1 + magnitude - least) * rng_uniform(r);
}

void photo_brightness(uint8_t *dst,
                      const uint8_t *src,
                      const photo_shape *s,
                      double factor) {
    data_kernels_used()->blend_flat(dst, src, photo_bytes(s), (float)factor, 0);
}

/* The mean luma, rounded. */
static int mean_of(const uint8_t *src, const photo_shape *s) {
    const data_kernels *k = data_kernels_used();
    size_t pixels = (size_t)s->height * (size_t)s->width;
    uint64_t sum = 0;
    uint8_t planes[3 * CHUNK];
    for (size_t at = 0; at < pixels; at += CHUNK) {
        size_t n = pixels - at < CHUNK ? pixels - at : CHUNK;
        if (s->channels == 3) {
            output_split(planes, n, src + 3 * at, n);
            sum += k->luma_sum(planes, n);
        } else {
            sum += k->sum(src + at, n);
        }
    }
    return (int)((2 * sum + pixels) / (2 * pixels));
}

void photo_contrast(uint8_t *dst,
                    const uint8_t *src,
                    const photo_shape *s,
                    double factor) {
    data_kernels_used()->blend_flat(dst, src, photo_bytes(s), (float)factor,
                                    mean_of(src, s));
}

void photo_saturation(uint8_t *dst,
                      const uint8_t *src,
                      const photo_shape *s,
                      double factor) {
    const data_kernels *k = data_kernels_used();
    size_t pixels = (size_t)s->height * (size_t)s->width;
    uint8_t planes[3 * CHUNK];
    if (s->channels == 1) {
        memmove(dst, src, pixels);
        return;
    }
    for (size_t at = 0; at < pixels; at += CHUNK) {
        size_t n = pixels - at < CHUNK ? pixels - at : CHUNK;
        output_split(planes, n, src + 3 * at, n);
        k->saturate(planes, n, (float)factor);
        k->merge(dst + 3 * at, planes, n);
    }
}

void photo_grayscale(uint8_t *dst, const uint8_t *src, const photo_shape *s) {
    photo_saturation(dst, src, s, 0);
}

void photo_hue(uint8_t *dst, const uint8_t *src, const photo_shape *s, double turn) {
    size_t pixels = (size_t)s->height * (size_t)s->width;
    double sixths = 6 * (turn < 0 ? turn + 1 : turn);
    const data_kernels *k = data_kernels_used();
    uint8_t planes[3 * CHUNK];
    if (s->channels == 1) {
        memmove(dst, src, pixels);
        return;
    }
    for (size_t at = 0; at < pixels; at += CHUNK) {
        size_t n = pixels - at < CHUNK ? pixels - at : CHUNK;
        output_split(planes, n, src + 3 * at, n);
        k->hue(planes, n, sixths < 6 ? (float)sixths : 0);
        k->merge(dst + 3 * at, planes, n);
    }
}

void photo_solarize(uint8_t *dst,
                    const uint8_t *src,
                    const photo_shape *s,
                    int threshold) {
    data_kernels_used()->solarize(dst, src, photo_bytes(s), threshold);
}

void photo_posterize(uint8_t *dst, const uint8_t *src, const photo_shape *s, int bits) {
    data_kernels_used()->mask(dst, src, photo_bytes(s), (uint8_t)(0xff00 >> bits));
}

/* ---- histograms ---- */

typedef uint8_t lookup[3][256];

static void count(uint32_t h[3][256], const uint8_t *src, const photo_shape *s) {
    size_t n = (size_t)s->height * (size_t)s->width;
    memset(h, 0, 3 * sizeof h[0]);
    if (s->channels == 1) {
        for (size_t i = 0; i < n; i++)
            h[0][src[i]]++;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        h[0][src[3 * i]]++;
        h[1][src[3 * i + 1]]++;
        h[2][src[3 * i + 2]]++;
    }
}

static void
look_up(uint8_t *dst, const uint8_t *src, const photo_shape *s, const lookup to) {
    size_t n = (size_t)s->height * (size_t)s->width;
    if (s->channels == 1) {
        for (size_t i = 0; i < n; i++)
            dst[i] = to[0][src[i]];
        return;
    }
    for (size_t i = 0; i < n; i++) {
        dst[3 * i] = to[0][src[3 * i]];
        dst[3 * i + 1] = to[1][src[3 * i + 1]];
        dst[3 * i + 2] = to[2][src[3 * i + 2]];
    }
}

static void stretch(uint8_t to[256], const uint32_t h[256]) {
    int low = 0, high = 255;
    while (low < 255 && h[low] == 0)
        low++;
    while (high > 0 && h[high] == 0)
        high--;
    double scale = high > low ? 255.0 / (high - low) : 1;
    double offset = high > low ? -low * scale : 0;
    for (int i = 0; i < 256; i++) {
        double v = i * scale + offset;
        to[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
}

void photo_autocontrast(uint8_t *dst, const uint8_t *src, const photo_shape *s) {
    uint32_t h[3][256];
    lookup to;
    count(h, src, s);
    for (int c = 0; c < s->channels; c++)
        stretch(to[c], h[c]);
    look_up(dst, src, s, (const uint8_t(*)[256])to);
}

/* Steps of equal counts; what the last value has is left out of the sum. */
static void level(uint8_t to[256], const uint32_t h[256]) {
    uint64_t sum = 0, last = 0;
    for (int i = 0; i < 256; i++) {
        sum += h[i];
        last = h[i] > 0 ? h[i] : last;
    }
    uint64_t step = (sum - last) / 255, n = step / 2;
    for (int i = 0; i < 256; i++) {
        uint64_t v = step > 0 ? n / step : (uint64_t)i;
        to[i] = (uint8_t)(v > 255 ? 255 : v);
        n += h[i];
    }
}

void photo_equalize(uint8_t *dst, const uint8_t *src, const photo_shape *s) {
    uint32_t h[3][256];
    lookup to;
    count(h, src, s);
    for (int c = 0; c < s->channels; c++)
        level(to[c], h[c]);
    look_up(dst, src, s, (const uint8_t(*)[256])to);
}

/* The smoothed rows go to `dst`, which then is blended with the image; the frame of one
 * pixel is not smoothed. */
void photo_sharpness(uint8_t *dst,
                     const uint8_t *src,
                     const photo_shape *s,
                     double factor) {
    const data_kernels *k = data_kernels_used();
    size_t c = (size_t)s->channels, row = (size_t)s->width * c, h = (size_t)s->height;
    uint8_t part[3 * CHUNK];
    memcpy(dst, src, h * row);
    if (s->width < 3)
        return;
    for (size_t y = 1; y + 1 < h; y++) {
        const uint8_t *from = src + y * row;
        for (size_t at = 0; at < row - 2 * c; at += sizeof part) {
            size_t left = row - 2 * c - at;
            size_t n = left < sizeof part ? left : sizeof part;
            k->smooth(part, from - row + at, from + at, from + row + at, n, c);
            k->blend(dst + y * row + c + at, part, from + c + at, n, (float)factor);
        }
    }
}

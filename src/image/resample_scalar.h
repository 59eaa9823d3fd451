/* The resampler's arithmetic for one value: what all kernels keep to. */
#ifndef IMAGE_RESAMPLE_SCALAR_H
#define IMAGE_RESAMPLE_SCALAR_H

#include "image/output_kernels.h"
#include "image/resample_inside.h"

/* A term of a vertical sum: for bytes in 1/128 level, cut off (weights of 15 bits); the
 * sum begins with what that takes away on average, and with half a level. */
OUTPUT_INLINE int32_t resample_term(uint8_t pixel, int32_t weight) {
    return pixel * weight >> 8;
}

OUTPUT_INLINE int32_t resample_start(int taps) {
    return 64 + taps / 2;
}

/* For words in 1/64 level, rounded (weights of 14 bits). */
OUTPUT_INLINE int32_t resample_word_term(uint8_t pixel, int32_t weight) {
    return (pixel * weight + 128) >> 8;
}

/* A sum to the output: overshoot is cut off, bytes are rounded, floats scaled. */
OUTPUT_INLINE void
resample_put(const resample_across *a, int c, int32_t sum, void *out, size_t at) {
    const int32_t most = 255 << a->bits;
    sum = sum < 0 ? 0 : sum > most ? most : sum;
    if (a->output.type == OUTPUT_U8)
        ((uint8_t *)out)[at] = (uint8_t)((sum + (1 << (a->bits - 1))) >> a->bits);
    else
        output_put(a->output.type, out, at,
                   fmaf((float)sum, a->output.scale[c], a->output.shift[c]));
}

/* Element of channel c of pixel x, from a row's first. */
OUTPUT_INLINE size_t resample_element(const resample_across *a, int x, int c) {
    return a->output.planar ? (size_t)c * a->out_plane + (size_t)x
                            : (size_t)x * 3 + (size_t)c;
}

/* The horizontal pass, output by output. */
OUTPUT_INLINE void
resample_across_plain(const resample_across *a, const void *row, void *out) {
    const resample_axis *axis = a->axis;
    const int surplus = axis->bits - RESAMPLE_ACROSS_BITS;
    for (int x = 0; x < axis->out; x++) {
        size_t o = (size_t)(a->mirror ? axis->out - 1 - x : x);
        const resample_span span = axis->span[o];
        const int32_t *weight = axis->weight + o * (size_t)axis->stride;
        for (int c = 0; c < 3; c++) {
            const size_t from = (size_t)c * a->plane + (size_t)span.begin;
            const uint8_t *bytes = (const uint8_t *)row + from;
            const int16_t *words = (const int16_t *)row + from;
            int64_t sum = surplus > 0 ? (int64_t)1 << (surplus - 1) : 0;
            for (int32_t t = 0; t < span.count; t++)
                sum += (int64_t)weight[t] * (a->words ? words[t] : bytes[t]);
            resample_put(a, c, (int32_t)(sum >> surplus), out, resample_element(a, x, c));
        }
    }
}

#endif

/* The resampler's passes in plain C: what every processor has, and what the others must
 * equal. */
#include "image/resample_scalar.h"

static void blend(
    uint8_t *out, const uint8_t *const *row, const int32_t *weight, int taps, size_t n) {
    for (size_t i = 0; i < n; i++) {
        int32_t sum = resample_start(taps);
        for (int t = 0; t < taps; t++)
            sum += resample_term(row[t][i], weight[t]);
        out[i] = (uint8_t)(sum >> 7);
    }
}

static void blend_words(
    int16_t *out, const uint8_t *const *row, const int32_t *weight, int taps, size_t n) {
    for (size_t i = 0; i < n; i++) {
        int32_t sum = 0;
        for (int t = 0; t < taps; t++)
            sum += resample_word_term(row[t][i], weight[t]);
        out[i] = (int16_t)sum;
    }
}

static void add(int32_t *sums, const uint8_t *row, int32_t weight, size_t n) {
    for (size_t i = 0; i < n; i++)
        sums[i] += weight * row[i];
}

static void across(const resample_across *a, const void *row, void *out) {
    resample_across_plain(a, row, out);
}

extern const resample_kernels resample_kernels_c;
const resample_kernels resample_kernels_c = {
    .blend = blend, .blend_words = blend_words, .add = add, .across = across};

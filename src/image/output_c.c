/* The last pass in plain C: what every processor has, and what the others must equal. */
#include "image/output_kernels.h"

static void interleaved(const image_output *o, const uint8_t *in, size_t n, void *out) {
    if (o->type == OUTPUT_U8)
        memcpy(out, in, n);
    else
        output_rest(o, in, 0, n, out);
}

static void planar(
    const image_output *o, const uint8_t *rgb, size_t pixels, void *out, size_t plane) {
    output_rest_planar(o, rgb, 0, pixels, out, plane);
}

static void reverse(uint8_t *out, const uint8_t *in, size_t pixels, int channels) {
    output_reverse_rest(out, in, 0, pixels, channels);
}

extern const output_kernels output_kernels_c;
const output_kernels output_kernels_c = {interleaved, planar, reverse, NULL, NULL};

/* The last pass, once per instruction set: a table of functions and the scalar rules that
 * all of them keep to. */
#ifndef IMAGE_OUTPUT_KERNELS_H
#define IMAGE_OUTPUT_KERNELS_H

#include "base/cpu.h"
#include "image/output.h"

#include <math.h>
#include <string.h>

#define OUTPUT_INLINE static inline __attribute__((always_inline))

enum { OUTPUT_SMALL_ROW = 128 }; /* bytes of a row that two registers hold */

/* Pointers of one call do not overlap. No alignment is asked for; `stream` is followed
 * where the addresses allow. */
typedef struct output_kernels {
    /* n bytes, the first of channel 0, in the order they have */
    void (*interleaved)(const image_output *o, const uint8_t *in, size_t n, void *out);
    /* R, G, B bytes to three planes, `plane` elements apart */
    void (*planar)(const image_output *o,
                   const uint8_t *rgb,
                   size_t pixels,
                   void *out,
                   size_t plane);
    /* pixels in reverse order */
    void (*reverse)(uint8_t *out, const uint8_t *in, size_t pixels, int channels);
    /* output_place for interleaved rows of up to OUTPUT_SMALL_ROW bytes, in and out; NULL
     * where there is nothing faster than the general way */
    void (*place_small)(const image_output *o,
                        const image_placement *p,
                        const uint8_t *hwc,
                        void *out);
    /* makes streamed stores visible to other threads, once for an image; may be NULL */
    void (*finish)(void);
} output_kernels;

/* The table of one set, whether or not the processor has it. */
const output_kernels *output_kernels_for(cpu_isa isa);
void output_write_by(const output_kernels *k,
                     const image_output *o,
                     const uint8_t *hwc,
                     int height,
                     int width,
                     void *out);
void output_place_by(const output_kernels *k,
                     const image_output *o,
                     const image_placement *p,
                     const uint8_t *hwc,
                     void *out);

/* To bf16 and f16, to nearest, ties to even. No NaN comes in. */
static inline uint16_t output_bf16(float f) {
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return (uint16_t)((u + 0x7FFF + (u >> 16 & 1)) >> 16);
}

static inline uint16_t output_f16(float f) {
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    uint32_t sign = u >> 16 & 0x8000, magnitude = u & 0x7FFFFFFF;
    if (magnitude >= 0x47800000) /* 65536 */
        return (uint16_t)(sign | 0x7C00);
    if (magnitude >= 0x38800000) { /* a normal number there, too */
        magnitude += 0xFFF + (magnitude >> 13 & 1);
        return (uint16_t)(sign | (magnitude - 0x38000000) >> 13);
    }
    if (magnitude < 0x33000000) /* less than half of the least */
        return (uint16_t)sign;
    uint32_t fraction = (magnitude & 0x7FFFFF) | 0x800000,
             shift = 126 - (magnitude >> 23);
    uint32_t whole = fraction >> shift, rest = fraction & ((1u << shift) - 1),
             half = 1u << (shift - 1);
    return (uint16_t)(sign | (whole + (rest > half || (rest == half && (whole & 1)))));
}

/* One float at element `at`. */
OUTPUT_INLINE void output_put(output_type type, void *out, size_t at, float value) {
    uint16_t half;
    switch (type) {
    case OUTPUT_F32:
        memcpy((char *)out + 4 * at, &value, 4);
        break;
    case OUTPUT_F16:
        half = output_f16(value);
        memcpy((char *)out + 2 * at, &half, 2);
        break;
    case OUTPUT_BF16:
        half = output_bf16(value);
        memcpy((char *)out + 2 * at, &half, 2);
        break;
    case OUTPUT_U8:
        break;
    }
}

/* One byte of channel c at element `at`. */
OUTPUT_INLINE void
output_put_byte(const image_output *o, int c, uint8_t byte, void *out, size_t at) {
    if (o->type == OUTPUT_U8)
        ((uint8_t *)out)[at] = byte;
    else
        output_put(o->type, out, at, fmaf((float)byte, o->scale[c], o->shift[c]));
}

/* The scalar way, also for what is left over by vectors: bytes from `from` (of channel 0)
 * on. */
OUTPUT_INLINE void
output_rest(const image_output *o, const uint8_t *in, size_t from, size_t n, void *out) {
    int c = 0;
    for (size_t i = from; i < n; i++) {
        output_put_byte(o, c, in[i], out, i);
        c = c + 1 < o->channels ? c + 1 : 0;
    }
}

OUTPUT_INLINE void output_rest_planar(const image_output *o,
                                      const uint8_t *rgb,
                                      size_t from,
                                      size_t pixels,
                                      void *out,
                                      size_t plane) {
    for (size_t i = from; i < pixels; i++)
        for (int c = 0; c < 3; c++)
            output_put_byte(o, c, rgb[3 * i + (size_t)c], out, (size_t)c * plane + i);
}

OUTPUT_INLINE void output_reverse_rest(
    uint8_t *out, const uint8_t *in, size_t from, size_t pixels, int channels) {
    size_t each = (size_t)channels;
    for (size_t i = from; i < pixels; i++)
        memcpy(out + i * each, in + (pixels - 1 - i) * each, each);
}

/* Calls run(..., type, stream) with constants for the last two, so that one inlined body
 * becomes a loop for each. */
#define OUTPUT_BY_TYPE(run, type, stream, ...)                                           \
    do {                                                                                 \
        if ((type) == OUTPUT_U8)                                                         \
            run(__VA_ARGS__, OUTPUT_U8, false);                                          \
        else if ((type) == OUTPUT_F32 && (stream))                                       \
            run(__VA_ARGS__, OUTPUT_F32, true);                                          \
        else if ((type) == OUTPUT_F32)                                                   \
            run(__VA_ARGS__, OUTPUT_F32, false);                                         \
        else if ((type) == OUTPUT_F16 && (stream))                                       \
            run(__VA_ARGS__, OUTPUT_F16, true);                                          \
        else if ((type) == OUTPUT_F16)                                                   \
            run(__VA_ARGS__, OUTPUT_F16, false);                                         \
        else if (stream)                                                                 \
            run(__VA_ARGS__, OUTPUT_BF16, true);                                         \
        else                                                                             \
            run(__VA_ARGS__, OUTPUT_BF16, false);                                        \
    } while (0)

#endif

/* The last pass over an image: to its place in a batch, as bytes or normalised floats, in
 * one of two layouts. */
#ifndef IMAGE_OUTPUT_H
#define IMAGE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum output_type { OUTPUT_U8, OUTPUT_F32, OUTPUT_F16, OUTPUT_BF16 } output_type;
size_t output_type_bytes(output_type t);

typedef struct image_output {
    output_type type;
    bool planar;              /* C, H, W instead of H, W, C */
    int channels;             /* 3, or 1; a resampler makes 1 of its 3 by output_luma */
    float scale[3], shift[3]; /* float = byte * scale + shift, by one fused multiply-add;
                                 bytes are stored as they are */
    bool stream; /* the consumer reads much later: stores may pass the cache by */
} image_output;

/* Luma of BT.601, rounded: (19595 R + 38470 G + 7471 B + 32768) / 65536. Grey stays what
 * it is. `out` may be `rgb`. */
void output_luma(uint8_t *out, const uint8_t *rgb, size_t pixels);

/* R, G, B bytes into three planes, `stride` bytes apart. */
void output_split(uint8_t *planes, size_t stride, const uint8_t *rgb, size_t pixels);

/* height x width x channels bytes into `out`. Every instruction set gives the same bits.
 * @threads safe */
void output_write(
    const image_output *o, const uint8_t *hwc, int height, int width, void *out);

/* Whole rows moved about: mirrored, shifted, with a fill where nothing comes from, and
 * one rectangle filled afterwards (flip, translate, crop, cutout in one pass). Output
 * pixel (x, y) is source pixel (mirror_x ? w - 1 - (x - dx) : x - dx, the same for y), if
 * that is in the source. */
typedef struct image_placement {
    int width, height;         /* of the source */
    int out_width, out_height; /* of the result */
    bool mirror_x, mirror_y;
    int dx, dy;
    uint8_t fill[3];
    int hole_x, hole_y, hole_width, hole_height; /* in the result; may be empty */
    uint8_t hole_fill[3];
} image_placement;
/* `hwc` with o->channels channels; the result goes through the output. */
void output_place(const image_output *o,
                  const image_placement *p,
                  const uint8_t *hwc,
                  void *out);

#endif

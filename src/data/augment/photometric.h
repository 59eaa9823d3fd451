/* Colours and brightness: what several transforms do to an image, fast and, for each, in
 * plain words. Where Pillow has the operation, the bytes are Pillow's. */
#ifndef DATA_PHOTOMETRIC_H
#define DATA_PHOTOMETRIC_H

#include "data/transform.h"

/* An image's numbers; channels 1 or 3. */
typedef transform_shape photo_shape;

/* Factor 1 leaves the image alone, 0 gives black, the mean grey, or grey. `dst` may be
 * `src`. */
void photo_brightness(uint8_t *dst,
                      const uint8_t *src,
                      const photo_shape *s,
                      double factor);
void photo_contrast(uint8_t *dst,
                    const uint8_t *src,
                    const photo_shape *s,
                    double factor);
void photo_saturation(uint8_t *dst,
                      const uint8_t *src,
                      const photo_shape *s,
                      double factor);
void photo_grayscale(uint8_t *dst, const uint8_t *src, const photo_shape *s);
/* Turns the hue by a share of the whole circle, -0.5 to 0.5. */
void photo_hue(uint8_t *dst, const uint8_t *src, const photo_shape *s, double turn);
/* Values from the threshold on become 255 - v; threshold 0 inverts, 256 does nothing. */
void photo_solarize(uint8_t *dst,
                    const uint8_t *src,
                    const photo_shape *s,
                    int threshold);
void photo_posterize(uint8_t *dst, const uint8_t *src, const photo_shape *s, int bits);
/* By each channel's histogram. */
void photo_autocontrast(uint8_t *dst, const uint8_t *src, const photo_shape *s);
void photo_equalize(uint8_t *dst, const uint8_t *src, const photo_shape *s);
/* Factor 0 is smoothed, 2 sharpened. `dst` must not be `src`. */
void photo_sharpness(uint8_t *dst,
                     const uint8_t *src,
                     const photo_shape *s,
                     double factor);

/* The same in plain words. */
void photo_brightness_reference(uint8_t *dst,
                                const uint8_t *src,
                                const photo_shape *s,
                                double factor);
void photo_contrast_reference(uint8_t *dst,
                              const uint8_t *src,
                              const photo_shape *s,
                              double factor);
void photo_saturation_reference(uint8_t *dst,
                                const uint8_t *src,
                                const photo_shape *s,
                                double factor);
void photo_grayscale_reference(uint8_t *dst, const uint8_t *src, const photo_shape *s);
void photo_hue_reference(uint8_t *dst,
                         const uint8_t *src,
                         const photo_shape *s,
                         double turn);
void photo_solarize_reference(uint8_t *dst,
                              const uint8_t *src,
                              const photo_shape *s,
                              int threshold);
void photo_posterize_reference(uint8_t *dst,
                               const uint8_t *src,
                               const photo_shape *s,
                               int bits);
void photo_autocontrast_reference(uint8_t *dst, const uint8_t *src, const photo_shape *s);
void photo_equalize_reference(uint8_t *dst, const uint8_t *src, const photo_shape *s);
void photo_sharpness_reference(uint8_t *dst,
                               const uint8_t *src,
                               const photo_shape *s,
                               double factor);

size_t photo_bytes(const photo_shape *s);
/* Whether something of probability p happens, by one draw. */
bool photo_happens(rng *r, double p);
/* A factor drawn evenly from max(0, 1 - magnitude) to 1 + magnitude. */
double photo_draw_factor(rng *r, double magnitude);

#endif

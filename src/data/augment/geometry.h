/* Turning, shearing and moving an image by an affine map. Coordinates are continuous: a
 * pixel's middle lies at its number plus a half, the image's at (width / 2, height / 2).
 */
#ifndef DATA_GEOMETRY_H
#define DATA_GEOMETRY_H

#include "data/transform.h"

/* From a place in the result to one in the source: x' = a x + b y + c, y' = d x + e y +
 * f. */
typedef struct geometry_map {
    double a, b, c, d, e, f;
} geometry_map;

/* What happens to the source, in torchvision's terms: turned (clockwise), sheared, scaled
 * about a centre and moved. Angles in degrees. */
typedef struct geometry_motion {
    double degrees, move_x, move_y, scale, shear_x, shear_y;
    double centre_x, centre_y;
} geometry_motion;

geometry_map geometry_map_of(const geometry_motion *m);

typedef enum geometry_filter { GEOMETRY_NEAREST, GEOMETRY_BILINEAR } geometry_filter;
/* Words of a filter argument, in that order. */
extern const char *const geometry_filters[];

/* What lies outside of the source is `fill`. `dst` must not be `src`; channels 1 or 3. */
void geometry_apply(uint8_t *dst,
                    const uint8_t *src,
                    const transform_shape *s,
                    const geometry_map *m,
                    geometry_filter filter,
                    const uint8_t fill[3]);
/* The same in float64. */
void geometry_reference(uint8_t *dst,
                        const uint8_t *src,
                        const transform_shape *s,
                        const geometry_map *m,
                        geometry_filter filter,
                        const uint8_t fill[3]);

#endif

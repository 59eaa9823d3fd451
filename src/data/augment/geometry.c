/* Affine maps, walked along each row in fixed point with 32 bits of fraction. */
#include "data/augment/geometry.h"

#include <math.h>

enum { FRACTION = 32, WEIGHT_BITS = 11 };

const char *const geometry_filters[] = {"nearest", "bilinear", NULL};

static double radians(double degrees) {
    return degrees * (3.14159265358979323846 / 180);
}

/* The inverse of move, centre, turn with shear and scale, centre back: torchvision's
 * _get_inverse_affine_matrix. */
geometry_map geometry_map_of(const geometry_motion *m) {
    double turn = radians(m->degrees), sx = radians(m->shear_x), sy = radians(m->shear_y);
    double a = cos(turn - sy) / cos(sy);
    double b = -cos(turn - sy) * tan(sx) / cos(sy) - sin(turn);
    double c = sin(turn - sy) / cos(sy);
    double d = -sin(turn - sy) * tan(sx) / cos(sy) + cos(turn);
    geometry_map g = {
        .a = d / m->scale, .b = -b / m->scale, .d = -c / m->scale, .e = a / m->scale};
    double x = m->centre_x + m->move_x, y = m->centre_y + m->move_y;
    g.c = m->centre_x - g.a * x - g.b * y;
    g.f = m->centre_y - g.d * x - g.e * y;
    return g;
}

/* Beyond these, coordinates and steps are outside of any image; a row of 65535 steps must
 * not overflow. */
enum { FARTHEST = 1 << 29, LONGEST_STEP = 1 << 13 };

static int64_t fixed(double v, double most) {
    return (int64_t)rint(fmin(fmax(v, -most), most) * 4294967296.0);
}

/* Copies or fills one pixel. */
static inline void put(uint8_t *to, const uint8_t *from, size_t c) {
    for (size_t k = 0; k < c; k++)
        to[k] = from[k];
}

static void nearest_row(uint8_t *to,
                        const uint8_t *src,
                        const transform_shape *s,
                        int64_t x,
                        int64_t y,
                        int64_t dx,
                        int64_t dy,
                        const uint8_t *fill,
                        size_t c) {
    int64_t w = s->width, h = s->height;
    for (int64_t i = 0; i < w; i++, x += dx, y += dy, to += c) {
        int64_t sx = x >> FRACTION, sy = y >> FRACTION;
        bool in = sx >= 0 && sx < w && sy >= 0 && sy < h;
        put(to, in ? src + (size_t)(sy * w + sx) * c : fill, c);
    }
}

/* x and y point to the middle of the pixel at the upper left of four. */
static void bilinear_row(uint8_t *to,
                         const uint8_t *src,
                         const transform_shape *s,
                         int64_t x,
                         int64_t y,
                         int64_t dx,
                         int64_t dy,
                         const uint8_t *fill,
                         size_t c) {
    int64_t w = s->width, h = s->height;
    const uint32_t one = 1u << WEIGHT_BITS, round = 1u << (2 * WEIGHT_BITS - 1);
    for (int64_t i = 0; i < w; i++, x += dx, y += dy, to += c) {
        int64_t sx = x >> FRACTION, sy = y >> FRACTION;
        uint32_t fx = (uint32_t)(x >> (FRACTION - WEIGHT_BITS)) & (one - 1);
        uint32_t fy = (uint32_t)(y >> (FRACTION - WEIGHT_BITS)) & (one - 1);
        bool left = sx >= 0 && sx < w, right = sx >= -1 && sx < w - 1;
        bool above = sy >= 0 && sy < h, below = sy >= -1 && sy < h - 1;
        if (!(left || right) || !(above || below)) {
            put(to, fill, c);
            continue;
        }
        int64_t at = (sy * w + sx) * (int64_t)c, row = w * (int64_t)c;
        const uint8_t *p00 = left && above ? src + at : fill;
        const uint8_t *p01 = right && above ? src + at + (int64_t)c : fill;
        const uint8_t *p10 = left && below ? src + at + row : fill;
        const uint8_t *p11 = right && below ? src + at + row + (int64_t)c : fill;
        for (size_t k = 0; k < c; k++) {
            uint32_t top = p00[k] * (one - fx) + p01[k] * fx;
            uint32_t bottom = p10[k] * (one - fx) + p11[k] * fx;
            to[k] =
                (uint8_t)((top * (one - fy) + bottom * fy + round) >> (2 * WEIGHT_BITS));
        }
    }
}

void geometry_apply(uint8_t *dst,
                    const uint8_t *src,
                    const transform_shape *s,
                    const geometry_map *m,
                    geometry_filter filter,
                    const uint8_t fill[3]) {
    size_t c = (size_t)s->channels, row = (size_t)s->width * c;
    int64_t dx = fixed(m->a, LONGEST_STEP), dy = fixed(m->d, LONGEST_STEP);
    double shift = filter == GEOMETRY_BILINEAR ? 0.5 : 0;
    for (int y = 0; y < s->height; y++, dst += row) {
        double my = y + 0.5;
        int64_t fx = fixed(m->a * 0.5 + m->b * my + m->c - shift, FARTHEST);
        int64_t fy = fixed(m->d * 0.5 + m->e * my + m->f - shift, FARTHEST);
        if (filter == GEOMETRY_NEAREST && c == 3)
            nearest_row(dst, src, s, fx, fy, dx, dy, fill, 3);
        else if (filter == GEOMETRY_NEAREST)
            nearest_row(dst, src, s, fx, fy, dx, dy, fill, c);
        else if (c == 3)
            bilinear_row(dst, src, s, fx, fy, dx, dy, fill, 3);
        else
            bilinear_row(dst, src, s, fx, fy, dx, dy, fill, c);
    }
}

/* ---- reference ---- */

/* A turn by 30 degrees brings pixels exactly onto borders, but for the last bit of its
 * sine; borders belong to the pixel behind them. */
static double without_last_bits(double v) {
    return rint(v * 0x1p28) * 0x1p-28;
}

static double value_at(const uint8_t *src,
                       const transform_shape *s,
                       double x,
                       double y,
                       int k,
                       const uint8_t *fill) {
    if (x < 0 || y < 0 || x >= s->width || y >= s->height)
        return fill[k];
    return src[((size_t)y * (size_t)s->width + (size_t)x) * (size_t)s->channels +
               (size_t)k];
}

void geometry_reference(uint8_t *dst,
                        const uint8_t *src,
                        const transform_shape *s,
                        const geometry_map *m,
                        geometry_filter filter,
                        const uint8_t fill[3]) {
    for (int y = 0; y < s->height; y++)
        for (int x = 0; x < s->width; x++)
            for (int k = 0; k < s->channels; k++, dst++) {
                double sx = m->a * (x + 0.5) + m->b * (y + 0.5) + m->c;
                double sy = m->d * (x + 0.5) + m->e * (y + 0.5) + m->f;
                sx = without_last_bits(sx);
                sy = without_last_bits(sy);
                if (filter == GEOMETRY_NEAREST) {
                    *dst = (uint8_t)value_at(src, s, floor(sx), floor(sy), k, fill);
                    continue;
                }
                double ix = floor(sx - 0.5), iy = floor(sy - 0.5);
                double fx = sx - 0.5 - ix, fy = sy - 0.5 - iy;
                double v = (1 - fx) * (1 - fy) * value_at(src, s, ix, iy, k, fill) +
                           fx * (1 - fy) * value_at(src, s, ix + 1, iy, k, fill) +
                           (1 - fx) * fy * value_at(src, s, ix, iy + 1, k, fill) +
                           fx * fy * value_at(src, s, ix + 1, iy + 1, k, fill);
                *dst = (uint8_t)floor(v + 0.5);
            }
}

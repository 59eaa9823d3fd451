/* Affine maps: the bytes that Pillow gives for the nearest pixel, and what a motion
 * means. */
#include "data/augment/geometry.h"

#include "base/hash.h"
#include "base/testing.h"

#include <math.h>

enum { W = 23, H = 17, BYTES = W * H * 3 };

static const transform_shape shape = {H, W, 3};
static const uint8_t black[3] = {0, 0, 0};

/* Printed by tests/pillow_golden.py, with Pillow 13.0.0. */
static const struct {
    geometry_map map;
    uint32_t crc32c;
} maps[] = {
    {{0.9137, 0.3071, -1.13, -0.2113, 1.1019, 2.31}, 0xf7258cc5},
    {{1, 0.3137, 0, 0, 1, 0}, 0x5c50bb2a},
    {{-1, 0, 23, 0, -1, 17}, 0x01fd9270},
    {{0.4053, -0.0817, 7.5039, 0.0812, 0.378, 3.3488}, 0x1bcf8d81},
};
static const struct {
    double degrees; /* counterclockwise */
    uint32_t crc32c;
} turns[] = {
    {33, 0x2e93fd00},
    {-100, 0xecb0b121},
};

static void picture(uint8_t *src) {
    for (uint32_t i = 0; i < BYTES; i++)
        src[i] = (uint8_t)(20 + (i * UINT32_C(2654435761) >> 13) % 190);
}

static void as_pillow(void **unused) {
    (void)unused;
    uint8_t src[BYTES], dst[BYTES];
    picture(src);
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
        geometry_apply(dst, src, &shape, &maps[i].map, GEOMETRY_NEAREST, black);
        if (hash_crc32c(0, dst, sizeof dst) != maps[i].crc32c)
            fail_msg("map %zu", i);
    }
    for (size_t i = 0; i < sizeof turns / sizeof turns[0]; i++) {
        geometry_motion m = {.degrees = -turns[i].degrees,
                             .scale = 1,
                             .centre_x = W / 2.0,
                             .centre_y = H / 2.0};
        geometry_map map = geometry_map_of(&m);
        geometry_apply(dst, src, &shape, &map, GEOMETRY_NEAREST, black);
        if (hash_crc32c(0, dst, sizeof dst) != turns[i].crc32c)
            fail_msg("turn by %g", turns[i].degrees);
    }
}

/* Where a place in the source goes, by the motion's own words; the map leads back. */
static void maps_lead_back(void **unused) {
    (void)unused;
    rng r = rng_at(3, RNG_TEST, 0, 0);
    for (int i = 0; i < 200; i++) {
        geometry_motion m = {.degrees = 360 * rng_uniform(&r),
                             .move_x = 9 * rng_uniform(&r),
                             .move_y = -9 * rng_uniform(&r),
                             .scale = 0.5 + rng_uniform(&r),
                             .shear_x = 50 * rng_uniform(&r) - 25,
                             .centre_x = 11,
                             .centre_y = 8};
        geometry_map g = geometry_map_of(&m);
        double x = 23 * rng_uniform(&r), y = 17 * rng_uniform(&r);
        double turn = m.degrees * 3.14159265358979323846 / 180;
        double shear = tan(m.shear_x * 3.14159265358979323846 / 180);
        double u = x - 11 - shear * (y - 8), v = y - 8; /* sheared, turned, scaled */
        double to_x = m.scale * (cos(turn) * u - sin(turn) * v) + 11 + m.move_x;
        double to_y = m.scale * (sin(turn) * u + cos(turn) * v) + 8 + m.move_y;
        assert_true(fabs(g.a * to_x + g.b * to_y + g.c - x) < 1e-9);
        assert_true(fabs(g.d * to_x + g.e * to_y + g.f - y) < 1e-9);
    }
}

/* Whole-pixel moves and half turns are exact under both filters. */
static void exact_moves(void **unused) {
    (void)unused;
    uint8_t src[BYTES], dst[BYTES];
    picture(src);
    for (int filter = GEOMETRY_NEAREST; filter <= GEOMETRY_BILINEAR; filter++) {
        const geometry_map same = {1, 0, 0, 0, 1, 0}, move = {1, 0, 3, 0, 1, -2},
                           turn = {-1, 0, W, 0, -1, H};
        geometry_apply(dst, src, &shape, &same, (geometry_filter)filter, black);
        assert_memory_equal(dst, src, BYTES);
        geometry_apply(dst, src, &shape, &move, (geometry_filter)filter, black);
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++) {
                bool in = x + 3 < W && y - 2 >= 0;
                assert_int_equal(dst[(y * W + x) * 3],
                                 in ? src[((y - 2) * W + x + 3) * 3] : 0);
            }
        geometry_apply(dst, src, &shape, &turn, (geometry_filter)filter, black);
        for (int i = 0; i < W * H; i++)
            assert_memory_equal(dst + i * 3, src + (W * H - 1 - i) * 3, 3);
    }
    const geometry_map wild = {1e30, -1e30, 1e300,
                               0,    1e18,  -1e300}; /* nothing overflows */
    geometry_apply(dst, src, &shape, &wild, GEOMETRY_NEAREST, black);
    for (int i = 0; i < BYTES; i++)
        assert_int_equal(dst[i], 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_pillow),
                                       cmocka_unit_test(maps_lead_back),
                                       cmocka_unit_test(exact_moves)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

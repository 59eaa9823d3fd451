/* The last pass of every instruction set against its definition, pixel by pixel, and the
 * rounding to half floats against the format. */
#include "base/rng.h"
#include "base/testing.h"
#include "image/output_kernels.h"

enum { SIDE = 70, GUARD = 64, ROOM = 1100 * 9 * 3 * 4 + 2 * GUARD };

static const output_type types[] = {OUTPUT_U8, OUTPUT_F32, OUTPUT_F16, OUTPUT_BF16};

/* The float nearest to a half float's bits, by the formats' definitions. */
static double half_value(output_type t, uint16_t bits) {
    int exponent_bits = t == OUTPUT_F16 ? 5 : 8, fraction_bits = 15 - exponent_bits;
    int exponent = bits >> fraction_bits & ((1 << exponent_bits) - 1),
        bias = (1 << (exponent_bits - 1)) - 1;
    double fraction = bits & ((1 << fraction_bits) - 1), sign = bits >> 15 ? -1 : 1;
    if (exponent == 0)
        return sign * ldexp(fraction, 1 - bias - fraction_bits);
    return sign * ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
}

/* `bits` is nearest to f: neither neighbour is nearer, and of equally near ones the even
 * is taken. */
static void is_nearest(output_type t, float f, uint16_t bits) {
    double error = fabs(half_value(t, bits) - (double)f);
    for (int step = -1; step <= 1; step += 2) {
        uint16_t other = (uint16_t)(bits + step);
        if (((other ^ bits) & 0x8000) != 0)
            continue; /* beyond zero */
        double there = fabs(half_value(t, other) - (double)f);
        if (there < error || (there == error && (bits & 1)))
            fail_msg("type %d: %a became %04x, but %04x is nearer", (int)t, (double)f,
                     bits, other);
    }
}

static float scale_of(uint64_t k, int c) {
    static const float scales[] = {1 / 58.395f, 1, 1 / 255.0f, 3e-9f};
    return scales[k % 4] * (float)(1 + c);
}

/* One float as a float of `type` and back to an element, through the plain rules. */
static void
expect(const image_output *o, int c, uint8_t byte, const uint8_t *out, size_t at) {
    float f = fmaf((float)byte, o->scale[c], o->shift[c]), got;
    uint16_t half;
    switch (o->type) {
    case OUTPUT_U8:
        assert_int_equal(out[at], byte);
        break;
    case OUTPUT_F32:
        memcpy(&got, out + 4 * at, 4);
        assert_memory_equal(&got, &f, 4);
        break;
    case OUTPUT_F16:
    case OUTPUT_BF16:
        memcpy(&half, out + 2 * at, 2);
        is_nearest(o->type, f, half);
        break;
    }
}

static image_output output_at(uint64_t k) {
    image_output o = {.type = types[k % 4],
                      .planar = k / 4 % 2 != 0,
                      .channels = k / 8 % 2 ? 1 : 3,
                      .stream = k / 16 % 2 != 0};
    for (int c = 0; c < 3; c++) {
        o.scale[c] = scale_of(k / 32, c);
        o.shift[c] = k % 3 ? -1.7f + (float)c : 0;
    }
    return o;
}

/* Element of channel c, pixel (x, y). */
static size_t element(const image_output *o, int width, int height, int x, int y, int c) {
    size_t at = (size_t)y * (size_t)width + (size_t)x;
    if (o->planar)
        return (size_t)c * (size_t)width * (size_t)height + at;
    return at * (size_t)o->channels + (size_t)c;
}

/* What the header says about one pixel's channel. */
static uint8_t
placed(const image_placement *p, const uint8_t *hwc, int channels, int x, int y, int c) {
    if (x >= p->hole_x && x < p->hole_x + p->hole_width && y >= p->hole_y &&
        y < p->hole_y + p->hole_height)
        return p->hole_fill[c];
    int from_x = x - p->dx, from_y = y - p->dy;
    if (from_x < 0 || from_x >= p->width || from_y < 0 || from_y >= p->height)
        return p->fill[c];
    if (p->mirror_x)
        from_x = p->width - 1 - from_x;
    if (p->mirror_y)
        from_y = p->height - 1 - from_y;
    return hwc[(from_y * p->width + from_x) * channels + c];
}

static uint8_t *result; /* with guards, 64-byte aligned */
static uint8_t *source;

static int setup(void **state) {
    (void)state;
    result = aligned_alloc(64, (ROOM + 63) / 64 * 64);
    source = malloc(1100 * 9 * 3);
    if (!result || !source)
        return -1;
    rng r = rng_at(1, RNG_TEST, 0, 0);
    for (int i = 0; i < 1100 * 9 * 3; i++)
        source[i] = (uint8_t)rng_below(&r, 256);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    free(result);
    free(source);
    return 0;
}

static void guards_intact(size_t shift, size_t bytes) {
    for (size_t i = 0; i < GUARD + shift; i++)
        assert_int_equal(result[i], 0xA5);
    for (size_t i = GUARD + shift + bytes; i < ROOM; i++)
        assert_int_equal(result[i], 0xA5);
}

/* An exact copy of the first `n` bytes, so that the sanitizer sees reads beyond them. */
static uint8_t *exactly(size_t n) {
    uint8_t *copy = malloc(n);
    assert_non_null(copy);
    memcpy(copy, source, n);
    return copy;
}

static void place_equals_definition(const output_kernels *k,
                                    const image_output *o,
                                    const image_placement *p,
                                    size_t shift) {
    size_t in_bytes = (size_t)p->width * (size_t)p->height * (size_t)o->channels,
           out_bytes = (size_t)p->out_width * (size_t)p->out_height *
                       (size_t)o->channels * output_type_bytes(o->type);
    uint8_t *hwc = exactly(in_bytes), *out = result + GUARD + shift;
    memset(result, 0xA5, ROOM);
    output_place_by(k, o, p, hwc, out);
    for (int y = 0; y < p->out_height; y++)
        for (int x = 0; x < p->out_width; x++)
            for (int c = 0; c < o->channels; c++)
                expect(o, c, placed(p, hwc, o->channels, x, y, c), out,
                       element(o, p->out_width, p->out_height, x, y, c));
    guards_intact(shift, out_bytes);
    free(hwc);
}

static int number(rng *r, int low, int high) {
    return low + (int)rng_below(r, (uint64_t)(high - low + 1));
}

static image_placement placement_at(rng *r, uint64_t k) {
    static const int sides[][2] = {{32, 32}, {28, 28}, {42, 9}, {43, 9}, {64, 20}};
    image_placement p = {.width = sides[k % 5][0], .height = sides[k % 5][1]};
    if (k % 3 == 0) {
        p.width = number(r, 1, SIDE);
        p.height = number(r, 1, 20);
    }
    bool same = k % 2 == 0;
    p.out_width = same ? p.width : number(r, 1, SIDE);
    p.out_height = same ? p.height : number(r, 1, 20);
    p.mirror_x = rng_below(r, 2) != 0;
    p.mirror_y = rng_below(r, 4) == 0;
    int far = k % 7 == 0 ? 200 : 5;
    p.dx = k % 4 ? number(r, -far, far) : 0;
    p.dy = k % 4 ? number(r, -far, far) : 0;
    for (int c = 0; c < 3; c++) {
        p.fill[c] = (uint8_t)(100 + c);
        p.hole_fill[c] = (uint8_t)(200 + c);
    }
    if (k % 5 < 3) {
        p.hole_x = number(r, -4, p.out_width);
        p.hole_y = number(r, -4, p.out_height);
        p.hole_width = number(r, 0, 12);
        p.hole_height = number(r, 0, 12);
    }
    return p;
}

static void place_of_every_set(void **state) {
    (void)state;
    for (int isa = CPU_NONE; isa <= (int)cpu_detect(); isa++)
        for (uint64_t k = 0; k < 512; k++) {
            rng r = rng_at(2, RNG_TEST, 0, k);
            image_output o = output_at(k);
            image_placement p = placement_at(&r, k);
            place_equals_definition(output_kernels_for((cpu_isa)isa), &o, &p,
                                    k % 3 ? 0 : 4 * rng_below(&r, 8));
        }
}

/* Rows longer than what is put together at a time. */
static void place_of_long_rows(void **state) {
    (void)state;
    for (int isa = CPU_NONE; isa <= (int)cpu_detect(); isa++)
        for (uint64_t k = 0; k < 32; k++) {
            image_output o = output_at(k);
            image_placement p = {.width = 1090,
                                 .height = 3,
                                 .out_width = 1100,
                                 .out_height = 4,
                                 .mirror_x = k % 3 == 0,
                                 .dx = 7,
                                 .dy = 1,
                                 .fill = {1, 2, 3},
                                 .hole_x = 1000,
                                 .hole_y = 2,
                                 .hole_width = 50,
                                 .hole_height = 1,
                                 .hole_fill = {9, 8, 7}};
            place_equals_definition(output_kernels_for((cpu_isa)isa), &o, &p, 0);
        }
}

static void write_of_every_set(void **state) {
    (void)state;
    for (int isa = CPU_NONE; isa <= (int)cpu_detect(); isa++)
        for (uint64_t k = 0; k < 320; k++) {
            rng r = rng_at(3, RNG_TEST, 0, k);
            image_output o = output_at(k);
            int width = number(&r, 1, 150), height = number(&r, 1, 5);
            size_t bytes = (size_t)(width * height * o.channels),
                   shift = k % 3 ? 0 : 4 * rng_below(&r, 8);
            uint8_t *hwc = exactly(bytes), *out = result + GUARD + shift;
            memset(result, 0xA5, ROOM);
            output_write_by(output_kernels_for((cpu_isa)isa), &o, hwc, height, width,
                            out);
            for (int y = 0; y < height; y++)
                for (int x = 0; x < width; x++)
                    for (int c = 0; c < o.channels; c++)
                        expect(&o, c, hwc[(y * width + x) * o.channels + c], out,
                               element(&o, width, height, x, y, c));
            guards_intact(shift, bytes * output_type_bytes(o.type));
            free(hwc);
        }
}

/* All floats of a few exponents that meet ties, subnormals and the range's end, through
 * every set: x = 1 * scale + 0. */
static void halves_round_to_even(void **state) {
    (void)state;
    uint8_t one = 1;
    static const uint32_t starts[] = {0x33000000, 0x337FFFF0, 0x33800000, 0x38700000,
                                      0x387FE000, 0x38800000, 0x3F800000, 0x477FE000,
                                      0x00000000, 0x00800000, 0x7F000000};
    for (int isa = CPU_NONE; isa <= (int)cpu_detect(); isa++)
        for (size_t s = 0; s < sizeof starts / sizeof *starts; s++)
            for (uint32_t step = 0; step < 4096; step++) {
                uint32_t bits = starts[s] + step * (step % 2 ? 1 : 0x800);
                image_output o = {.channels = 1};
                memcpy(&o.scale[0], &bits, 4);
                if (step % 4 > 1)
                    o.scale[0] = -o.scale[0];
                for (int t = 2; t < 4; t++) {
                    uint16_t got, plain;
                    o.type = types[t];
                    if (o.type == OUTPUT_F16 && fabsf(o.scale[0]) >= 65520)
                        continue;
                    if (o.type == OUTPUT_BF16 && bits >= 0x7F7F8000)
                        continue;
                    output_write_by(output_kernels_for((cpu_isa)isa), &o, &one, 1, 1,
                                    &got);
                    output_write_by(output_kernels_for(CPU_NONE), &o, &one, 1, 1, &plain);
                    if (fabsf(o.scale[0]) > 0)
                        is_nearest(o.type, o.scale[0], got);
                    assert_int_equal(got, plain);
                }
            }
    assert_int_equal(output_f16(65520), 0x7C00);
    assert_int_equal(output_f16(-1e30f), 0xFC00);
    assert_int_equal(output_f16(65519.996f), 0x7BFF);
}

static void luma_and_split(void **state) {
    (void)state;
    uint8_t rgb[] = {255, 255, 255, 0, 0, 0, 77, 77, 77, 255, 0, 0, 0, 255, 0, 0, 0, 255};
    uint8_t luma[6], planes[20];
    static const uint8_t want[] = {255, 0, 77, 76, 150, 29};
    output_luma(luma, rgb, 6);
    assert_memory_equal(luma, want, 6);
    memset(planes, 5, sizeof planes);
    output_split(planes, 7, rgb, 6);
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < 6; i++)
            assert_int_equal(planes[7 * c + i], rgb[3 * i + c]);
    assert_int_equal(planes[6], 5);
    output_luma(rgb, rgb, 6);
    assert_memory_equal(rgb, want, 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(place_of_every_set), cmocka_unit_test(place_of_long_rows),
        cmocka_unit_test(write_of_every_set), cmocka_unit_test(halves_round_to_even),
        cmocka_unit_test(luma_and_split),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

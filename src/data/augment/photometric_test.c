/* Colours and brightness: the bytes that Pillow gives, from every instruction set. */
#include "data/augment/photometric.h"

#include "base/hash.h"
#include "base/testing.h"
#include "data/augment/kernels.h"

#include <math.h>

enum { W = 23, H = 17, BYTES = W * H * 3 };

enum {
    BRIGHTNESS,
    CONTRAST,
    SATURATION,
    SHARPNESS,
    SOLARIZE,
    POSTERIZE,
    EQUALIZE,
    AUTOCONTRAST,
    GRAYSCALE
};

/* Printed by tests/pillow_golden.py, with Pillow 13.0.0. */
static const struct {
    int operation;
    double amount;
    uint32_t crc32c;
} golden[] = {
    {BRIGHTNESS, 0, 0xcb7f05d8},   {BRIGHTNESS, 0.6, 0x8eca30c3},
    {BRIGHTNESS, 1.7, 0x36fa3016}, {CONTRAST, 0, 0x59bf663c},
    {CONTRAST, 0.3, 0x27e0b27c},   {CONTRAST, 1.9, 0x71c45f9c},
    {SATURATION, 0.2, 0x51499e56}, {SATURATION, 1, 0xe1ebf18c},
    {SATURATION, 1.6, 0xb65861df}, {SHARPNESS, 0, 0x2873134b},
    {SHARPNESS, 0.4, 0x31a469c2},  {SHARPNESS, 1.8, 0xe811f1a4},
    {SOLARIZE, 100, 0xcb8b9bcc},   {SOLARIZE, 0, 0xdcea98f1},
    {POSTERIZE, 3, 0x2123c5c3},    {EQUALIZE, 0, 0x210af877},
    {AUTOCONTRAST, 0, 0xa868ea98}, {GRAYSCALE, 0, 0x63eaa234},
};

static void as_pillow(void **unused) {
    (void)unused;
    static const photo_shape s = {H, W, 3};
    uint8_t src[BYTES], dst[BYTES];
    for (uint32_t i = 0; i < BYTES; i++)
        src[i] = (uint8_t)(20 + (i * UINT32_C(2654435761) >> 13) % 190);
    for (size_t i = 0; i < sizeof golden / sizeof golden[0]; i++) {
        double amount = golden[i].amount;
        switch (golden[i].operation) {
        case BRIGHTNESS:
            photo_brightness(dst, src, &s, amount);
            break;
        case CONTRAST:
            photo_contrast(dst, src, &s, amount);
            break;
        case SATURATION:
            photo_saturation(dst, src, &s, amount);
            break;
        case SHARPNESS:
            photo_sharpness(dst, src, &s, amount);
            break;
        case SOLARIZE:
            photo_solarize(dst, src, &s, (int)amount);
            break;
        case POSTERIZE:
            photo_posterize(dst, src, &s, (int)amount);
            break;
        case EQUALIZE:
            photo_equalize(dst, src, &s);
            break;
        case AUTOCONTRAST:
            photo_autocontrast(dst, src, &s);
            break;
        default:
            photo_grayscale(dst, src, &s);
        }
        if (hash_crc32c(0, dst, sizeof dst) != golden[i].crc32c)
            fail_msg("operation %d by %g", golden[i].operation, amount);
    }
}

enum { MOST = 300 };

typedef struct inputs {
    uint8_t a[3 * MOST], b[3 * MOST], c[3 * MOST];
    float f[MOST], g[MOST];
    uint16_t h[2][MOST], bf[2][MOST];
} inputs;

/* Everything one set makes of n pixels (or values), behind one another. */
static size_t run_all(const data_kernels *k, const inputs *in, size_t n, uint8_t *out) {
    size_t at = 0;
    k->blend_flat(out, in->a, 3 * n, 1.7f, 99);
    at += 3 * n;
    k->blend(out + at, in->b, in->a, 3 * n, 0.37f);
    at += 3 * n;
    memcpy(out + at, in->a, 3 * n);
    k->saturate(out + at, n, 1.7f);
    at += 3 * n;
    for (int threshold = 0; threshold <= 256; threshold += 64, at += 3 * n)
        k->solarize(out + at, in->a, 3 * n, threshold);
    k->mask(out + at, in->a, 3 * n, 0xe0);
    at += 3 * n;
    for (int turn = 0; turn < 6; turn++, at += 3 * n) {
        memcpy(out + at, in->a, 3 * n);
        k->hue(out + at, n, (float)turn + 0.3f);
    }
    k->merge(out + at, in->b, n);
    at += 3 * n;
    uint32_t total = k->sum(in->a, 3 * n) + 7 * k->luma_sum(in->b, n);
    memcpy(out + at, &total, sizeof total);
    at += sizeof total;
    k->smooth(out + at, in->a, in->b, in->c, n, 3);
    at += n;
    k->to_bytes(out + at, in->f, n);
    at += n;
    memcpy(out + at, in->a, n);
    k->mix_u8(out + at, in->b, n, 0.3f);
    at += n;
    float f[MOST];
    memcpy(f, in->f, sizeof f);
    k->mix_f32(f, in->g, n, 0.3f);
    memcpy(out + at, f, n * 4);
    at += n * 4;
    uint16_t h[MOST];
    memcpy(h, in->h[0], sizeof h);
    k->mix_f16(h, in->h[1], n, 0.3f);
    memcpy(out + at, h, n * 2);
    at += n * 2;
    memcpy(h, in->bf[0], sizeof h);
    k->mix_bf16(h, in->bf[1], n, 0.3f);
    memcpy(out + at, h, n * 2);
    return at + n * 2;
}

static void every_set_gives_the_same(void **unused) {
    (void)unused;
    static inputs in;
    static uint8_t want[64 * MOST], got[64 * MOST];
    rng r = rng_at(4, RNG_TEST, 0, 0);
    for (size_t i = 0; i < 3 * MOST; i++) {
        in.a[i] = (uint8_t)rng_u32(&r);
        in.b[i] = (uint8_t)rng_u32(&r);
        in.c[i] = (uint8_t)rng_u32(&r);
    }
    for (size_t i = 0; i < MOST; i++) {
        in.f[i] = (float)(255 * rng_uniform(&r));
        in.g[i] = (float)rng_normal(&r);
        for (int k = 0; k < 2; k++) {
            /* f16: all exponents but that of the infinite, small ones more often */
            uint32_t bits = rng_u32(&r);
            in.h[k][i] = (uint16_t)(bits & (i % 3 == 0 ? 0x87ff : 0xbbff));
            in.bf[k][i] = (uint16_t)(bits >> 16 & 0xbfff);
        }
    }
    for (size_t n = 0; n <= MOST; n = n < 70 ? n + 1 : n + 115) {
        size_t bytes = run_all(data_kernels_for(CPU_NONE), &in, n, want);
        for (int isa = CPU_AVX2; isa <= (int)cpu_detect(); isa++) {
            assert_int_equal(run_all(data_kernels_for((cpu_isa)isa), &in, n, got), bytes);
            for (size_t i = 0; i < bytes; i++)
                if (got[i] != want[i])
                    fail_msg("set %d, n = %zu, byte %zu of %zu", isa, n, i, bytes);
        }
    }
}

/* Half precision of the plain set, by arithmetic in double. */
static double half(uint16_t v) {
    int exponent = v >> 10 & 31;
    double m = (v & 1023) + (exponent > 0 ? 1024 : 0);
    return (v & 0x8000 ? -1 : 1) * ldexp(m, (exponent > 0 ? exponent : 1) - 25);
}

static void halves(void **unused) {
    (void)unused;
    for (uint32_t v = 0; v < 0x7c00; v++)
        for (uint32_t sign = 0; sign <= 0x8000; sign += 0x8000) {
            uint16_t a = (uint16_t)(v | sign), b = a;
            data_kernels_for(CPU_NONE)->mix_f16(&a, &b, 1, 1);
            if ((a & 0x7fff) == 0 && v == 0)
                continue; /* -0 + 0 is 0 */
            assert_int_equal(a, b);
        }
    rng r = rng_at(4, RNG_TEST, 1, 0);
    for (int i = 0; i < 20000; i++) {
        uint16_t a = (uint16_t)(rng_u32(&r) & (i % 2 ? 0xbbff : 0x83ff));
        uint16_t b = (uint16_t)(rng_u32(&r) & (i % 2 ? 0xbbff : 0x83ff));
        double want = 0.25 * half(a) + 0.75 * half(b), step;
        uint16_t c = a;
        data_kernels_for(CPU_NONE)->mix_f16(&c, &b, 1, 0.25f);
        step = ldexp(1, (c >> 10 & 31) > 0 ? (c >> 10 & 31) - 25 : -24);
        assert_true(fabs(half(c) - want) <= 0.5001 * step);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_pillow),
                                       cmocka_unit_test(every_set_gives_the_same),
                                       cmocka_unit_test(halves)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Every instruction set's kernels give what plain C gives, bit for bit, within the slack
 * that is theirs; and plain C's transform is a transform. */
#include "base/rng.h"
#include "base/testing.h"
#include "image/jpeg/kernels.h"

#include <math.h>

enum { ROUNDS = 300, MOST = 150, AROUND = 64 };

static const jpg_kernels *kernels_at(int isa) {
    const jpg_kernels *k = jpg_kernels_for((cpu_isa)isa);
    assert_non_null(k);
    return k;
}

static int highest(void) {
    return (int)cpu_detect();
}

/* Coefficients as files have them (few, small), or anything at all. */
static void fill_quads(rng *r, int16_t *coefs, int n, bool anything) {
    for (int i = 0; i < n; i++) {
        bool set = rng_below(r, anything ? 3 : 12) == 0;
        coefs[i] = set ? (int16_t)(anything ? rng_u32(r) : rng_below(r, 64) - 32) : 0;
        if (i % 8 == 0 && i / 8 % 32 < 4 && rng_below(r, 2))
            coefs[i] = (int16_t)(rng_below(r, 2048) - 1024);
    }
}

static void idct(void **state) {
    (void)state;
    enum { QUADS = 3, STRIDE = 32 * QUADS, COEFS = QUADS * JPG_QUAD };
    _Alignas(64) int16_t given[COEFS], coefs[COEFS], quant[JPG_BLOCK];
    uint8_t want[8 * STRIDE], got[8 * STRIDE];
    rng r = rng_at(1, RNG_TEST, 0, 0);
    for (int round = 0; round < ROUNDS; round++) {
        bool anything = round % 3 == 0;
        fill_quads(&r, given, COEFS, anything);
        if (round % 7 == 0) /* blocks of DC alone */
            for (int i = 0; i < COEFS; i++)
                given[i] = i % 256 / 8 < 4 && i % 8 == 0 ? (int16_t)rng_u32(&r) : 0;
        for (int i = 0; i < JPG_BLOCK; i++)
            quant[i] = (int16_t)rng_below(&r, anything ? 32768 : 40);
        memcpy(coefs, given, sizeof given);
        kernels_at(0)->idct(coefs, quant, want, STRIDE, QUADS);
        for (int isa = 1; isa <= highest(); isa++) {
            memcpy(coefs, given, sizeof given);
            kernels_at(isa)->idct(coefs, quant, got, STRIDE, QUADS);
            assert_memory_equal(got, want, sizeof want);
            for (int i = 0; i < COEFS; i++)
                assert_int_equal(coefs[i], 0);
        }
    }
}

/* Against the definition, in doubles: never off by more than one. */
static void idct_is_a_cosine_transform(void **state) {
    (void)state;
    _Alignas(64) int16_t coefs[JPG_QUAD] = {0}, quant[JPG_BLOCK];
    uint8_t got[8 * 32];
    double c[8][8], pi = acos(-1);
    rng r = rng_at(2, RNG_TEST, 0, 0);
    for (int k = 0; k < 8; k++)
        for (int x = 0; x < 8; x++)
            c[k][x] = cos((2 * x + 1) * k * pi / 16) * (k ? .5 : sqrt(.125));
    for (int round = 0; round < 50; round++) {
        int16_t block[8][8];
        for (int i = 0; i < 64; i++) {
            quant[i] = (int16_t)(1 + rng_below(&r, 9));
            block[i / 8][i % 8] = (int16_t)(rng_below(&r, 21) - 10);
            coefs[i / 8 * 32 + i % 8] = block[i / 8][i % 8];
        }
        kernels_at(0)->idct(coefs, quant, got, 32, 1);
        for (int y = 0; y < 8; y++)
            for (int x = 0; x < 8; x++) {
                double sum = 128;
                for (int i = 0; i < 64; i++)
                    sum += block[i / 8][i % 8] * quant[i] * c[i / 8][y] * c[i % 8][x];
                sum = sum < 0 ? 0 : sum > 255 ? 255 : sum;
                assert_true(fabs(sum - got[y * 32 + x]) <= 1);
            }
    }
}

/* n bytes, every FF followed by a 0, or a marker somewhere. */
static void fill_stuffed(rng *r, uint8_t *p, size_t n, bool marker) {
    for (size_t i = 0; i < n; i++) {
        p[i] = rng_below(r, 9) == 0 ? 0xFF : (uint8_t)rng_u32(r);
        if (i > 0 && p[i - 1] == 0xFF)
            p[i] = 0;
    }
    if (marker && n > 1) {
        size_t at = rng_below(r, n - 1);
        p[at] = 0xFF;
        p[at + 1] = 0xD9;
    }
}

static void unstuff(void **state) {
    (void)state;
    enum { ROOM = 400 + JPG_PADDING + JPG_UNSTUFF_SLACK };
    rng r = rng_at(3, RNG_TEST, 0, 0);
    for (int round = 0; round < 4 * ROUNDS; round++) {
        size_t n = rng_below(&r, 400);
        const uint8_t *stop, *stopped;
        uint8_t *from = malloc(n ? n : 1), *want = malloc(ROOM), *got = malloc(ROOM);
        assert_true(from && want && got);
        fill_stuffed(&r, from, n, round % 2);
        size_t bytes = kernels_at(0)->unstuff(want, from, from + n, &stop);
        if (round % 2 == 0)
            assert_ptr_equal(stop, from + n);
        for (int isa = 1; isa <= highest(); isa++) {
            assert_int_equal(kernels_at(isa)->unstuff(got, from, from + n, &stopped),
                             bytes);
            assert_ptr_equal(stopped, stop);
            assert_memory_equal(got, want, bytes + JPG_PADDING);
        }
        free(from);
        free(want);
        free(got);
    }
}

typedef struct rows {
    uint8_t a[MOST + 2 * AROUND], b[MOST + 2 * AROUND], y[MOST + 2 * AROUND];
    uint16_t s[2][MOST + 2 * AROUND];
} rows;

static void fill_rows(rng *r, rows *p) {
    for (int i = 0; i < MOST + 2 * AROUND; i++) {
        bool extreme = rng_below(r, 3) == 0;
        p->a[i] = (uint8_t)(extreme ? 255 * rng_below(r, 2) : rng_u32(r));
        p->b[i] = (uint8_t)(extreme ? 255 * rng_below(r, 2) : rng_u32(r));
        p->y[i] = (uint8_t)(extreme ? 255 * rng_below(r, 2) : rng_u32(r));
        p->s[0][i] = (uint16_t)rng_below(r, 1021); /* 4 x 255 + 1 */
        p->s[1][i] = (uint16_t)rng_below(r, 1021);
    }
}

static void blending(void **state) {
    (void)state;
    rows p;
    uint16_t sums[2][MOST + AROUND];
    uint8_t bytes[2][MOST + AROUND];
    rng r = rng_at(4, RNG_TEST, 0, 0);
    for (int round = 0; round < ROUNDS; round++) {
        int n = 1 + (int)rng_below(&r, MOST), bias = 1 + round % 2;
        fill_rows(&r, &p);
        kernels_at(0)->blend_rows(sums[0], p.a, p.b, n);
        kernels_at(0)->blend_rows_u8(bytes[0], p.a, p.b, n, bias);
        for (int isa = 1; isa <= highest(); isa++) {
            kernels_at(isa)->blend_rows(sums[1], p.a, p.b, n);
            kernels_at(isa)->blend_rows_u8(bytes[1], p.a, p.b, n, bias);
            assert_memory_equal(sums[1], sums[0], (size_t)n * sizeof **sums);
            assert_memory_equal(bytes[1], bytes[0], (size_t)n);
        }
    }
}

static void color_row(const jpg_kernels *k,
                      uint8_t out[3][MOST + AROUND],
                      const rows *p,
                      int n,
                      int shift) {
    uint8_t *const rgb[3] = {out[0], out[1], out[2]};
    if (shift)
        k->color_h2(rgb, p->y, p->s[0] + AROUND, p->s[1] + AROUND, n, shift);
    else
        k->color_h1(rgb, p->y, p->a, p->b, n);
}

static void color(void **state) {
    (void)state;
    static const int shifts[] = {0, 2, 4};
    uint8_t want[3][MOST + AROUND], got[3][MOST + AROUND];
    rows p;
    rng r = rng_at(5, RNG_TEST, 0, 0);
    for (int round = 0; round < 3 * ROUNDS; round++) {
        int n = 1 + (int)rng_below(&r, MOST), shift = shifts[round % 3];
        fill_rows(&r, &p);
        for (int i = 0; shift == 2 && i < MOST + 2 * AROUND; i++) {
            p.s[0][i] &= 255;
            p.s[1][i] &= 255;
        }
        color_row(kernels_at(0), want, &p, n, shift);
        for (int isa = 1; isa <= highest(); isa++) {
            color_row(kernels_at(isa), got, &p, n, shift);
            for (int c = 0; c < 3; c++)
                assert_memory_equal(got[c], want[c], (size_t)n);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idct),    cmocka_unit_test(idct_is_a_cosine_transform),
        cmocka_unit_test(unstuff), cmocka_unit_test(blending),
        cmocka_unit_test(color),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Resizing against the definition, in whole numbers, for many sizes. */
#include "base/rng.h"
#include "base/testing.h"
#include "image/image.h"

/* Weight of input i for output o, by the definition: the overlap of two boxes on a common
 * ruler when shrinking, a triangle of width one around the input when growing. */
static int64_t weight(int64_t n, int64_t m, int64_t o, int64_t i) {
    if (m < n) {
        int64_t low = o * n > i * m ? o * n : i * m;
        int64_t high = (o + 1) * n < (i + 1) * m ? (o + 1) * n : (i + 1) * m;
        return high > low ? high - low : 0;
    }
    /* centre of o in units of 1 / (2 m), clamped to the outermost centres */
    int64_t c = (2 * o + 1) * n - m, last = 2 * m * (n - 1);
    c = c < 0 ? 0 : c > last ? last : c;
    int64_t d = c - 2 * m * i;
    d = d < 0 ? -d : d;
    return d < 2 * m ? 2 * m - d : 0;
}

static uint8_t reference(const uint8_t *src,
                         int sw,
                         int sh,
                         int channels,
                         int dw,
                         int dh,
                         int x,
                         int y,
                         int c) {
    int64_t sum = 0, total = 0;
    for (int j = 0; j < sh; j++) {
        int64_t v = weight(sh, dh, y, j);
        for (int i = 0; i < sw && v; i++) {
            int64_t w = v * weight(sw, dw, x, i);
            sum += w * src[(j * sw + i) * channels + c];
            total += w;
        }
    }
    return (uint8_t)((2 * sum + total) / (2 * total));
}

static void equals_definition(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    static uint8_t src[40 * 40 * 4], dst[40 * 40 * 4];
    for (uint64_t k = 0; k < 120; k++) {
        rng r = rng_at(5, RNG_TEST, 0, k);
        int most = k < 60 ? 12 : 40;
        int sw = 1 + (int)rng_below(&r, (uint64_t)most),
            sh = 1 + (int)rng_below(&r, (uint64_t)most);
        int dw = 1 + (int)rng_below(&r, (uint64_t)most),
            dh = 1 + (int)rng_below(&r, (uint64_t)most);
        int channels = 1 + (int)(k % 4);
        for (int i = 0; i < sw * sh * channels; i++)
            src[i] = (uint8_t)(k % 3 ? rng_below(&r, 256) : rng_below(&r, 2) * 255);
        assert_ok(image_resize(ctx, src, sw, sh, channels, dst, dw, dh));
        for (int y = 0; y < dh; y++)
            for (int x = 0; x < dw; x++)
                for (int c = 0; c < channels; c++) {
                    int want = reference(src, sw, sh, channels, dw, dh, x, y, c);
                    int got = dst[(y * dw + x) * channels + c];
                    if (want != got)
                        fail_msg("%dx%d to %dx%d at %d,%d: want %d, got %d", sw, sh, dw,
                                 dh, x, y, want, got);
                }
    }
    assay_ctx_destroy(ctx);
}

static void corners(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    uint8_t one[3] = {9, 100, 255}, many[5 * 4 * 3], back[3], four[4] = {0, 0, 255, 255},
            mean;
    assert_ok(image_resize(ctx, one, 1, 1, 3, many, 5, 4));
    for (int i = 0; i < 20; i++)
        assert_memory_equal(many + 3 * i, one, 3);
    assert_ok(image_resize(ctx, many, 5, 4, 3, back, 1, 1));
    assert_memory_equal(back, one, 3);
    assert_ok(image_resize(ctx, four, 2, 2, 1, &mean, 1, 1));
    assert_int_equal(mean, 128); /* 127.5, to the nearest above */
    assert_fails(ASSAY_E_SHAPE, image_resize(ctx, one, 1, 1, 3, many, 0, 4));
    assert_fails(ASSAY_E_SHAPE, image_resize(ctx, one, 1, 1, 5, many, 1, 1));
    assert_fails(ASSAY_E_SHAPE, image_resize(ctx, one, 70000, 1, 3, many, 1, 1));
    /* the longest side there is keeps its mean */
    static uint8_t line[65535];
    memset(line, 255, sizeof line);
    assert_ok(image_resize(ctx, line, 1, 65535, 1, back, 1, 3));
    assert_int_equal(back[0], 255);
    assert_ok(image_resize(ctx, line, 65535, 1, 1, back, 2, 1));
    assert_int_equal(back[1], 255);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_definition),
        cmocka_unit_test(corners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

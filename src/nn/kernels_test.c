/* Every version of the kernels against the plain one: the same bits, or nearly so for
 * products. */
#include "nn/kernels.h"

#include "base/cpu.h"
#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SPACE = 6000, MOST_C = 40 };

/* What one version makes of one set of inputs. */
typedef struct results {
    float y[SPACE], won_x[SPACE], d_x[SPACE], pooled[SPACE], back[SPACE], product[SPACE];
    float row[MOST_C];
    float tail[2][2][40 * MOST_C], d_other[2][2][40 * MOST_C], through[2][2][40 * MOST_C];
    uint8_t mask[40 * MOST_C];
    double sum[4 * MOST_C], loss[8];
    uint8_t won[SPACE];
    uint16_t halves[SPACE];
    uint8_t tap[SPACE];
} results;

typedef struct inputs {
    float a[SPACE], b[SPACE], channel[6][MOST_C];
    uint16_t half_a[SPACE], half_b[SPACE]; /* the same in bf16 */
} inputs;

static uint16_t half_of(float v) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return (uint16_t)(bits >> 16);
}

static void fill(inputs *in, uint64_t sample) {
    rng r = rng_at(9, RNG_TEST, 0, sample);
    for (size_t i = 0; i < SPACE; i++) {
        in->a[i] = (float)rng_normal(&r);
        in->b[i] = (float)rng_normal(&r);
        in->half_a[i] = half_of(in->a[i]);
        in->half_b[i] = half_of(in->b[i]);
    }
    for (size_t k = 0; k < 6; k++)
        for (size_t i = 0; i < MOST_C; i++)
            in->channel[k][i] = 0.1f + (float)rng_uniform(&r);
}

static void run(const nn_kernels *k,
                bool x_half,
                bool y_half,
                const inputs *in,
                int64_t c,
                results *out) {
    const image_kernels *i = k->image[x_half][y_half];
    const void *x = x_half ? (const void *)in->half_a : in->a;
    const void *d_y = y_half ? (const void *)in->half_b : in->b;
    memset(out, 0, sizeof *out);
    nn_window g = {.c = c,
                   .h = 7,
                   .w = 9,
                   .oh = 3,
                   .ow = 4,
                   .kh = 2,
                   .kw = 2,
                   .stride = {2, 2},
                   .dilation = {1, 1}};
    nn_window lap = {.c = c,
                     .h = 7,
                     .w = 9,
                     .oh = 4,
                     .ow = 5,
                     .kh = 3,
                     .kw = 3,
                     .stride = {2, 2},
                     .pad = {1, 1, 1, 1},
                     .dilation = {1, 1}};
    size_t n = 2, rows = n * 63, pooled = n * 12, cc = (size_t)c;
    bn_affine a = {in->channel[0], in->channel[1], in->channel[2], in->channel[3]};
    const float *s0 = in->channel[4], *s1 = in->channel[5];
    i->moments(out->sum, out->sum + cc, x, 0, rows / 2, cc);
    i->moments(out->sum, out->sum + cc,
               (const uint8_t *)x + rows / 2 * cc * (x_half ? 2 : 4), rows / 2,
               rows - rows / 2, cc);
    bn_tail tail = {.relu = true};
    i->bn(out->y, x, &a, &tail, rows, cc);
    i->bn_relu_pool(out->pooled, out->won_x, out->won, x, &a, &g, n);
    i->bn_back_sums(out->sum + 2 * cc, d_y, out->won_x, out->won, &a, &tail, pooled, cc);
    i->bn_back_pool(out->d_x, d_y, x, out->won, &a, s0, s1, &g, n);
    i->bn_back(out->back, d_y, x, &a, s0, s1, &tail, rows, cc);
    i->sum_rows(out->row, x, rows, cc);
    k->add_row(out->y, in->channel[0], rows, cc);
    k->add(out->row, in->channel[2], in->channel[3], cc);
    k->relu(out->y + 100, in->a, 77);
    k->relu_back(out->y + 200, in->b, in->a, 77);
    i->spread_row(out->y + 300, in->channel[1], 0.3f, 5, cc);
    /* The ends of residual blocks. */
    for (int other_half = 0; other_half < 2; other_half++) {
        const void *other = other_half ? (const void *)in->half_b : in->b;
        for (int order = 0; order < 2; order++) {
            memset(out->mask, 0, sizeof out->mask);
            bn_tail t = {.relu = true,
                         .relu_first = order,
                         .other_half = other_half,
                         .other = other,
                         .mask = order ? NULL : out->mask};
            float *y = out->tail[other_half][order];
            i->bn(y, x, &a, &t, 40, cc);
            t.other = NULL;
            t.d_other = out->d_other[other_half][order];
            i->bn_back_sums(out->sum + 2 * cc, d_y, x, NULL, &a, &t, 40, cc);
            i->bn_back(out->through[other_half][order], d_y, x, &a, s0, s1, &t, 40, cc);
        }
    }
    i->max_pool(out->pooled + pooled * cc, out->tap, x, &lap, 1, false);
    i->max_pool_back(out->y, d_y, out->tap, &lap, 1);
    i->max_pool(out->tail, out->mask, x, &lap, 1, true);
    k->relu_half(out->halves, in->half_a, 77);
    k->relu_back_half(out->halves + 77, in->half_b, in->half_a, 77);
    k->add_half(out->halves + 154, in->half_a, in->half_b, 77);
    k->narrow(out->halves + 231, in->a, 77);
    k->widen(out->d_x, in->half_a, 77);
    k->unfold(out->product, in->a, &lap, 3, 4, (9 * cc + 15) / 16 * 16);
    k->turn_taps(out->back, in->a, 9, cc);
    for (size_t r = 0; r < 4; r++) {
        float most;
        out->loss[2 * r] = k->exp_sum(&most, in->a + r * cc, cc, r % 2 ? 0 : -1);
        out->loss[2 * r + 1] = (double)most;
        k->exp_scaled(out->d_x + r * cc, in->a + r * cc, cc, 0.5f, 0.1f, 0.01f);
    }
}

/* The exponential against the library's, over everything that does not overflow. */
static void exponentials_are_near(void **state) {
    (void)state;
    enum { N = 4000 };
    float x[N], y[N];
    for (int i = 0; i < N; i++)
        x[i] = -110.0f + 198.5f * (float)i / N;
    nn_kernels_c.exp_scaled(y, x, N, 0.0f, 1.0f, 0.0f);
    for (int i = 0; i < N; i++) {
        double want = exp((double)x[i]);
        assert_true(fabs((double)y[i] - want) <= 2.5e-7 * want + 1.5e-45);
    }
    float odd[3] = {-INFINITY, 89.5f, NAN}, to[3];
    nn_kernels_c.exp_scaled(to, odd, 3, 0.0f, 1.0f, 0.0f);
    assert_true(to[0] == 0 && isinf(to[1]) && isnan(to[2]));
}

/* The kernels that may fuse a multiplication with an addition. */
static void run_products(const nn_kernels *k, const inputs *in, int64_t o, float *out) {
    direct_conv d;
    nn_window g = {.c = 2,
                   .h = 7,
                   .w = 9,
                   .oh = 7,
                   .ow = 9,
                   .kh = 3,
                   .kw = 3,
                   .stride = {1, 1},
                   .pad = {1, 1, 1, 1},
                   .dilation = {1, 1}};
    memset(out, 0, SPACE * sizeof *out);
    assert_true(direct_make(&d, &g, o));
    assert_true(d.out_floats + d.packed_floats + 40 * 32 <= SPACE);
    k->direct(out, in->a, in->b, NULL, &d);
    k->direct_weights(out + d.out_floats, in->a, in->b, &d);
    k->outer_sum(out + d.out_floats + d.packed_floats, in->a, in->b, 50, 19, 27, 32,
                 false);
}

/* Results so large that they are written past the cache. */
static void compare_large(const nn_kernels *k) {
    enum { C = 32, ROWS = (1 << 20) / 64 + 70, N = C * ROWS };
    static uint16_t x[N];
    static float f[N];
    float channel[4][C];
    rng r = rng_at(9, RNG_TEST, 1, 0);
    for (size_t i = 0; i < N; i++)
        x[i] = half_of(f[i] = (float)rng_normal(&r));
    for (size_t i = 0; i < 4 * (size_t)C; i++)
        channel[i / C][i % C] = 0.1f + (float)rng_uniform(&r);
    bn_affine a = {channel[0], channel[1], channel[2], channel[3]};
    bn_tail t = {.relu = true};
    for (int half = 0; half < 2; half++) {
        size_t bytes = N * (half ? 2 : 4);
        const void *from = half ? (const void *)x : f;
        uint8_t *y[2];
        for (int i = 0; i < 2; i++) {
            const image_kernels *image = (i ? k : &nn_kernels_c)->image[half][half];
            y[i] = aligned_alloc(64, 2 * bytes);
            assert_non_null(y[i]);
            image->bn(y[i], from, &a, &t, ROWS, C);
            image->bn_back(y[i] + bytes, from, from, &a, channel[0], channel[1], &t, ROWS,
                           C);
        }
        assert_memory_equal(y[0], y[1], 2 * bytes);
        free(y[0]);
        free(y[1]);
    }
}

static void compare(const nn_kernels *k) {
    static inputs in;
    static results plain, other;
    static float p[SPACE], q[SPACE];
    const int64_t channels[] = {1, 3, 16, 19, 32, 40};
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
        fill(&in, i);
        for (int types = 0; types < 4; types++) {
            run(&nn_kernels_c, types & 1, types >> 1, &in, channels[i], &plain);
            run(k, types & 1, types >> 1, &in, channels[i], &other);
            assert_memory_equal(&plain, &other, sizeof plain);
        }
        run_products(&nn_kernels_c, &in, channels[i], p);
        run_products(k, &in, channels[i], q);
        for (size_t j = 0; j < SPACE; j++)
            assert_true(fabsf(p[j] - q[j]) <= 1e-4f * (1 + fabsf(p[j])));
    }
}

static void versions_agree(void **state) {
    (void)state;
    cpu_isa isa = cpu_detect();
#if defined(__x86_64__)
    if (isa >= CPU_AVX2)
        compare(&nn_kernels_avx2), compare_large(&nn_kernels_avx2);
    if (isa >= CPU_AVX512)
        compare(&nn_kernels_avx512), compare_large(&nn_kernels_avx512);
#endif
    if (isa == CPU_NONE)
        print_message("only the plain kernels run here\n");
    assert_non_null(nn_kernels_get()->name);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(versions_agree),
                                       cmocka_unit_test(exponentials_are_near)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

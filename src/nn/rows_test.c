/* Every version of the kernels over rows against the plain one, bit by bit; what they
 * compute is compared with float64 by the walk over the ops. */
#include "nn/rows.h"

#include "base/cpu.h"
#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { SPACE = 1200, ROWS = 5 };

typedef struct results {
    float y[SPACE], d[SPACE], bend[SPACE], gain[SPACE], bias[SPACE];
    row_stat stat[SPACE];
} results;

static float x[SPACE], d_y[SPACE], gain[SPACE], bias[SPACE];
static uint16_t half_x[SPACE], half_d[SPACE];

static void fill(uint64_t sample) {
    rng r = rng_at(11, RNG_TEST, 0, sample);
    for (size_t i = 0; i < SPACE; i++) {
        x[i] = 3 * (float)rng_normal(&r);
        d_y[i] = (float)rng_normal(&r);
        gain[i] = (float)rng_normal(&r);
        bias[i] = (float)rng_normal(&r);
        half_x[i] = (uint16_t)(0x3f00 + rng_below(&r, 256) + (rng_below(&r, 2) << 15));
        half_d[i] = (uint16_t)(0x3e00 + rng_below(&r, 256) + (rng_below(&r, 2) << 15));
    }
}

/* All that one version makes of rows of c; `kind` picks what, `half` where bf16 lies. */
static void run(const row_kernels *k, int kind, int half, size_t c, results *out) {
    memset(out, 0, sizeof *out);
    row_values in = {half & 1 ? (void *)half_x : x, half & 1};
    row_values d = {half & 2 ? (void *)half_d : d_y, half & 2};
    row_values y = {out->y, half & 2}, d_x = {out->d, half & 1};
    row_norm g = {ROWS, c, 1e-5f, kind == 6, gain, kind == 6 ? bias : NULL};
    if (kind <= ACT_SILU) {
        k->act(y, in, ROWS * c, (row_act)kind);
        k->act_back(d_x, d, in, ROWS * c, (row_act)kind);
        k->act_bend(out->bend, d_y, gain, x, ROWS * c, (row_act)kind);
    } else if (kind <= 6) {
        k->norm(y, out->stat, in, &g);
        k->norm_back(d_x, out->gain, out->bias, d, in, out->stat, &g);
    } else {
        size_t inner = kind <= 8 ? 1 : c;
        size_t middle = kind <= 8 ? c : 3;
        k->softmax(y, in, ROWS - 2, middle, inner, kind & 1);
        k->softmax_back(d_x, d, y, ROWS - 2, middle, inner, kind & 1);
    }
}

static void compare(const row_kernels *k) {
    static results plain, other;
    const size_t width[] = {1, 3, 16, 31, 40, 128};
    for (size_t i = 0; i < sizeof width / sizeof *width; i++) {
        fill(i);
        for (int kind = 0; kind <= 10; kind++)
            for (int half = 0; half < 4; half++) {
                run(&row_kernels_c, kind, half, width[i], &plain);
                run(k, kind, half, width[i], &other);
                if (memcmp(&plain, &other, sizeof plain) != 0)
                    fail_msg("%s differs: kind %d, halves %d, width %zu", k->name, kind,
                             half, width[i]);
            }
    }
}

static void versions_agree(void **state) {
    (void)state;
    cpu_isa isa = cpu_detect();
#if defined(__x86_64__)
    if (isa >= CPU_AVX2)
        compare(&row_kernels_avx2);
    if (isa >= CPU_AVX512)
        compare(&row_kernels_avx512);
#endif
    if (isa == CPU_NONE)
        print_message("only the plain kernels run here\n");
    assert_non_null(row_kernels_get()->name);
}

/* GELU against the library's erfc, relative to what x alone would give. */
static void gelu_is_near(void **state) {
    (void)state;
    enum { N = 1000 };
    float in[N], y[N];
    for (int i = 0; i < N; i++)
        in[i] = -12.0f + 24.0f * (float)i / N;
    row_kernels_c.act((row_values){y, false}, (row_values){in, false}, N, ACT_GELU);
    for (int i = 0; i < N; i++) {
        double v = (double)in[i], want = v * 0.5 * erfc(-v / sqrt(2));
        assert_true(fabs((double)y[i] - want) <= 3e-7 * fabs(v));
    }
}

static void not_a_number_passes(void **state) {
    (void)state;
    for (int act = ACT_NONE; act <= ACT_SILU; act++) {
        float in[2] = {NAN, INFINITY}, y[2];
        row_kernels_get()->act((row_values){y, false}, (row_values){in, false}, 2,
                               (row_act)act);
        assert_true(isnan(y[0]));
        assert_true(isinf(y[1]));
    }
    float in[20] = {0}, y[20];
    row_stat stat[1];
    const row_norm g = {1, 20, 1e-5f, true, NULL, NULL};
    in[17] = NAN;
    row_kernels_get()->softmax((row_values){y, false}, (row_values){in, false}, 1, 20, 1,
                               false);
    assert_true(isnan(y[0]) && isnan(y[17]) && isnan(y[19]));
    row_kernels_get()->norm((row_values){y, false}, stat, (row_values){in, false}, &g);
    assert_true(isnan(y[0]) && isnan(y[17]) && isnan(y[19]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_agree),
        cmocka_unit_test(gelu_is_near),
        cmocka_unit_test(not_a_number_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Every version of the activations against the plain one: the same bits; and the ends of
 * the number line, where the exponential leaves the floats. */
#include "nn/pointwise.h"

#include "base/cpu.h"
#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { N = 1003 };

static const float numbers[POINTWISE_NUMBERS] = {0.4f, 0.7f, 1.1f};

static void fill(float *x, uint64_t sample, float wide) {
    rng r = rng_at(3, RNG_TEST, 0, sample);
    for (int i = 0; i < N; i++)
        x[i] = wide * (float)rng_normal(&r);
    x[0] = 0;
    x[1] = -0.0f;
}

static void same_as_plain(const pointwise_kernels *k) {
    static float x[N], d_y[N], want[N], got[N];
    for (int kind = 0; kind < POINTWISE_KINDS; kind++)
        for (uint64_t s = 0; s < 3; s++) {
            fill(x, s, s ? 1.5f : 60);
            fill(d_y, s + 9, 1);
            pointwise_kernels_c.of[kind].forward(want, x, N, numbers);
            k->of[kind].forward(got, x, N, numbers);
            assert_memory_equal(got, want, sizeof got);
            pointwise_kernels_c.of[kind].backward(want, d_y, x, N, numbers);
            k->of[kind].backward(got, d_y, x, N, numbers);
            assert_memory_equal(got, want, sizeof got);
        }
}

static void all_sets_give_the_same_bits(void **state) {
    (void)state;
#if defined(__x86_64__)
    if (cpu_detect() >= CPU_AVX2)
        same_as_plain(&pointwise_kernels_avx2);
    if (cpu_detect() >= CPU_AVX512)
        same_as_plain(&pointwise_kernels_avx512);
#endif
    same_as_plain(pointwise_kernels_get());
}

static void far_numbers_stay_finite(void **state) {
    (void)state;
    static const float x[] = {-1e30f, -200, -90, 90, 200, 1e30f};
    static const float one[] = {1, 1, 1, 1, 1, 1};
    enum { COUNT = sizeof x / sizeof *x };
    float y[COUNT], d[COUNT];
    for (int kind = 0; kind < POINTWISE_KINDS; kind++) {
        pointwise_kernels_get()->of[kind].forward(y, x, COUNT, numbers);
        pointwise_kernels_get()->of[kind].backward(d, one, x, COUNT, numbers);
        for (int i = 0; i < COUNT; i++)
            assert_true(isfinite(y[i]) && isfinite(d[i]));
    }
    const pointwise_kernels *k = pointwise_kernels_get();
    k->of[POINTWISE_SOFTPLUS].forward(y, x, COUNT, numbers);
    assert_true(y[0] == 0 && y[5] == x[5]);
    k->of[POINTWISE_MISH].forward(y, x, COUNT, numbers);
    assert_true(fabsf(y[0]) == 0 && y[5] == x[5]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sets_give_the_same_bits),
        cmocka_unit_test(far_numbers_stay_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Every version of the elementwise kernels against the plain one: the same bits. And what
 * cases cannot show: integers at their ends, division by zero, ties, numbers of 16 bits.
 */
#include "nn/elementwise.h"

#include "base/cpu.h"
#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { N = 1003 };

static void fill(float *x, uint64_t sample, float wide) {
    rng r = rng_at(3, RNG_TEST, 0, sample);
    for (int i = 0; i < N; i++)
        x[i] = wide * (float)rng_normal(&r);
    x[0] = 0;
    x[1] = -0.0f;
}

static void same_as_plain(const elementwise_kernels *k) {
    static float a[N], b[N], d[N], want[N], got[N], want_b[N], got_b[N];
    const elementwise_kernels *plain = &elementwise_kernels_c;
    fill(d, 9, 1);
    for (uint64_t s = 0; s < 3; s++) {
        fill(a, s, s ? 0.8f : 60);
        fill(b, s + 4, 2);
        for (int kind = 0; kind < UNARY_KINDS; kind++) {
            plain->unary[kind].forward(want, a, N);
            k->unary[kind].forward(got, a, N);
            assert_memory_equal(got, want, sizeof got);
            plain->unary[kind].backward(want, d, a, N);
            k->unary[kind].backward(got, d, a, N);
            assert_memory_equal(got, want, sizeof got);
        }
        for (int kind = 0; kind < BINARY_KINDS; kind++) {
            plain->binary[kind].forward(want, a, b, N);
            k->binary[kind].forward(got, a, b, N);
            assert_memory_equal(got, want, sizeof got);
            plain->binary[kind].backward(want, want_b, d, a, b, N);
            k->binary[kind].backward(got, got_b, d, a, b, N);
            assert_memory_equal(got, want, sizeof got);
            assert_memory_equal(got_b, want_b, sizeof got_b);
        }
    }
}

static void all_sets_give_the_same_bits(void **state) {
    (void)state;
#if defined(__x86_64__)
    if (cpu_detect() >= CPU_AVX2)
        same_as_plain(&elementwise_kernels_avx2);
    if (cpu_detect() >= CPU_AVX512)
        same_as_plain(&elementwise_kernels_avx512);
#endif
    same_as_plain(elementwise_kernels_get());
}

static const binary *of(const char *op) {
    return nn_op_find(op)->family;
}

static int64_t whole(const char *op, int64_t a, int64_t b, bool is_unsigned) {
    int64_t y;
    assert_true(of(op)->whole(&y, a, b, is_unsigned));
    return y;
}

static void integers_at_their_ends(void **state) {
    (void)state;
    int64_t y;
    assert_true(whole("div", INT64_MIN, -1, false) == INT64_MIN);
    assert_int_equal(whole("div", -7, 2, false), -3);
    assert_int_equal(whole("div", -1, INT64_MAX, true), 2);
    assert_int_equal(whole("mod", -7, 3, false), 2);
    assert_int_equal(whole("mod", 7, -3, false), -2);
    assert_int_equal(whole("mod", INT64_MIN, -1, false), 0);
    assert_int_equal(whole("fmod", -7, 3, false), -1);
    assert_int_equal(whole("pow", -3, 3, false), -27);
    assert_int_equal(whole("pow", 2, -1, false), 0);
    assert_int_equal(whole("pow", -1, INT64_MIN, false), 1);
    assert_int_equal(whole("less", -1, 1, false), 1);
    assert_int_equal(whole("less", -1, 1, true), 0);
    assert_true(whole("add", INT64_MAX, 1, false) == INT64_MIN);
    assert_false(of("div")->whole(&y, 1, 0, false));
    assert_false(of("div")->whole(&y, 1, 0, true));
    assert_false(of("mod")->whole(&y, 1, 0, false));
    assert_false(of("fmod")->whole(&y, 1, 0, true));
    assert_false(of("pow")->whole(&y, 0, -1, false));
}

static void ties_share_the_gradient(void **state) {
    (void)state;
    const float a[] = {1, 2, 3}, b[] = {2, 2, 2}, d[] = {4, 4, 4};
    float d_a[3], d_b[3];
    const elementwise_kernels *k = elementwise_kernels_get();
    k->binary[BINARY_MAXIMUM].backward(d_a, d_b, d, a, b, 3);
    assert_true(d_a[0] == 0 && d_a[1] == 2 && d_a[2] == 4);
    assert_true(d_b[0] == 4 && d_b[1] == 2 && d_b[2] == 0);
    k->binary[BINARY_MINIMUM].backward(d_a, d_b, d, a, b, 3);
    assert_true(d_a[0] == 4 && d_a[1] == 2 && d_a[2] == 0);
    const float odd[] = {NAN, 1, NAN}, one[] = {1, NAN, NAN};
    float y[3];
    k->binary[BINARY_MAXIMUM].forward(y, odd, one, 3);
    assert_true(isnan(y[0]) && isnan(y[1]) && isnan(y[2]));
}

static void far_numbers(void **state) {
    (void)state;
    static const float x[] = {-1e30f, -200, -90, 90, 200, 1e30f};
    float y[6];
    const elementwise_kernels *k = elementwise_kernels_get();
    k->unary[UNARY_TANH].forward(y, x, 6);
    assert_true(y[0] == -1 && y[1] == -1 && y[4] == 1 && y[5] == 1);
    k->unary[UNARY_SIGMOID].forward(y, x, 6);
    assert_true(y[0] == 0 && y[4] == 1 && y[2] > 0);
    k->unary[UNARY_EXP].forward(y, x, 6);
    assert_true(y[0] == 0 && isinf(y[3]));
}

/* All floats of 16 bits go to f32 and come back; what lies between goes to the nearest.
 */
static void sixteen_bits(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 1 << 16; h++) {
        float v = ten_from_f16((uint16_t)h);
        if (v == v)
            assert_int_equal(ten_f16(v), h);
        else
            assert_true(isnan(ten_from_f16(ten_f16(v))));
    }
    assert_int_equal(ten_f16(65519.0f), 0x7BFF);
    assert_int_equal(ten_f16(65520.0f), 0x7C00);
    assert_int_equal(ten_f16(1.00048828125f), 0x3C00); /* a tie */
    assert_int_equal(ten_f16(2.98e-8f), 0x0000);
    assert_int_equal(ten_f16(2.99e-8f), 0x0001);
}

static void conversions_saturate(void **state) {
    (void)state;
    const double wide[] = {-1e300, -1.9, 1e300, NAN, 300};
    int8_t small[5];
    uint64_t large[5];
    int64_t whole_of[5];
    uint8_t truth[5];
    num_from_f64(small, ASSAY_I8, wide, 5);
    assert_true(small[0] == -128 && small[1] == -1 && small[2] == 127 && small[3] == 0);
    num_from_f64(large, ASSAY_U64, wide, 5);
    assert_true(large[0] == 0 && large[2] == UINT64_MAX && large[4] == 300);
    num_to_i64(whole_of, wide, ASSAY_F64, 1, 5);
    assert_true(whole_of[0] == INT64_MIN && whole_of[2] == INT64_MAX && whole_of[3] == 0);
    num_from_f64(truth, ASSAY_BOOL, wide, 5);
    assert_true(truth[0] == 1 && truth[1] == 1 && truth[3] == 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sets_give_the_same_bits),
        cmocka_unit_test(integers_at_their_ends),
        cmocka_unit_test(ties_share_the_gradient),
        cmocka_unit_test(far_numbers),
        cmocka_unit_test(sixteen_bits),
        cmocka_unit_test(conversions_saturate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

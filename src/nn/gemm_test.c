/* Every version of the small products against a plain triple loop, bit by bit, over odd
 * sizes, strides and all three ways that operands lie. */
#include "nn/gemm.h"

#include "base/cpu.h"
#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static float *numbers(rng *r, size_t n) {
    float *p = aligned_alloc(64, (n * sizeof *p + 64) / 64 * 64);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        p[i] = (float)rng_normal(r);
    return p;
}

static void plainly(const gemm_job *j, float *c) {
    for (size_t i = 0; i < j->m; i++)
        for (size_t q = 0; q < j->n; q++) {
            float all = j->add ? j->c[i * j->ldc + q] : 0.0f, sum = 0;
            for (size_t p = 0; p < j->k; p++) {
                sum = fmaf(j->a[i * j->a_row + p * j->a_col],
                           j->b[p * j->b_row + q * j->b_col], sum);
                if ((p + 1) % GEMM_DEPTH == 0 || p + 1 == j->k) {
                    all = j->add || p >= GEMM_DEPTH ? all + sum : sum;
                    sum = 0;
                }
            }
            c[i * j->ldc + q] = j->bias ? all + j->bias[q] : all;
        }
}

/* way: 0 x W^T, 1 d W, 2 d^T x. */
static void
check(const gemm_kernels *v, size_t m, size_t n, size_t k, int way, bool add, bool bias) {
    rng r = rng_at(3, RNG_TEST, 0, m * 10000 + n * 100 + k);
    size_t gap = 3, lda = (way == 2 ? m : k) + gap, ldb = (way == 0 ? k : n) + gap;
    size_t ldc = n + gap;
    float *a = numbers(&r, lda * (way == 2 ? k : m) + 1);
    float *b = numbers(&r, ldb * (way == 0 ? n : k) + 1);
    float *c = numbers(&r, ldc * m + 1), *want = numbers(&r, ldc * m + 1);
    float *shift = numbers(&r, n), *pre = numbers(&r, ldc * m + 1);
    float *scratch = numbers(&r, gemm_scratch(m, n, k));
    memcpy(want, c, ldc * m * sizeof *c);
    gemm_job j = {.m = m,
                  .n = n,
                  .k = k,
                  .a = a,
                  .a_row = way == 2 ? 1 : lda,
                  .a_col = way == 2 ? lda : 1,
                  .b = b,
                  .b_row = way == 0 ? 1 : ldb,
                  .b_col = way == 0 ? ldb : 1,
                  .c = c,
                  .ldc = ldc,
                  .add = add,
                  .bias = bias ? shift : NULL,
                  .act = bias ? ACT_RELU : ACT_NONE,
                  .pre = bias ? pre : NULL};
    plainly(&j, want);
    v->run(&j, scratch);
    for (size_t i = 0; i < m; i++)
        for (size_t q = 0; q < ldc; q++) {
            float is = c[i * ldc + q], should = want[i * ldc + q];
            bool inside = q < n && bias;
            if (inside)
                assert_true(memcmp(&pre[i * ldc + q], &should, sizeof should) == 0);
            if (inside && should < 0)
                should = 0;
            if (memcmp(&is, &should, sizeof is) != 0)
                fail_msg("%s, way %d, %zu x %zu x %zu: [%zu,%zu] is %.9g, not %.9g",
                         v->name, way, m, n, k, i, q, (double)is, (double)should);
        }
    free(a);
    free(b);
    free(c);
    free(want);
    free(shift);
    free(pre);
    free(scratch);
}

static void every_shape(const gemm_kernels *v) {
    static const size_t size[] = {1, 3, 8, 17, 48, 70};
    enum { N = sizeof size / sizeof *size };
    for (size_t i = 0; i < N * N * N; i++)
        for (int way = 0; way < 3; way++)
            check(v, size[i / N / N], size[i / N % N], size[i % N], way, (i + 1) % 3 == 0,
                  i % 4 == 0);
    for (int way = 0; way < 3; way++) { /* more than one block in depth, and turned */
        check(v, 20, 50, 400, way, false, true);
        check(v, 32, 96, 200, way, false, false);
        check(v, 16, 33, 193, way, true, false);
    }
}

static void products_are_exact(void **state) {
    (void)state;
    cpu_isa isa = cpu_detect();
    every_shape(&gemm_kernels_c);
#if defined(__x86_64__)
    if (isa >= CPU_AVX2)
        every_shape(&gemm_kernels_avx2);
    if (isa >= CPU_AVX512)
        every_shape(&gemm_kernels_avx512);
#endif
    if (isa == CPU_NONE)
        print_message("only the plain products run here\n");
}

/* What is not a number, or not finite, arrives where it should and nowhere else. */
static void odd_numbers_pass(void **state) {
    (void)state;
    enum { M = 10, N = 50, K = 20 };
    rng r = rng_at(3, RNG_TEST, 0, 1);
    float *a = numbers(&r, M * K), *b = numbers(&r, K * N), *c = numbers(&r, M * N);
    float *scratch = numbers(&r, gemm_scratch(M, N, K));
    a[3 * K + 5] = NAN;
    b[7 * N + 49] = INFINITY;
    const gemm_job j = {.m = M,
                        .n = N,
                        .k = K,
                        .a = a,
                        .a_row = K,
                        .a_col = 1,
                        .b = b,
                        .b_row = N,
                        .b_col = 1,
                        .c = c,
                        .ldc = N};
    gemm_run(&j, scratch);
    for (size_t i = 0; i < M; i++)
        for (size_t q = 0; q < N; q++) {
            assert_true((isnan(c[i * N + q]) != 0) == (i == 3));
            assert_true((isinf(c[i * N + q]) != 0) == (i != 3 && q == 49));
        }
    free(a);
    free(b);
    free(c);
    free(scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_exact),
        cmocka_unit_test(odd_numbers_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

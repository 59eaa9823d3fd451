/* Products on matrix tiles against sums in float64 of the same rounded operands, over odd
 * sizes, all ways that operands lie, f32 and bf16. */
#include "nn/gemm_half.h"

#include "base/rng.h"
#include "tensor/tensor.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Numbers in f32 and the same rounded, one of which a product sees. */
typedef struct numbers {
    float *f32;
    uint16_t *half;
} numbers;

static numbers draw(rng *r, size_t n) {
    numbers v = {malloc(n * sizeof(float)), malloc(n * sizeof(uint16_t))};
    assert_true(v.f32 && v.half);
    for (size_t i = 0; i < n; i++) {
        v.f32[i] = (float)rng_normal(r);
        v.half[i] = ten_bf16(v.f32[i]);
    }
    return v;
}
static void drop(numbers v) {
    free(v.f32);
    free(v.half);
}
static double value(const numbers *v, size_t i) {
    return (double)ten_from_bf16(v->half[i]);
}

/* `halves`: bit 0 of A, 1 of B, 2 of C; `way`: bit 0 A turned, 1 B turned. */
static void check(size_t m, size_t n, size_t k, int way, int halves, row_act act) {
    rng r = rng_at(5, RNG_TEST, 0, m * 10000 + n * 100 + k);
    size_t lda = (way & 1 ? m : k) + 2, ldb = (way & 2 ? k : n) + 2, ldc = n + 1;
    numbers a = draw(&r, lda * (way & 1 ? k : m)), b = draw(&r, ldb * (way & 2 ? n : k));
    numbers c = draw(&r, ldc * m), pre = draw(&r, ldc * m), bias = draw(&r, n);
    void *scratch = aligned_alloc(64, (gemm_half_scratch(m, n, k) + 63) / 64 * 64);
    assert_non_null(scratch);
    half_job j = {.m = m,
                  .n = n,
                  .k = k,
                  .a = {halves & 1 ? (void *)a.half : a.f32, halves & 1,
                        way & 1 ? 1 : lda, way & 1 ? lda : 1},
                  .b = {halves & 2 ? (void *)b.half : b.f32, halves & 2,
                        way & 2 ? 1 : ldb, way & 2 ? ldb : 1},
                  .c = {halves & 4 ? (void *)c.half : c.f32, halves & 4},
                  .ldc = ldc,
                  .bias = bias.f32,
                  .act = act,
                  .pre = {pre.f32, false}};
    float *before = malloc(ldc * m * sizeof *before);
    assert_non_null(before);
    memcpy(before, c.f32, ldc * m * sizeof *before);
    gemm_half_run(&j, scratch);
    for (size_t i = 0; i < m; i++) {
        for (size_t q = 0; q < n; q++) {
            double want = (double)bias.f32[q], size = 1;
            for (size_t p = 0; p < k; p++) {
                double u = value(&a, i * j.a.row + p * j.a.col);
                double v = value(&b, p * j.b.row + q * j.b.col);
                want += u * v;
                size += fabs(u * v);
            }
            size_t at = i * ldc + q;
            double is = halves & 4 ? value(&c, at) : (double)c.f32[at];
            assert_true(fabs((double)pre.f32[at] - want) <= 1e-6 * size);
            if (act == ACT_RELU && want < 0)
                want = 0;
            assert_true(fabs(is - want) <=
                        1e-6 * size + (halves & 4 ? 4e-3 : 0) * fabs(want));
        }
        /* What lies between the rows is untouched. */
        assert_true(memcmp(c.f32 + i * ldc + n, before + i * ldc + n, sizeof *before) ==
                    0);
    }
    free(before);
    free(scratch);
    drop(a);
    drop(b);
    drop(c);
    drop(pre);
    drop(bias);
}

static void products_are_near(void **state) {
    (void)state;
    static const size_t size[] = {1, 15, 32, 49, 70};
    enum { N = sizeof size / sizeof *size };
    if (!gemm_half_runs()) {
        print_message("no matrix tiles here: skipped\n");
        return;
    }
    for (size_t i = 0; i < N * N * N; i++)
        for (int kind = 0; kind < 4; kind++)
            check(size[i / N / N], size[i / N % N], size[i % N], kind,
                  (int)(i + 3 * (size_t)kind) % 8, i % 2 ? ACT_RELU : ACT_NONE);
    for (int kind = 0; kind < 4; kind++) { /* a long k, in stretches */
        check(40, 33, 1100, kind, 3, ACT_NONE);
        check(33, 20, 513, kind, 0, ACT_RELU);
        check(33, 20, 600, kind, 4, ACT_RELU);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(products_are_near)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The adapter against plain C in f64. */
#include "attribute/algebra/linalg.h"

#include "base/pool.h"
#include "base/rng.h"
#include "base/testing.h"

#include <math.h>

static void fill(float *a, size_t n, uint64_t which) {
    rng r = rng_at(7, RNG_TEST, 0, which);
    for (size_t i = 0; i < n; i++)
        a[i] = (float)rng_normal(&r);
}

static void test_self_check(void **state) {
    (void)state;
    assert_ok(la_self_check());
}

static void test_gemm(void **state) {
    (void)state;
    enum { M = 37, N = 53, K = 71, LD = 80 };
    static float a[LD * LD], b[LD * LD], c[M * LD], was[M * LD];
    fill(a, LD * LD, 1);
    fill(b, LD * LD, 2);
    for (int which = 0; which < 4; which++) {
        bool ta = which & 1, tb = which & 2;
        fill(c, M * LD, 3);
        memcpy(was, c, sizeof c);
        la_gemm(ta, tb, M, N, K, 0.5f, a, LD, b, LD, 2.0f, c, LD);
        for (int i = 0; i < M; i++)
            for (int j = 0; j < LD; j++) {
                double want = (double)was[i * LD + j];
                if (j < N) {
                    double sum = 0;
                    for (int k = 0; k < K; k++)
                        sum += (double)a[ta ? k * LD + i : i * LD + k] *
                               (double)b[tb ? j * LD + k : k * LD + j];
                    want = 0.5 * sum + 2 * want;
                }
                assert_true(fabs((double)c[i * LD + j] - want) < 1e-4);
            }
    }
}

/* Gram, factor, solve, inverse of a ragged number of rows. */
static void test_cholesky(void **state) {
    (void)state;
    enum { M = LA_GRAM_ROWS + 77, N = 45, LD = 48, B = 6 };
    float *a = malloc(sizeof(float) * M * LD);
    static float scratch[N * N];
    static double gram[N * N], factor[N * N], inverse[N * N], x[B * N], b[B * N];
    assert_non_null(a);
    fill(a, (size_t)M * LD, 4);
    memset(gram, 0, sizeof gram);
    la_gram(M, N, a, LD, scratch, gram);
    la_gram(3, N, a, LD, scratch, gram);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double want = 0;
            for (int k = 0; k < M; k++)
                want +=
                    (k < 3 ? 2.0 : 1.0) * (double)a[k * LD + i] * (double)a[k * LD + j];
            assert_true(fabs(gram[i * N + j] - want) < 1e-3);
            assert_true(gram[i * N + j] == gram[j * N + i]);
        }
    memcpy(factor, gram, sizeof gram);
    assert_ok(la_cholesky(N, factor));
    rng r = rng_at(7, RNG_TEST, 0, 5);
    for (int i = 0; i < B * N; i++)
        b[i] = x[i] = rng_normal(&r);
    assert_ok(la_cholesky_solve(N, factor, B, x));
    memcpy(inverse, factor, sizeof factor);
    assert_ok(la_cholesky_inverse(N, inverse));
    for (int t = 0; t < B; t++)
        for (int i = 0; i < N; i++) {
            double back = 0, direct = 0;
            for (int j = 0; j < N; j++) {
                back += gram[i * N + j] * x[t * N + j];
                direct += inverse[i * N + j] * b[t * N + j];
            }
            assert_true(fabs(back - b[t * N + i]) < 1e-9);
            assert_true(fabs(direct - x[t * N + i]) < 1e-9);
        }
    double bad[4] = {1, 2, 2, 1};
    assert_fails(ASSAY_E_NUMERIC, la_cholesky(2, bad));
    free(a);
}

static void test_eigen(void **state) {
    (void)state;
    enum { N = 40, WANT = 7 };
    static double a[N * N], kept[N * N], value[WANT], vector[WANT * N];
    assay_ctx *ctx = test_ctx(1);
    rng r = rng_at(7, RNG_TEST, 0, 6);
    for (int i = 0; i < N; i++)
        for (int j = 0; j <= i; j++)
            a[i * N + j] = a[j * N + i] = rng_normal(&r);
    memcpy(kept, a, sizeof a);
    assert_ok(la_eigen(ctx, N, a, WANT, value, vector));
    for (int v = 0; v < WANT; v++) {
        assert_true(v == 0 || value[v] <= value[v - 1]);
        for (int u = 0; u <= v; u++) {
            double dot = 0;
            for (int i = 0; i < N; i++)
                dot += vector[v * N + i] * vector[u * N + i];
            assert_true(fabs(dot - (u == v)) < 1e-10);
        }
        for (int i = 0; i < N; i++) {
            double sum = 0;
            for (int j = 0; j < N; j++)
                sum += kept[i * N + j] * vector[v * N + j];
            assert_true(fabs(sum - value[v] * vector[v * N + i]) < 1e-10);
        }
    }
    assay_ctx_destroy(ctx);
}

/* Products on several threads at once equal those on one: the library below has no locks.
 */
enum { SIDE = 96, PRODUCTS = 400 };

typedef struct products {
    const float *a;
    float *c; /* [PRODUCTS, SIDE, SIDE] */
} products;

static assay_status multiply(void *arg, int worker, size_t begin, size_t end) {
    const products *p = arg;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        la_gemm(false, true, SIDE, SIDE, SIDE, 1.0f, p->a + i, SIDE, p->a + 2 * i, SIDE,
                0.0f, p->c + i * SIDE * SIDE, SIDE);
    return ASSAY_OK;
}

static void test_threads(void **state) {
    (void)state;
    size_t n = SIDE * SIDE + 2 * PRODUCTS, out = (size_t)PRODUCTS * SIDE * SIDE;
    float *a = calloc(n, sizeof *a), *one = calloc(out, sizeof *one),
          *four = calloc(out, sizeof *four);
    assert_true(a && one && four);
    fill(a, n, 9);
    for (int threads = 1; threads <= 4; threads += 3) {
        assay_ctx *ctx = test_ctx(threads);
        products p = {a, threads == 1 ? one : four};
        assert_ok(assay_parallel_for(ctx, PRODUCTS, 1, multiply, &p));
        assay_ctx_destroy(ctx);
    }
    assert_memory_equal(one, four, out * sizeof *one);
    free(a);
    free(one);
    free(four);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_self_check), cmocka_unit_test(test_gemm),
        cmocka_unit_test(test_cholesky),   cmocka_unit_test(test_eigen),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

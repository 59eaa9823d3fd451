/* k-means and principal components on points whose answer is known. */
#include "attribute/algebra/kmeans.h"
#include "attribute/algebra/principal.h"

#include "base/rng.h"
#include "base/testing.h"

#include <math.h>

static void separate_clouds_are_found(void **state) {
    (void)state;
    enum { EACH = 40, CLOUDS = 5, DIM = 3, COUNT = EACH * CLOUDS + 17 };
    float x[COUNT * DIM];
    la_clusters c, again;
    assay_ctx *ctx = test_ctx(1);
    for (size_t i = 0; i < COUNT; i++) {
        rng r = rng_at(4, RNG_TEST, 0, i);
        size_t cloud = i < EACH * CLOUDS ? i % CLOUDS : 2; /* the third is the largest */
        for (size_t d = 0; d < DIM; d++)
            x[i * DIM + d] = (float)(20.0 * (double)(cloud >> d & 1) + rng_normal(&r));
    }
    assert_ok(la_kmeans(&c, ctx, x, COUNT, DIM, CLOUDS, 1));
    assert_ok(la_kmeans(&again, ctx, x, COUNT, DIM, CLOUDS, 1));
    assert_int_equal(c.count, CLOUDS);
    assert_int_equal(c.size[0], EACH + 17);
    assert_memory_equal(c.cluster, again.cluster, COUNT * sizeof *c.cluster);
    for (size_t i = 0; i < COUNT; i++) {
        size_t cloud = i < EACH * CLOUDS ? i % CLOUDS : 2;
        assert_int_equal(c.cluster[i], c.cluster[cloud]);
        assert_true(c.distance[i] < 6);
    }
    assert_int_equal(c.cluster[2], 0);      /* the largest first */
    assert_int_equal(c.cluster[0], 1);      /* then by the lowest point */
    assert_true(fabs(c.mean[1] - 20) < .5); /* of 2: 0 20 0 */
    la_clusters_free(&again);
    la_clusters_free(&c);
    assert_ok(la_kmeans(&c, ctx, x, 3, DIM, 9, 1)); /* fewer points than clusters */
    assert_int_equal(c.count, 3);
    assert_true(c.spread < 1e-9);
    la_clusters_free(&c);
    for (size_t i = 0; i < 30; i++)
        x[i] = 1;
    assert_ok(la_kmeans(&c, ctx, x, 10, DIM, 4, 1)); /* all points alike */
    assert_true(c.count >= 1 && c.spread < 1e-9);
    la_clusters_free(&c);
    x[7] = NAN;
    assert_fails(ASSAY_E_NUMERIC, la_kmeans(&c, ctx, x, 10, DIM, 2, 1));
    assay_ctx_destroy(ctx);
}

/* A matrix of rank two, tall and wide: squares, directions and places come back. */
static void components_are_found(void **state) {
    (void)state;
    enum { M = 31, N = 12 };
    float x[M * N];
    assay_ctx *ctx = test_ctx(2);
    for (int wide = 0; wide < 2; wide++) {
        size_t m = wide ? N : M, n = wide ? M : N;
        double total = 0;
        la_principal p;
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < n; j++) {
                double along = cos((double)i), across = sin(2.0 * (double)i + 1);
                x[i * n + j] =
                    (float)(5 * along * (j % 2 ? 1 : 0) + across * (j % 2 ? 0 : 1.0));
                total += (double)x[i * n + j] * (double)x[i * n + j];
            }
        assert_ok(la_principal_make(&p, ctx, x, m, n, 6));
        assert_int_equal(p.count, 2);
        assert_true(fabs(p.total - total) < 1e-6 * total);
        assert_true(fabs(p.value[0] + p.value[1] - total) < 1e-5 * total);
        assert_true(p.value[0] > p.value[1]);
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < n; j++) {
                double sum = 0;
                for (size_t c = 0; c < 2; c++)
                    sum += (double)p.place[i * 2 + c] * (double)p.direction[c * n + j];
                assert_true(fabs(sum - (double)x[i * n + j]) < 1e-4);
            }
        assert_true(p.direction[1] > 0); /* signs are settled */
        la_principal_free(&p);
        x[3] = NAN;
        assert_fails(ASSAY_E_NUMERIC, la_principal_make(&p, ctx, x, m, n, 2));
    }
    for (size_t i = 0; i < (size_t)M * N; i++)
        x[i] = 0;
    la_principal p;
    assert_ok(la_principal_make(&p, ctx, x, M, N, 3));
    assert_int_equal(p.count, 0);
    la_principal_free(&p);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(separate_clouds_are_found),
        cmocka_unit_test(components_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The projector against a dense oracle: the same hash written out as a matrix. */
#include "attribute/gradient/sjlt.h"

#include "base/rng.h"
#include "base/testing.h"
#include "simd/simd.h"

#include <math.h>

static void test_dense(void **state) {
    (void)state;
    enum { P = 1000, DIM = 48, FIRST = 123456 };
    static float g[SJLT_LANES][P];
    static float sum[DIM * SJLT_LANES], matrix[P][DIM], out[DIM];
    rng r = rng_at(41, RNG_TEST, 0, 0);
    uint64_t key = sjlt_key(5);
    for (int lane = 0; lane < SJLT_LANES; lane++)
        for (size_t j = 0; j < P; j++)
            g[lane][j] = (float)rng_normal(&r);
    for (size_t j = 0; j < P; j++) {
        float sign;
        uint32_t bucket = simd_sjlt_place(&sign, key, FIRST + j, DIM);
        assert_true(bucket < DIM && fabsf(sign) == 1);
        matrix[j][bucket] = sign;
    }
    memset(sum, 0, sizeof sum);
    /* in two pieces that are no multiples of the tile */
    sjlt_add(sum, DIM, key, g[0], P, FIRST, 333);
    sjlt_add(sum, DIM, key, g[0] + 333, P, FIRST + 333, P - 333);
    for (int lane = 0; lane < SJLT_LANES; lane++) {
        sjlt_take(sum, DIM, lane, 0.25f, out);
        for (size_t b = 0; b < DIM; b++) {
            double want = 0;
            for (size_t j = 0; j < P; j++)
                want += (double)matrix[j][b] * (double)g[lane][j];
            assert_true(fabs((double)out[b] - 0.25 * want) < 1e-4);
        }
    }
    assert_int_not_equal(sjlt_key(5), sjlt_key(6));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_dense)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

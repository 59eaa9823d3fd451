/* Eigenvectors of known and of random matrices; whitened patches are uncorrelated, each
 * with variance 1; refusals. */
#include "zoo/whiten.h"

#include "base/rng.h"
#include "base/testing.h"
#include "nn/exec.h"

#include <math.h>

enum { N = 12, SIDE = 32, IMAGES = 16 };

static void eigenvectors(void **state) {
    (void)state;
    double a[N * N], copy[N * N], v[N * N], value[N];
    rng r = rng_at(3, RNG_BENCH, 0, 0);
    for (int i = 0; i < N; i++)
        for (int j = i; j < N; j++)
            a[i * N + j] = a[j * N + i] = rng_normal(&r);
    memcpy(copy, a, sizeof a);
    zoo_eigen(a, v, value, N);
    for (int i = 0; i < N; i++) {
        assert_true(i == 0 || value[i] <= value[i - 1]);
        double most = 0;
        for (int k = 0; k < N; k++) {
            double product = 0, dot = 0;
            for (int j = 0; j < N; j++) {
                product += copy[k * N + j] * v[i * N + j];
                dot += v[i * N + j] * v[k * N + j];
            }
            assert_true(fabs(product - value[i] * v[i * N + k]) < 1e-12);
            assert_true(fabs(dot - (i == k)) < 1e-12);
            most = fabs(v[i * N + k]) > fabs(most) ? v[i * N + k] : most;
        }
        assert_true(most > 0);
    }
    double flat[4] = {2, 0, 0, 2}, one[4], two[2];
    zoo_eigen(flat, one, two, 2);
    assert_true(two[0] == 2 && two[1] == 2 && one[0] == 1 && one[3] == 1);
}

/* Images whose neighbours are alike, as in photographs. */
static void images_make(uint8_t *pixels) {
    rng r = rng_at(5, RNG_BENCH, 0, 0);
    for (int i = 0; i < IMAGES * SIDE * SIDE * 3; i++) {
        int before = i >= 3 ? pixels[i - 3] : 128;
        pixels[i] = (uint8_t)((2 * before + (int)rng_below(&r, 256)) / 3);
    }
}

static const float mean[3] = {0.5F, 0.45F, 0.4F}, sd[3] = {0.2F, 0.25F, 0.3F};

static void patches_become_white(void **state) {
    (void)state;
    enum { PLACES = (SIDE - 1) * (SIDE - 1), CHANNELS = 2 * N };
    assay_ctx *ctx = test_ctx(1);
    uint8_t *pixels = malloc(IMAGES * SIDE * SIDE * 3);
    images_make(pixels);
    const zoo_config config = {
        .classes = 10, .channels = 3, .height = SIDE, .width = SIDE};
    const zoo_sample sample = {pixels, NULL, IMAGES, mean, sd};
    zoo_model m;
    nn_weights w;
    nn_exec *e;
    assert_ok(zoo_build(&m, ctx, "airbench", &config));
    assert_ok(nn_weights_create(&w, ctx, m.graph, 1));
    assert_ok(zoo_prepare(&m, ctx, &w, &sample));
    const nn_value white = nn_graph_find(m.graph, "white");
    const nn_exec_options o = {.mode = NN_EVAL,
                               .batch = IMAGES,
                               .keep = &white,
                               .n_keep = 1,
                               .target = -1,
                               .dtype = ASSAY_F32};
    assert_ok(nn_exec_create(&e, ctx, m.graph, &w, &o));
    float *input = nn_exec_input(e, m.images);
    for (int i = 0; i < IMAGES * SIDE * SIDE * 3; i++)
        input[i] = ((float)pixels[i] / 255 - mean[i % 3]) / sd[i % 3];
    assert_ok(nn_exec_forward(e, IMAGES));
    const float *y = nn_exec_value(e, white);
    static double sum[CHANNELS][CHANNELS];
    for (int p = 0; p < IMAGES * PLACES; p++)
        for (int i = 0; i < CHANNELS; i++)
            for (int j = 0; j < CHANNELS; j++)
                sum[i][j] += (double)y[p * CHANNELS + i] * (double)y[p * CHANNELS + j];
    for (int i = 0; i < CHANNELS; i++)
        for (int j = 0; j < CHANNELS; j++) {
            double want = i == j ? 1 : i % N == j % N ? -1 : 0;
            assert_true(fabs(sum[i][j] / (IMAGES * PLACES) - want) < 0.02);
        }
    nn_exec_destroy(e);
    nn_weights_destroy(&w, ctx);
    zoo_destroy(&m);
    free(pixels);
    assay_ctx_destroy(ctx);
}

static void refusals(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    const zoo_config config = {
        .classes = 10, .channels = 3, .height = SIDE, .width = SIDE};
    const zoo_sample none = {.mean = mean, .std = sd};
    zoo_model m;
    nn_weights w;
    assert_ok(zoo_build(&m, ctx, "airbench", &config));
    assert_ok(nn_weights_create(&w, ctx, m.graph, 1));
    assert_fails(ASSAY_E_SHAPE, zoo_prepare(&m, ctx, &w, &none));
    assert_fails(ASSAY_E_SHAPE,
                 zoo_whiten(&w, ctx, &m, "layers.1.norm1.weight", &none, 0));
    assert_fails(ASSAY_E_SHAPE, zoo_whiten(&w, ctx, &m, "nothing", &none, 0));
    nn_weights_destroy(&w, ctx);
    zoo_destroy(&m);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eigenvectors),
        cmocka_unit_test(patches_become_white),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

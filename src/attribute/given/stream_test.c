/* Features in files, streamed, against ridge regression on the same features in memory;
 * all element types; what is refused. */
#include "attribute/given/stream.h"

#include "attribute/influence/ridge.h"
#include "base/rng.h"
#include "base/testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 1500, TARGETS = 5, DIM = 12, MEMBERS = 2, TOP = 4, CELLS = ROWS * TARGETS };

typedef struct fixture {
    assay_ctx *ctx;
    test_scratch s;
    test_path path[MEMBERS][3]; /* rows, targets, weights */
    float phi[MEMBERS][(ROWS + TARGETS) * DIM], q[MEMBERS][ROWS];
} fixture;

/* Numbers that half precision holds exactly; member 0 in f16, member 1 in f64. */
static void setup(fixture *f, int threads) {
    static const char *const part[] = {"rows", "targets", "weights"};
    static uint16_t half[(ROWS + TARGETS) * DIM];
    static double wide[(ROWS + TARGETS) * DIM];
    *f = (fixture){.ctx = test_ctx(threads), .s = test_scratch_begin()};
    for (size_t m = 0; m < MEMBERS; m++) {
        for (size_t i = 0; i < (ROWS + TARGETS) * DIM; i++) {
            rng r = rng_at(11, RNG_TEST, (uint32_t)m, i);
            float x = (float)((int)(rng_uniform(&r) * 512) - 256) / 64;
            f->phi[m][i] = x;
            half[i] = ten_f16(x);
            wide[i] = (double)x;
        }
        for (size_t i = 0; i < ROWS; i++)
            f->q[m][i] = (float)((m + 1) * i % 7) / 8;
        for (int p = 0; p < 3; p++) {
            char name[32];
            (void)snprintf(name, sizeof name, "%s-%zu.npy", part[p], m);
            f->path[m][p] = test_in(&f->s, name);
        }
        const int64_t rows[] = {ROWS, DIM}, targets[] = {TARGETS, DIM};
        const int64_t weights[] = {ROWS, 1};
        const void *data = m ? (const void *)wide : half;
        size_t skip = ROWS * DIM * (m ? sizeof *wide : sizeof *half);
        assay_dtype dtype = m ? ASSAY_F64 : ASSAY_F16;
        assert_ok(npy_put(f->ctx, f->path[m][0].text, dtype, 2, rows, data));
        assert_ok(npy_put(f->ctx, f->path[m][1].text, dtype, 2, targets,
                          (const uint8_t *)data + skip));
        assert_ok(npy_put(f->ctx, f->path[m][2].text, ASSAY_F32, 2, weights, f->q[m]));
    }
}

static void teardown(fixture *f) {
    test_scratch_end(&f->s);
    assay_ctx_destroy(f->ctx);
}

static void add_all(given *g, const fixture *f) {
    for (size_t m = 0; m < MEMBERS; m++)
        assert_ok(
            given_add(g, f->path[m][0].text, f->path[m][1].text, f->path[m][2].text));
}

/* Means of both factors over members, one times the other. */
static void in_memory(float *out, fixture *f) {
    memset(out, 0, CELLS * sizeof *out);
    for (size_t m = 0; m < MEMBERS; m++) {
        const att_features x = {.ctx = f->ctx,
                                .rows = ROWS + TARGETS,
                                .dim = DIM,
                                .floats = 100,
                                .phi = f->phi[m]};
        assert_ok(att_ridge_add(out, &x, ROWS, TARGETS, .5));
    }
    for (size_t i = 0; i < ROWS; i++)
        for (size_t t = 0; t < TARGETS; t++)
            out[i * TARGETS + t] *= (f->q[0][i] + f->q[1][i]) / (MEMBERS * MEMBERS);
}

/* Blocks of rows and of targets make no difference, nor do threads. */
static void streamed_is_in_memory(void **state) {
    (void)state;
    static float want[CELLS], first[CELLS];
    for (int threads = 1; threads <= 2; threads++)
        for (int blocks = 0; blocks < 2; blocks++) {
            static fixture f;
            att_top top[TARGETS * 2 * TOP];
            npy_array scores = {.map = {.fd = -1}};
            setup(&f, threads);
            in_memory(want, &f);
            test_path out = test_in(&f.s, "scores.npy");
            given g = {.ctx = f.ctx};
            add_all(&g, &f);
            const stream_options o = {.ridge = .5,
                                      .top = TOP,
                                      .scores = out.text,
                                      .memory = blocks ? 10000 : 0}; /* two targets */
            assert_ok(stream_scores(top, &g, &o));
            given_free(&g);
            assert_ok(npy_open(&scores, f.ctx, out.text, false));
            const float *got = (const float *)(const void *)scores.data;
            float most = 0;
            for (size_t i = 0; i < CELLS; i++)
                most = fmaxf(most, fabsf(want[i]));
            for (size_t i = 0; i < CELLS; i++)
                assert_true(fabsf(got[i] - want[i]) < 1e-5f * most);
            if (threads == 1 && !blocks)
                memcpy(first, got, sizeof first);
            assert_memory_equal(first, got, sizeof first);
            for (size_t t = 0; t < TARGETS; t++) {
                size_t best = 0, worst = 0;
                for (size_t i = 0; i < ROWS; i++) {
                    best = got[i * TARGETS + t] > got[best * TARGETS + t] ? i : best;
                    worst = got[i * TARGETS + t] < got[worst * TARGETS + t] ? i : worst;
                }
                assert_int_equal(top[t * 2 * TOP].row, best);
                assert_int_equal(top[(t * 2 + 1) * TOP].row, worst);
                assert_true(top[(t * 2 + 1) * TOP].score == got[worst * TARGETS + t]);
            }
            npy_close(&scores);
            teardown(&f);
        }
}

/* Arrays in memory are scored like files of them; gaps are refused. */
static void arrays_are_files(void **state) {
    (void)state;
    static fixture f;
    static att_top want[TARGETS * 2 * TOP], got[TARGETS * 2 * TOP];
    const int64_t rows[] = {ROWS, DIM}, targets[] = {TARGETS, DIM}, weights[] = {ROWS};
    const int64_t gaps[] = {2 * DIM, 1}, few[] = {ROWS / 2, DIM};
    const stream_options o = {.ridge = .5, .top = TOP};
    setup(&f, 2);
    given files = {.ctx = f.ctx}, arrays = {.ctx = f.ctx};
    add_all(&files, &f);
    assert_ok(stream_scores(want, &files, &o));
    given_free(&files);
    assay_tensor *part[MEMBERS][3], *wide;
    for (size_t m = 0; m < MEMBERS; m++) {
        float *phi = f.phi[m];
        assert_ok(assay_tensor_wrap(&part[m][0], f.ctx, phi, ASSAY_F32, 2, rows, NULL));
        assert_ok(assay_tensor_wrap(&part[m][1], f.ctx, phi + ROWS * DIM, ASSAY_F32, 2,
                                    targets, NULL));
        assert_ok(
            assay_tensor_wrap(&part[m][2], f.ctx, f.q[m], ASSAY_F32, 1, weights, NULL));
        assert_ok(given_add_arrays(&arrays, part[m][0], part[m][1], part[m][2]));
    }
    assert_ok(stream_scores(got, &arrays, &o));
    assert_memory_equal(want, got, sizeof want);
    assert_ok(assay_tensor_wrap(&wide, f.ctx, f.phi[0], ASSAY_F32, 2, few, gaps));
    assert_fails(ASSAY_E_INVALID, given_add_arrays(&arrays, wide, part[0][1], NULL));
    assert_string_equal(assay_last_error()->where, "features of model 2");
    assert_fails(ASSAY_E_SHAPE,
                 given_add_arrays(&arrays, part[0][0], part[0][1], part[0][1]));
    given_free(&arrays);
    assay_tensor_unref(wide);
    for (size_t m = 0; m < MEMBERS; m++)
        for (int p = 0; p < 3; p++)
            assay_tensor_unref(part[m][p]);
    teardown(&f);
}

static void bad_files_are_refused(void **state) {
    (void)state;
    static fixture f;
    const int64_t flat[] = {ROWS}, few[] = {ROWS - 1, DIM}, whole[] = {ROWS, DIM};
    static float data[ROWS * DIM];
    setup(&f, 1);
    given g = {.ctx = f.ctx};
    const test_path bad = test_in(&f.s, "bad.npy");
    const char *path = bad.text;
    assert_ok(npy_put(f.ctx, path, ASSAY_F32, 1, flat, data));
    assert_fails(ASSAY_E_SHAPE, given_add(&g, path, f.path[0][1].text, NULL));
    assert_ok(npy_put(f.ctx, path, ASSAY_I32, 2, whole, data));
    assert_fails(ASSAY_E_DTYPE, given_add(&g, path, f.path[0][1].text, NULL));
    assert_ok(npy_put(f.ctx, path, ASSAY_F32, 2, few, data));
    assert_fails(ASSAY_E_SHAPE,
                 given_add(&g, path, f.path[0][1].text, f.path[0][2].text));
    add_all(&g, &f);
    assert_fails(ASSAY_E_SHAPE, given_add(&g, path, f.path[0][1].text, NULL));
    assert_non_null(strstr(assay_last_error()->where, "bad.npy"));
    given_free(&g);
    data[7 * DIM + 3] = INFINITY;
    assert_ok(npy_put(f.ctx, path, ASSAY_F32, 2, whole, data));
    assert_ok(given_add(&g, path, f.path[0][1].text, NULL));
    att_top top[TARGETS * 2];
    const stream_options o = {.ridge = 1, .top = 1};
    assert_fails(ASSAY_E_NUMERIC, stream_scores(top, &g, &o));
    assert_non_null(strstr(assay_last_error()->where, "bad.npy, row 7"));
    given_free(&g);
    assert_fails(ASSAY_E_NOTFOUND, given_add_traker(&g, f.s.folder, "none"));
    given_free(&g);
    teardown(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streamed_is_in_memory),
        cmocka_unit_test(arrays_are_files),
        cmocka_unit_test(bad_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The search against brute force in f64, and the verdicts: planted copies are found in
 * whatever company, groups do not mask each other, flat pictures match nothing, clean
 * data stays quiet. */
#include "detect/nearest.h"

#include "base/rng.h"
#include "base/testing.h"

#include <math.h>

/* A world of pictures: smooth random ones, each a sum of a few waves, so that neighbours
 * exist. */
typedef struct world {
    assay_ctx *ctx;
    int size, channels;
    uint64_t rows, train_rows;
    uint8_t *pixels;
    int32_t *labels;
    npy_array array;
} world;

static size_t picture(const world *w) {
    return (size_t)w->size * (size_t)w->size * (size_t)w->channels;
}
static uint8_t *at(const world *w, uint64_t row) {
    return w->pixels + row * picture(w);
}

static void paint(const world *w, uint64_t row, uint64_t what) {
    rng r = rng_at(21, RNG_TEST, 0, what), own = rng_at(21, RNG_TEST, 1, row);
    double wave[6][5];
    for (int k = 0; k < 6; k++)
        for (int j = 0; j < 5; j++)
            wave[k][j] = rng_uniform(&r);
    uint8_t *to = at(w, row);
    for (int y = 0; y < w->size; y++)
        for (int x = 0; x < w->size; x++)
            for (int c = 0; c < w->channels; c++) {
                double v = 90, u = (double)x / w->size, z = (double)y / w->size;
                for (int k = 0; k < 6; k++)
                    v +=
                        30 * (wave[k][0] + 0.3 * c) *
                        sin(6.3 * (2 * wave[k][1] * u + 2 * wave[k][2] * z + wave[k][3]));
                /* a little that is a picture's own */
                v += 12 * rng_uniform(&own);
                *to++ = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
            }
}

static world
world_make(int size, int channels, uint64_t train, uint64_t test, int threads) {
    world w = {.ctx = test_ctx(threads), .size = size, .channels = channels};
    w.rows = train + test;
    w.train_rows = train;
    w.pixels = malloc(w.rows * picture(&w));
    w.labels = calloc(w.rows, sizeof *w.labels);
    for (uint64_t i = 0; i < w.rows; i++)
        paint(&w, i, i);
    w.array = (npy_array){.dtype = ASSAY_U8,
                          .ndim = 4,
                          .dim = {(int64_t)w.rows, size, size, channels},
                          .data = w.pixels,
                          .bytes = w.rows * picture(&w)};
    return w;
}

static void world_free(world *w) {
    free(w->pixels);
    free(w->labels);
    assay_ctx_destroy(w->ctx);
}

static detect_input input(const world *w) {
    return (detect_input){.ctx = w->ctx,
                          .rows = w->rows,
                          .train_rows = w->train_rows,
                          .classes = 2,
                          .size = w->size,
                          .channels = w->channels,
                          .labels = w->labels,
                          .pixels = &w->array};
}

/* Brighter by a fifth, with what is above white cut off, and a little noise; maybe
 * mirrored. */
static void degrade(const world *w, uint64_t from, uint64_t to, bool mirror) {
    rng r = rng_at(22, RNG_TEST, 0, to);
    for (int y = 0; y < w->size; y++)
        for (int x = 0; x < w->size; x++)
            for (int c = 0; c < w->channels; c++) {
                int u = mirror ? w->size - 1 - x : x;
                double v = 1.2 * at(w, from)[(y * w->size + u) * w->channels + c] +
                           2 * rng_normal(&r);
                at(w, to)[(y * w->size + x) * w->channels + c] = (uint8_t)(v < 0     ? 0
                                                                           : v > 255 ? 255
                                                                                     : v);
            }
}

static double correlate(const world *w, uint64_t a, uint64_t b, bool mirror) {
    double n = (double)picture(w), sa = 0, sb = 0, aa = 0, bb = 0, ab = 0;
    for (int y = 0; y < w->size; y++)
        for (int x = 0; x < w->size; x++)
            for (int c = 0; c < w->channels; c++) {
                int u = mirror ? w->size - 1 - x : x;
                double p = at(w, a)[(y * w->size + u) * w->channels + c];
                double q = at(w, b)[(y * w->size + x) * w->channels + c];
                sa += p;
                sb += q;
                aa += p * p;
                bb += q * q;
                ab += p * q;
            }
    return (ab - sa * sb / n) / sqrt((aa - sa * sa / n) * (bb - sb * sb / n));
}

/* ---- the search ---- */

/* No picture here is saturated, so gaps are plain correlations. */
static void test_oracle(void **state) {
    (void)state;
    enum { N = 900, Q = 60 };
    static const int sizes[][2] = {{28, 1}, {17, 3}};
    for (size_t s = 0; s < 2; s++) {
        world w = world_make(sizes[s][0], sizes[s][1], N, 0, 2);
        detect_input in = input(&w);
        frame f;
        uint32_t *row = malloc(N * sizeof *row);
        nearest *list = malloc(N * sizeof *list);
        size_t full = 0;
        for (uint32_t i = 0; i < N; i++)
            row[i] = i;
        for (uint64_t i = 0; i < N; i += 2)
            paint(&w, i, i % 50); /* crowds that are nearly alike */
        for (uint64_t i = 0; i < N; i++)
            for (size_t j = 0; j < picture(&w); j++)
                at(&w, i)[j] = at(&w, i)[j] > 240 ? 240 : at(&w, i)[j];
        assert_ok(frame_make(&f, &in));
        assert_int_equal(f.even + f.odd, FRAME_DIMS);
        assert_ok(nearest_search(&f, row, N, row, N, list));
        for (uint32_t q = 0; q < Q; q++) {
            float gap[N];
            nearest want = {.count = 0};
            for (uint32_t c = 0; c < N; c++) {
                double a = correlate(&w, q, c, false), b = correlate(&w, q, c, true);
                gap[c] = (float)(1 - fmax(a, b));
                want.count += c != q && gap[c] <= NEAREST_REACH;
            }
            int expected = want.count < NEAREST ? want.count : NEAREST;
            full += want.count >= NEAREST;
            assert_int_equal(list[q].count, expected);
            for (int k = 0; k < expected; k++) {
                const nearest_item *x = &list[q].item[k];
                size_t closer = 0;
                assert_true(x->row != q && fabsf(x->gap - gap[x->row]) < 1e-6f);
                for (uint32_t c = 0; c < N; c++)
                    closer += c != q && gap[c] < x->gap - 1e-6f;
                assert_true(closer <= (size_t)k);
            }
        }
        assert_true(full > 0); /* the case of a full list was there */
        frame_free(&f);
        free(row);
        free(list);
        world_free(&w);
    }
}

/* ---- verdicts ---- */

static const detect_finding *
finding_of(const detect_findings *f, detect_kind kind, uint32_t row) {
    for (size_t i = 0; i < f->count; i++)
        if (f->item[i].kind == kind && f->item[i].row == row)
            return &f->item[i];
    return NULL;
}

static void test_leakage(void **state) {
    (void)state;
    enum { TRAIN = 700, TEST = 120, PLANTED = 40 };
    world w = world_make(28, 1, TRAIN, TEST, 2);
    for (uint32_t i = 0; i < PLANTED; i++)
        degrade(&w, i * 7, TRAIN + i, i % 2);
    memcpy(at(&w, TRAIN + PLANTED), at(&w, 3), picture(&w)); /* exact */
    w.labels[3] = 1;
    detect_input in = input(&w);
    detect_findings out = {.ctx = w.ctx};
    assert_ok(detect_find("leakage")->run(&in, &out));
    for (uint32_t i = 0; i < PLANTED; i++) {
        const detect_finding *f = finding_of(&out, DETECT_LEAKAGE, TRAIN + i);
        assert_non_null(f);
        assert_int_equal(f->other, i * 7);
        assert_int_equal(f->mirrored, i % 2);
        assert_true(f->similarity > 0.94f && f->similarity <= 1 && !f->exact &&
                    !f->maybe);
        assert_true(f->score > 0.9f && f->score <= 1);
    }
    const detect_finding *f = finding_of(&out, DETECT_LEAKAGE, TRAIN + PLANTED);
    assert_true(f && f->exact && f->other == 3 && f->similarity == 1 && f->labels_differ);
    assert_int_equal(out.count, PLANTED + 1); /* and nothing else */
    detect_findings_free(&out);

    detect_neighbour n[4];
    assert_ok(detect_neighbours(&in, TRAIN, TRAIN + 4, 0, TRAIN, NULL, n));
    for (uint32_t i = 0; i < 4; i++)
        assert_true(n[i].row == i * 7 && n[i].copy && n[i].mirrored == i % 2 &&
                    n[i].c1 > n[i].c2);
    assert_fails(ASSAY_E_SHAPE, detect_neighbours(&in, 0, w.rows + 1, 0, 1, NULL, n));
    world_free(&w);
}

/* Five copies of one picture do not hide each other; two pictures that are each a copy of
 * a third but not of each other are not joined by chaining; equal pictures share the
 * group. */
static void test_groups(void **state) {
    (void)state;
    enum { TRAIN = 600 };
    world w = world_make(28, 1, TRAIN, 0, 2);
    for (uint32_t i = 0; i < 4; i++)
        degrade(&w, 10, 100 + i, i % 2);
    memcpy(at(&w, 200), at(&w, 10), picture(&w));
    memcpy(at(&w, 301), at(&w, 300), picture(&w));
    memcpy(at(&w, 302), at(&w, 300), picture(&w));
    detect_input in = input(&w);
    detect_findings out = {.ctx = w.ctx};
    assert_ok(detect_find("copies")->run(&in, &out));
    assert_int_equal(out.count, 4 + 1 + 2);
    const detect_finding *exact = finding_of(&out, DETECT_COPY_EXACT, 200);
    assert_true(exact && exact->other == 10 && exact->exact);
    uint32_t medoid = UINT32_MAX;
    size_t near = 0;
    for (size_t i = 0; i < out.count; i++) {
        const detect_finding *f = &out.item[i];
        if (f->kind != DETECT_COPY_NEAR)
            continue;
        near++;
        assert_true(medoid == UINT32_MAX || f->other == medoid);
        medoid = f->other;
        assert_int_equal(f->group, exact->group);
        assert_true(f->row == 10 || (f->row >= 100 && f->row < 104));
    }
    assert_int_equal(near, 4);
    const detect_finding *a = finding_of(&out, DETECT_COPY_EXACT, 301);
    const detect_finding *b = finding_of(&out, DETECT_COPY_EXACT, 302);
    assert_true(a && b && a->other == 300 && b->other == 300 && a->group == b->group);
    assert_int_not_equal(a->group, exact->group);
    detect_findings_free(&out);
    world_free(&w);
}

/* Flat and nearly flat pictures, few rows, an empty split; a clean set of another size.
 */
static void test_quiet(void **state) {
    (void)state;
    world w = world_make(28, 1, 300, 100, 2);
    for (uint64_t i = 0; i < 20; i++) {
        memset(at(&w, i), (int)(i * 12), picture(&w));
        at(&w, i)[i] ^= 1; /* no two are equal */
        memset(at(&w, 300 + i), (int)(i * 12), picture(&w));
        at(&w, 300 + i)[100 + i] ^= 1;
    }
    detect_input in = input(&w);
    detect_findings out = {.ctx = w.ctx};
    assert_ok(detect_find("leakage")->run(&in, &out));
    assert_ok(detect_find("copies")->run(&in, &out));
    assert_int_equal(out.count, 0);
    in.train_rows = in.rows;
    assert_ok(detect_find("leakage")->run(&in, &out));
    in.rows = in.train_rows = 20; /* all flat */
    assert_ok(detect_find("copies")->run(&in, &out));
    in.rows = in.train_rows = 1;
    assert_ok(detect_find("copies")->run(&in, &out));
    in.rows = in.train_rows = 0;
    assert_ok(detect_find("copies")->run(&in, &out));
    assert_int_equal(out.count, 0);
    in = input(&w);
    in.size = 27;
    assert_fails(ASSAY_E_SHAPE, detect_find("leakage")->run(&in, &out));
    detect_findings_free(&out);
    world_free(&w);
}

/* Larger pictures are compared at 32 pixels a side. */
static void test_large(void **state) {
    (void)state;
    world w = world_make(50, 3, 80, 20, 2);
    for (uint32_t i = 0; i < 10; i++)
        degrade(&w, i * 3, 80 + i, i % 2);
    detect_input in = input(&w);
    detect_findings out = {.ctx = w.ctx};
    assert_ok(detect_find("leakage")->run(&in, &out));
    assert_int_equal(out.count, 10);
    for (uint32_t i = 0; i < 10; i++)
        assert_true(out.item[i].row == 80 + i && out.item[i].other == i * 3);
    detect_findings_free(&out);
    world_free(&w);
}

static void test_threads(void **state) {
    (void)state;
    detect_findings out[2];
    world w[2];
    for (int run = 0; run < 2; run++) {
        w[run] = world_make(20, 3, 500, 300, run ? 3 : 1);
        for (uint32_t i = 0; i < 30; i++)
            degrade(&w[run], i, 500 + i * 2, i % 2);
        detect_input in = input(&w[run]);
        out[run] = (detect_findings){.ctx = w[run].ctx};
        assert_ok(detect_find("leakage")->run(&in, &out[run]));
    }
    assert_int_equal(out[0].count, out[1].count);
    assert_true(out[0].count >= 30);
    assert_memory_equal(out[0].item, out[1].item, out[0].count * sizeof *out[0].item);
    for (int run = 0; run < 2; run++) {
        detect_findings_free(&out[run]);
        world_free(&w[run]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oracle), cmocka_unit_test(test_leakage),
        cmocka_unit_test(test_groups), cmocka_unit_test(test_quiet),
        cmocka_unit_test(test_large),  cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

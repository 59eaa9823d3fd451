/* The feeder over pixels: contents, determinism at any number of threads, epochs given
 * up, errors. */
#include "data/load/feeder.h"

#include "base/testing.h"
#include "data/transform.h"

#include <math.h>

enum { ROWS = 203, H = 9, W = 7, MAX_EACH = H * W * 3 };

typedef struct fixture {
    assay_ctx *ctx;
    npy_array pixels;
    uint8_t bytes[ROWS * MAX_EACH];
    int32_t labels[ROWS];
} fixture;

static fixture *make_fixture(int channels) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->ctx = test_ctx(2);
    for (size_t i = 0; i < sizeof f->bytes; i++)
        f->bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    for (int i = 0; i < ROWS; i++)
        f->labels[i] = i % 10;
    f->pixels = (npy_array){.dtype = ASSAY_U8,
                            .ndim = 4,
                            .dim = {ROWS, H, W, channels},
                            .data = f->bytes,
                            .bytes = (size_t)ROWS * H * W * (size_t)channels};
    return f;
}

static void free_fixture(fixture *f) {
    assay_ctx_destroy(f->ctx);
    free(f);
}

static feeder_options usual(void) {
    static const feeder_transform transforms[] = {{"translate", {2}}, {"flip", {0.5}}};
    return (feeder_options){.batch = 32,
                            .order = FEEDER_RANDOM,
                            .seed = 11,
                            .transforms = transforms,
                            .n_transforms = 2,
                            .mean = {0.25f, 0.5f, 0.75f},
                            .std = {0.5f, 0.25f, 0.125f}};
}

static feeder *make_feeder(fixture *f, const feeder_options *o) {
    feeder *l = NULL;
    feeder_source source = {.pixels = &f->pixels, .labels = f->labels};
    assert_ok(feeder_create(&l, f->ctx, &source, o));
    return l;
}

/* Appends all that an epoch yields. */
static size_t run_epoch(feeder *l,
                        uint32_t epoch,
                        size_t each,
                        float *images,
                        int32_t *labels,
                        uint32_t *rows) {
    feeder_batch b;
    size_t n = 0;
    assert_ok(feeder_epoch(l, epoch));
    for (;;) {
        assert_ok(feeder_next(l, &b));
        if (b.n == 0)
            break;
        memcpy(images + n * each, b.images, (size_t)b.n * each * sizeof *images);
        memcpy(labels + n, b.labels, (size_t)b.n * sizeof *labels);
        memcpy(rows + n, b.rows, (size_t)b.n * sizeof *rows);
        n += (size_t)b.n;
    }
    assert_ok(feeder_next(l, &b));
    assert_int_equal(b.n, 0);
    return n;
}

static void contents(void **unused) {
    (void)unused;
    for (int channels = 1; channels <= 3; channels += 2) {
        fixture *f = make_fixture(channels);
        feeder_options o = usual();
        feeder *l = make_feeder(f, &o);
        size_t each = (size_t)(H * W * channels);
        float *images = calloc(ROWS * each, sizeof *images);
        int32_t labels[ROWS];
        uint32_t rows[ROWS];
        bool seen[ROWS] = {false};
        assert_non_null(images);
        assert_int_equal(feeder_batches(l), 7);
        assert_int_equal(run_epoch(l, 4, each, images, labels, rows), ROWS);
        const data_transform *shift, *flip;
        assert_ok(transform_find(&shift, "translate"));
        assert_ok(transform_find(&flip, "flip"));
        transform_plan p = {.value = {2}, .in = {H, W, channels}};
        transform_plan q = {.value = {0.5}, .in = {H, W, channels}};
        for (size_t i = 0; i < ROWS; i++) {
            uint8_t a[MAX_EACH], b[MAX_EACH];
            assert_false(seen[rows[i]]);
            seen[rows[i]] = true;
            assert_int_equal(labels[i], f->labels[rows[i]]);
            transform_sample s = {.r = rng_at(11, RNG_TRANSFORM, 4, rows[i])};
            shift->reference(&p, &s, f->bytes + rows[i] * each, a);
            s.r = rng_at(11, RNG_TRANSFORM + 1, 4, rows[i]);
            flip->reference(&q, &s, a, b);
            for (size_t k = 0; k < each; k++) {
                size_t c = k % (size_t)channels;
                double want = ((double)b[k] / 255 - (double)o.mean[c]) / (double)o.std[c];
                assert_true(fabs((double)images[i * each + k] - want) < 1e-5);
            }
        }
        free(images);
        feeder_destroy(l);
        free_fixture(f);
    }
}

static void same_at_any_number_of_threads(void **unused) {
    (void)unused;
    fixture *f = make_fixture(3);
    size_t each = H * W * 3;
    float *want = calloc(ROWS * each, sizeof *want),
          *got = calloc(ROWS * each, sizeof *got);
    int32_t labels[2][ROWS];
    uint32_t rows[2][ROWS];
    assert_true(want && got);
    feeder_options o = usual();
    static const int threads[] = {0, 1, 2, 5}, ahead[] = {0, 1, 0, 3},
                     batch[] = {32, 32, 32, 50};
    for (int k = 0; k < 4; k++) {
        o.threads = threads[k];
        o.ahead = ahead[k];
        o.batch = batch[k];
        feeder *l = make_feeder(f, &o);
        for (uint32_t epoch = 3; epoch-- > 0;) /* the last one of each is kept */
            assert_int_equal(run_epoch(l, epoch, each, k == 0 ? want : got,
                                       labels[k != 0], rows[k != 0]),
                             ROWS);
        feeder_destroy(l);
        if (k == 0)
            continue;
        assert_memory_equal(want, got, ROWS * each * sizeof *want);
        assert_memory_equal(labels[0], labels[1], sizeof labels[0]);
        assert_memory_equal(rows[0], rows[1], sizeof rows[0]);
    }
    free(want);
    free(got);
    free_fixture(f);
}

static void epochs_can_be_given_up(void **unused) {
    (void)unused;
    fixture *f = make_fixture(1);
    feeder_options o = usual();
    for (o.threads = 0; o.threads <= 3; o.threads++)
        for (int taken = 0; taken <= 7; taken++) {
            feeder *l = make_feeder(f, &o);
            feeder_batch b;
            assert_ok(feeder_next(l, &b)); /* before any epoch */
            assert_int_equal(b.n, 0);
            for (uint32_t epoch = 0; epoch < 3; epoch++) {
                assert_ok(feeder_epoch(l, epoch));
                for (int i = 0; i < taken; i++) {
                    assert_ok(feeder_next(l, &b));
                    assert_int_equal(b.n, i < 6 ? 32 : ROWS - 6 * 32);
                }
            }
            feeder_destroy(l);
        }
    free_fixture(f);
}

static void subsets_and_ends(void **unused) {
    (void)unused;
    fixture *f = make_fixture(1);
    static const uint32_t subset[] = {200, 3, 77, 5, 4};
    feeder_options o = usual();
    feeder_batch b;
    o.rows = subset;
    o.n_rows = 5;
    o.batch = 2;
    o.order = FEEDER_SEQUENTIAL;
    feeder *l = make_feeder(f, &o);
    assert_int_equal(feeder_batches(l), 3);
    assert_ok(feeder_epoch(l, 0));
    for (int i = 0; i < 3; i++) {
        assert_ok(feeder_next(l, &b));
        assert_int_equal(b.n, i < 2 ? 2 : 1);
        assert_int_equal(b.rows[0], subset[2 * i]);
    }
    feeder_destroy(l);
    o.drop_last = true;
    o.threads = 1;
    l = make_feeder(f, &o);
    assert_int_equal(feeder_batches(l), 2);
    assert_ok(feeder_epoch(l, 0));
    for (int i = 0; i < 3; i++) {
        assert_ok(feeder_next(l, &b));
        assert_int_equal(b.n, i < 2 ? 2 : 0);
    }
    feeder_destroy(l);
    /* a row is transformed alike whatever the subset */
    float alone[H * W];
    o = usual();
    o.rows = subset + 2;
    o.n_rows = 1;
    l = make_feeder(f, &o);
    assert_ok(feeder_epoch(l, 9));
    assert_ok(feeder_next(l, &b));
    assert_int_equal(b.rows[0], 77);
    memcpy(alone, b.images, sizeof alone);
    feeder_destroy(l);
    o.rows = NULL;
    l = make_feeder(f, &o);
    assert_ok(feeder_epoch(l, 9));
    for (bool found = false; !found;) {
        assert_ok(feeder_next(l, &b));
        assert_true(b.n > 0);
        for (int i = 0; i < b.n; i++)
            if (b.rows[i] == 77) {
                assert_memory_equal(alone, b.images + i * H * W, sizeof alone);
                found = true;
            }
    }
    feeder_destroy(l);
    o.n_rows = 0;
    o.rows = subset;
    l = make_feeder(f, &o);
    assert_ok(feeder_epoch(l, 0));
    assert_ok(feeder_next(l, &b));
    assert_int_equal(b.n, 0);
    feeder_destroy(l);
    free_fixture(f);
}

static void steady_state_allocates_nothing(void **unused) {
    (void)unused;
    fixture *f = make_fixture(3);
    feeder_options o = usual();
    for (o.threads = 0; o.threads <= 2; o.threads++) {
        feeder *l = make_feeder(f, &o);
        feeder_batch b;
        uint64_t before = mem_alloc_count(f->ctx);
        for (uint32_t epoch = 0; epoch < 3; epoch++) {
            assert_ok(feeder_epoch(l, epoch));
            do
                assert_ok(feeder_next(l, &b));
            while (b.n > 0);
        }
        assert_int_equal(mem_alloc_count(f->ctx), before);
        feeder_destroy(l);
    }
    free_fixture(f);
}

static void refusals(void **unused) {
    (void)unused;
    fixture *f = make_fixture(1);
    feeder *l;
    static const uint32_t far[] = {1, ROWS};
    static const feeder_transform unknown[] = {{"melt", {0}}},
                                  wide[] = {{"translate", {99}}};
    feeder_source source = {.pixels = &f->pixels, .labels = f->labels};
    feeder_options o = usual();
    o.batch = 0;
    assert_fails(ASSAY_E_INVALID, feeder_create(&l, f->ctx, &source, &o));
    o = usual();
    o.threads = -1;
    assert_fails(ASSAY_E_INVALID, feeder_create(&l, f->ctx, &source, &o));
    o = usual();
    o.rows = far;
    o.n_rows = 2;
    assert_fails(ASSAY_E_INVALID, feeder_create(&l, f->ctx, &source, &o));
    o = usual();
    o.n_transforms = 1;
    o.transforms = unknown;
    assert_fails(ASSAY_E_INVALID, feeder_create(&l, f->ctx, &source, &o));
    o.transforms = wide;
    assert_fails(ASSAY_E_INVALID, feeder_create(&l, f->ctx, &source, &o));
    assert_null(l);
    o = usual();
    o.std[0] = -1;
    assert_fails(ASSAY_E_INVALID, feeder_create(&l, f->ctx, &source, &o));
    o = usual();
    source.labels = NULL;
    assert_fails(ASSAY_E_SHAPE, feeder_create(&l, f->ctx, &source, &o));
    source = (feeder_source){0};
    assert_fails(ASSAY_E_INVALID, feeder_create(&l, f->ctx, &source, &o));
    feeder_destroy(NULL);
    /* a cancelled context ends an epoch */
    feeder_batch b;
    l = make_feeder(f, &o);
    assert_ok(feeder_epoch(l, 0));
    assay_ctx_cancel(f->ctx);
    assert_fails(ASSAY_E_CANCELLED, feeder_next(l, &b));
    assay_ctx_resume(f->ctx);
    feeder_destroy(l);
    free_fixture(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contents),
        cmocka_unit_test(same_at_any_number_of_threads),
        cmocka_unit_test(epochs_can_be_given_up),
        cmocka_unit_test(subsets_and_ends),
        cmocka_unit_test(steady_state_allocates_nothing),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What transforms draw: shares, areas and shapes as stated, windows by hand, and no
 * memory from one sample or epoch to the next. */
#include "data/transform.h"

#include "base/testing.h"

#include <math.h>

enum { DRAWS = 6000, SIDE = 64 };

static const data_transform *
make(assay_ctx *ctx, transform_plan *p, const char *name, const char *args) {
    const data_transform *t;
    p->ctx = ctx;
    assert_ok(transform_find(&t, name));
    assert_ok(transform_args_parse(p, t, args, strlen(args)));
    assert_ok(t->plan(p));
    return t;
}

static transform_sample sample_at(uint32_t epoch, uint64_t sample) {
    return (transform_sample){.r = rng_at(1, RNG_TRANSFORM, epoch, sample),
                              .seed = 1,
                              .sample = sample,
                              .epoch = epoch};
}

/* Even on [0, 1]? By the mean, the variance and the tenths. */
static void assert_even(const double *u, int n) {
    double sum = 0, squares = 0;
    int tenth[10] = {0};
    for (int i = 0; i < n; i++) {
        assert_true(u[i] > -0.02 && u[i] < 1.02);
        sum += u[i];
        squares += (u[i] - 0.5) * (u[i] - 0.5);
        int at = (int)(u[i] * 10);
        tenth[at < 0 ? 0 : at > 9 ? 9 : at]++;
    }
    assert_true(fabs(sum / n - 0.5) < 0.015);
    assert_true(fabs(squares / n - 1.0 / 12) < 0.004);
    for (int i = 0; i < 10; i++)
        assert_in_range(tenth[i], n / 10 - n / 50, n / 10 + n / 50);
}

static double correlation(const double *a, const double *b, int n) {
    double ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < n; i++) {
        ab += (a[i] - 0.5) * (b[i] - 0.5);
        aa += (a[i] - 0.5) * (a[i] - 0.5);
        bb += (b[i] - 0.5) * (b[i] - 0.5);
    }
    return ab / sqrt(aa * bb);
}

static void random_resized_crop(void **unused) {
    (void)unused;
    static double area[DRAWS], shape[DRAWS], x[DRAWS], y[DRAWS], next[DRAWS];
    assay_ctx *ctx = test_ctx(1);
    transform_plan p = {.in = {0, 0, 3}};
    /* small enough that every shape fits: nothing is tried twice */
    const data_transform *t = make(ctx, &p, "random_resized_crop", "224, scale=0.1:0.5");
    double low = log(0.75), high = log(4.0 / 3);
    for (int i = 0; i < DRAWS; i++) {
        transform_sample s = sample_at(3, (uint64_t)i), later = sample_at(4, (uint64_t)i);
        image_box b;
        t->window(&p, &s, 4000, 4000, &b);
        area[i] = ((double)b.width * b.height / 16e6 - 0.1) / 0.4;
        shape[i] = (log((double)b.width / b.height) - low) / (high - low);
        x[i] = b.x / (4000.0 - b.width);
        y[i] = b.y / (4000.0 - b.height);
        t->window(&p, &later, 4000, 4000, &b);
        next[i] = ((double)b.width * b.height / 16e6 - 0.1) / 0.4;
    }
    assert_even(area, DRAWS);
    assert_even(shape, DRAWS);
    assert_even(x, DRAWS);
    assert_even(y, DRAWS);
    assert_true(fabs(correlation(area, shape, DRAWS)) < 0.05);
    assert_true(fabs(correlation(x, y, DRAWS)) < 0.05);
    assert_true(fabs(correlation(area, next, DRAWS)) < 0.05);         /* epochs */
    assert_true(fabs(correlation(area, area + 1, DRAWS - 1)) < 0.05); /* samples */
    /* nothing fits: the middle, with the nearest shape allowed */
    transform_sample s = sample_at(0, 0);
    image_box b;
    t = make(ctx, &p, "random_resized_crop", "224, scale=1");
    t->window(&p, &s, 1000, 10, &b);
    assert_memory_equal(&b, (&(image_box){493, 0, 13, 10}), sizeof b);
    t->window(&p, &s, 9, 1000, &b);
    assert_memory_equal(&b, (&(image_box){0, 494, 9, 12}), sizeof b);
    assay_ctx_destroy(ctx);
}

static void other_windows(void **unused) {
    (void)unused;
    static const struct {
        const char *name, *args;
        int width, height;
        image_box want;
    } by_hand[] = {
        {"center_crop", "224", 500, 375, {86, 23, 328, 328}},
        {"center_crop", "224", 256, 256, {16, 16, 224, 224}},
        {"center_crop", "10:20, ratio=1", 100, 100, {0, 25, 100, 50}},
        {"center_crop", "224", 1, 1, {0, 0, 1, 1}},
        {"resize", "224", 500, 375, {0, 0, 500, 375}},
        {"resize", "224, shortest", 500, 375, {62, 0, 375, 375}},
        {"resize", "224, mode=shortest", 375, 500, {0, 62, 375, 375}},
        {"random_crop", "40", 40, 40, {0, 0, 40, 40}},
        {"random_crop", "40", 20, 20, {0, 0, 20, 20}},
    };
    assay_ctx *ctx = test_ctx(1);
    for (size_t i = 0; i < sizeof by_hand / sizeof by_hand[0]; i++) {
        transform_plan p = {.in = {0, 0, 3}};
        const data_transform *t = make(ctx, &p, by_hand[i].name, by_hand[i].args);
        transform_sample s = sample_at(0, 0);
        image_box b;
        t->window(&p, &s, by_hand[i].width, by_hand[i].height, &b);
        if (memcmp(&b, &by_hand[i].want, sizeof b) != 0)
            fail_msg("case %zu: %d, %d, %d x %d", i, b.x, b.y, b.width, b.height);
    }
    static double x[DRAWS], y[DRAWS];
    transform_plan p = {.in = {0, 0, 3}};
    const data_transform *t = make(ctx, &p, "random_crop", "30:20");
    for (int i = 0; i < DRAWS; i++) {
        transform_sample s = sample_at(0, (uint64_t)i);
        image_box b;
        t->window(&p, &s, 1020, 1030, &b);
        assert_true(b.width == 20 && b.height == 30);
        x[i] = b.x / 1000.0;
        y[i] = b.y / 1000.0;
    }
    assert_even(x, DRAWS);
    assert_even(y, DRAWS);
    assay_ctx_destroy(ctx);
}

/* How many of the samples change, and by what area on average. */
static int count_changed(const char *name, const char *args, double *area) {
    static uint8_t src[SIDE * SIDE], dst[SIDE * SIDE];
    assay_ctx *ctx = test_ctx(1);
    transform_plan p = {.in = {SIDE, SIDE, 1}};
    const data_transform *t = make(ctx, &p, name, args);
    uint8_t *scratch = malloc(p.scratch_bytes + 1);
    int changed = 0, erased = 0;
    assert_non_null(scratch);
    memset(src, 200, sizeof src);
    for (uint64_t i = 0; i < 2000; i++) {
        transform_sample s = sample_at(0, i);
        s.scratch = scratch;
        if (!t->apply(&p, &s, src, dst))
            continue;
        changed++;
        for (size_t k = 0; k < sizeof src; k++)
            erased += dst[k] != 200;
    }
    if (area != NULL)
        *area = (double)erased / changed / (SIDE * SIDE);
    free(scratch);
    assay_ctx_destroy(ctx);
    return changed;
}

static void shares(void **unused) {
    (void)unused;
    static const char *const thirty[] = {"flip",          "vertical_flip", "invert",
                                         "equalize",      "autocontrast",  "grayscale",
                                         "random_erasing"};
    for (size_t i = 0; i < sizeof thirty / sizeof thirty[0]; i++)
        assert_in_range(count_changed(thirty[i], "p=0.3", NULL), 530, 670);
    static const char *const with_number[][2] = {
        {"brightness", "0.5, p=0.3"}, {"contrast", "0.5, 0.3"},
        {"hue", "0.2, 0.3"},          {"cutout", "8, p=0.3"},
        {"posterize", "3, 0.3"},      {"solarize", "99, 0.3"},
        {"sharpness", "3, 0.3"},      {"rotate", "9, p=0.3"},
        {"affine", "9, p=0.3"},       {"color_jitter", "0.2, p=0.3"},
        {"gaussian_blur", "3, p=0.3"}};
    for (size_t i = 0; i < sizeof with_number / sizeof with_number[0]; i++)
        assert_in_range(count_changed(with_number[i][0], with_number[i][1], NULL), 530,
                        670);
    double area;
    (void)count_changed("random_erasing", "1, scale=0.1:0.3, ratio=0.5:2", &area);
    assert_true(fabs(area - 0.2) < 0.005);
    (void)count_changed("cutout", "16", &area);
    assert_true(fabs(area - 1.0 / 16) < 1e-9);
    (void)count_changed("cutout", "16, inside=no", &area); /* each side loses 4/64 * 16 */
    assert_true(fabs(area - (15.0 * 15.0) / (SIDE * SIDE)) < 0.001);
}

/* Every image is seen both ways in two epochs, half of them mirrored in each. */
static void alternating_flip(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    transform_plan p = {.in = {1, 2, 1}};
    const data_transform *t = make(ctx, &p, "alternating_flip", "");
    const uint8_t src[2] = {1, 2};
    uint8_t dst[2];
    int first = 0;
    for (uint64_t i = 0; i < 4000; i++) {
        bool mirrored[4];
        for (uint32_t epoch = 0; epoch < 4; epoch++) {
            transform_sample s = sample_at(epoch, i);
            mirrored[epoch] = t->apply(&p, &s, src, dst);
        }
        assert_true(mirrored[0] != mirrored[1] && mirrored[0] == mirrored[2] &&
                    mirrored[1] == mirrored[3]);
        first += mirrored[0];
    }
    assert_in_range(first, 1880, 2120);
    assay_ctx_destroy(ctx);
}

/* RandAugment and TrivialAugment choose each operation as often as the others. */
static void augmentations_differ(void **unused) {
    (void)unused;
    int same = 2000 - count_changed("trivial_augment", "", NULL);
    /* identity, and moves of strength 0: 1/14 + 5/14/31 plus whole pixels below 1 */
    assert_in_range(same, 120, 250);
    assert_in_range(2000 - count_changed("rand_augment", "1", NULL), 90, 200);
    assert_int_equal(count_changed("rand_augment", "0", NULL), 0);
}

static void outputs(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    transform_plan p = {.in = {4, 4, 3}};
    image_output o = {.channels = 3};
    const data_transform *t =
        make(ctx, &p, "normalize", "imagenet, type=f16, layout=nchw");
    t->output(&p, &o);
    assert_true(o.type == OUTPUT_F16 && o.planar && o.channels == 3);
    assert_true(fabs(128 * (double)o.scale[1] + (double)o.shift[1] -
                     (128.0 / 255 - 0.456) / 0.224) < 1e-6);
    t = make(ctx, &p, "normalize", "mean=0.1:0.2:0.3, std=0.5");
    t->output(&p, &o);
    assert_true(o.type == OUTPUT_F32 && !o.planar);
    assert_true(fabs(10 * (double)o.scale[2] + (double)o.shift[2] -
                     (10.0 / 255 - 0.3) * 2) < 1e-6);
    t = make(ctx, &p, "normalize", "byte, type=bf16");
    t->output(&p, &o);
    assert_true(o.type == OUTPUT_BF16 && o.scale[0] == 1 && o.shift[0] == 0);
    t = make(ctx, &p, "u8", "nchw");
    t->output(&p, &o);
    assert_true(o.type == OUTPUT_U8 && o.planar);
    t = make(ctx, &p, "gray", "");
    t->output(&p, &o);
    assert_int_equal(o.channels, 1);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_resized_crop),
                                       cmocka_unit_test(other_windows),
                                       cmocka_unit_test(shares),
                                       cmocka_unit_test(alternating_flip),
                                       cmocka_unit_test(augmentations_differ),
                                       cmocka_unit_test(outputs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

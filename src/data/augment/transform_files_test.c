/* Transforms that read files: masks of poison, shared objects of user. */
#include "data/transform.h"

#include "base/testing.h"
#include "file/npy.h"
#include "image/image.h"

enum { H = 6, W = 8, BYTES = H * W * 3 };

static assay_status make(assay_ctx *ctx,
                         transform_plan *p,
                         const data_transform **t,
                         const char *name,
                         const char *args) {
    *p = (transform_plan){.ctx = ctx, .in = {H, W, 3}};
    assert_ok(transform_find(t, name));
    assert_ok(transform_args_parse(p, *t, args, strlen(args)));
    return (*t)->plan(p);
}

static void drop(const data_transform *t, transform_plan *p) {
    t->unplan(p);
    transform_args_free(p);
}

static bool
run(const data_transform *t, const transform_plan *p, uint64_t row, uint8_t *dst) {
    uint8_t src[BYTES];
    transform_sample s = {.r = rng_at(1, RNG_TRANSFORM, 0, row), .sample = row};
    memset(src, 100, sizeof src);
    return t->apply(p, &s, src, dst);
}

static void masks(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch scratch = test_scratch_begin();
    test_path png = test_in(&scratch, "mask.png"), npy = test_in(&scratch, "mask.npy"),
              share = test_in(&scratch, "share.npy"), small = test_in(&scratch, "s.npy");
    static const uint8_t colours[2][2][3] = {{{200, 0, 0}, {0, 200, 0}},
                                             {{0, 0, 200}, {10, 20, 30}}};
    static const float shares[2][2] = {{1, 0.5f}, {0, 0.25f}};
    image im = image_make(ctx);
    buf b = buf_make(ctx);
    assert_ok(image_resize_storage(&im, 2, 2));
    memcpy(im.rgb, colours, sizeof colours);
    assert_ok(image_encode_png(&b, &im));
    test_put(png.text, b.data, b.len);
    assert_ok(npy_put(ctx, npy.text, ASSAY_U8, 3, (int64_t[]){2, 2, 3}, colours));
    assert_ok(npy_put(ctx, share.text, ASSAY_F32, 2, (int64_t[]){2, 2}, shares));
    assert_ok(npy_put(ctx, small.text, ASSAY_F32, 2, (int64_t[]){1, 2}, shares));

    const test_path *mask[] = {&png, &npy};
    transform_plan p;
    const data_transform *t;
    char args[1700];
    uint8_t dst[BYTES];
    for (int k = 0; k < 2; k++) {
        (void)snprintf(args, sizeof args,
                       "rows=3, mask=\"%s\", alpha=0.8, alpha_mask=%s, "
                       "at=2:-1",
                       mask[k]->text, share.text);
        assert_ok(make(ctx, &p, &t, "poison", args));
        assert_false(run(t, &p, 2, dst));
        assert_true(run(t, &p, 3, dst));
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++)
                for (int c = 0; c < 3; c++) {
                    bool in = x >= 2 && x < 4 && y >= H - 2;
                    double a = in ? 0.8 * (double)shares[y - H + 2][x - 2] : 0;
                    double v = in ? colours[y - H + 2][x - 2][c] : 0;
                    assert_int_equal(dst[(y * W + x) * 3 + c],
                                     (int)(100 * (1 - a) + v * a + 0.5));
                }
        drop(t, &p);
    }
    /* what can't be */
    (void)snprintf(args, sizeof args, "rows=3, mask=%s, alpha_mask=%s", npy.text,
                   small.text);
    assert_fails(ASSAY_E_SHAPE, make(ctx, &p, &t, "poison", args));
    drop(t, &p);
    (void)snprintf(args, sizeof args, "rows=3, mask=%s, at=7:0", npy.text);
    assert_fails(ASSAY_E_SHAPE, make(ctx, &p, &t, "poison", args));
    drop(t, &p);
    test_put(png.text, "no picture", 10);
    (void)snprintf(args, sizeof args, "rows=3, mask=%s", png.text);
    assert_fails(ASSAY_E_FORMAT, make(ctx, &p, &t, "poison", args));
    drop(t, &p);
    (void)snprintf(args, sizeof args, "rows=3, mask=%s", share.text);
    static const float wild[2][2] = {{1e9f, 0}, {0, -1}};
    assert_ok(npy_put(ctx, share.text, ASSAY_F32, 2, (int64_t[]){2, 2}, wild));
    assert_fails(ASSAY_E_FORMAT, make(ctx, &p, &t, "poison", args));
    drop(t, &p);
    buf_free(&b);
    image_free(&im);
    test_scratch_end(&scratch);
    assay_ctx_destroy(ctx);
}

static void shared_objects(void **unused) {
    (void)unused;
    static const char library[] = "./tests/user_transform.so";
    assay_ctx *ctx = test_ctx(1);
    transform_plan p;
    const data_transform *t;
    uint8_t dst[BYTES], again[BYTES];
    char args[128];
    assert_true(os_exists(library)); /* built beside the tests */
    (void)snprintf(args, sizeof args, "library=%s, symbol=darken", library);
    assert_ok(make(ctx, &p, &t, "user", args));
    int levels = 0;
    for (uint64_t row = 0; row < 50; row++) {
        assert_true(run(t, &p, row, dst));
        assert_true(run(t, &p, row, again));
        assert_memory_equal(dst, again, sizeof dst);
        assert_in_range(dst[0], 37, 100);
        assert_int_equal(dst[0], dst[BYTES - 1]);
        levels += dst[0] < 68;
    }
    assert_in_range(levels, 10, 40);
    drop(t, &p);
    (void)snprintf(args, sizeof args, "library=%s, symbol=brighten", library);
    assert_fails(ASSAY_E_NOTFOUND, make(ctx, &p, &t, "user", args));
    assert_non_null(strstr(assay_last_error()->message, "brighten"));
    drop(t, &p);
    assert_fails(ASSAY_E_INVALID,
                 make(ctx, &p, &t, "user", "library=user_transform.so, symbol=darken"));
    assert_non_null(strstr(assay_last_error()->help, "./user_transform.so"));
    drop(t, &p);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(masks),
                                       cmocka_unit_test(shared_objects)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

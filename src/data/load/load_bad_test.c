/* The loader when something is wrong: damage, refusals, epochs given up, no memory; and
 * that nothing is left behind. */
#include "data/load/testing_load.h"

/* ---- damage and errors ---- */

/* Spoils the image of sample 3: cuts its JPEG's header. */
static void spoil(fixture *f, test_path *out, uint64_t sample) {
    size_t n;
    uint8_t *bytes = test_get(f->ctx, f->jpeg.text, &n);
    beton_file *b;
    const uint8_t *data;
    uint64_t size;
    assert_ok(beton_open_memory(&b, f->ctx, bytes, n, "copy"));
    image_cell c = image_cell_get(beton_cell(b, sample, 0));
    assert_ok(image_cell_payload(b, sample, 0, &c, &data, &size));
    memset(bytes + (data - bytes) + 2, 0, (size_t)size - 2);
    beton_close(b);
    *out = test_in(&f->scratch, "damaged.beton");
    test_put(out->text, bytes, n);
    mem_free(f->ctx, bytes);
}

static void test_damage(void **state) {
    fixture *f = *state;
    test_path bad;
    spoil(f, &bad, 3);
    for (int threads = -1; threads <= 2; threads++) {
        assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
        o.batch = 4;
        o.order = "sequential";
        o.threads = threads;
        assay_batch b;
        assay_loader *l = make(f, &bad, "image: resize(16); label", &o);
        assert_ok(assay_loader_epoch(l, 0));
        assert_fails(ASSAY_E_FORMAT, assay_loader_next(l, &b));
        assert_non_null(strstr(assay_last_error()->where, "damaged.beton: sample 3, "
                                                          "field 'image'"));
        assert_fails(ASSAY_E_FORMAT, assay_loader_next(l, &b)); /* said again */
        assert_non_null(strstr(assay_last_error()->where, "sample 3"));
        assay_loader_destroy(l);
        o.skip_damaged = 1;
        l = make(f, &bad, "image: resize(16); label", &o);
        taken t = take_epoch(l, 0);
        assert_int_equal(t.count, JPEG_ROWS - 1);
        assert_int_equal(assay_loader_skipped(l), 1);
        for (size_t i = 0; i < t.count; i++)
            assert_int_equal(t.rows[i], i < 3 ? i : i + 1);
        free(t.bytes);
        assay_loader_destroy(l);
        o.batch = 1; /* a batch with nothing left is passed over */
        l = make(f, &bad, "image: resize(16); label", &o);
        t = take_epoch(l, 0);
        assert_int_equal(t.count, JPEG_ROWS - 1);
        free(t.bytes);
        assay_loader_destroy(l);
    }
}

static void refuse(fixture *f,
                   assay_status want,
                   const test_path *path,
                   const char *pipeline,
                   const char *says) {
    assay_loader *l = NULL;
    const char *paths[] = {path->text};
    assert_fails(want, assay_loader_create(&l, f->ctx, paths, 1, pipeline, NULL));
    assert_null(l);
    const assay_error *e = assay_last_error();
    char all[2048];
    (void)snprintf(all, sizeof all, "%s | %s | %s", e->message, e->where, e->help);
    if (strstr(all, says) == NULL)
        fail_msg("'%s' is not said: %s", says, all);
}

static void test_refusals(void **state) {
    fixture *f = *state;
    refuse(f, ASSAY_E_NOTFOUND, &f->raw, "imag: flip", "image");
    refuse(f, ASSAY_E_INVALID, &f->raw, "image: flup", "flip");
    refuse(f, ASSAY_E_INVALID, &f->raw, "image: flip | resize(8", "parenthesis");
    refuse(f, ASSAY_E_INVALID, &f->raw, "image: flip(2)", "step 1 (flip)");
    refuse(f, ASSAY_E_INVALID, &f->raw, "image; image", "two outputs");
    refuse(f, ASSAY_E_INVALID, &f->raw, " ; \n", "empty");
    refuse(f, ASSAY_E_INVALID, &f->raw, "image: ", "missing");
    refuse(f, ASSAY_E_INVALID, &f->raw, "label: flip", "labels");
    refuse(f, ASSAY_E_INVALID, &f->raw, "float: flip", "holds neither");
    refuse(f, ASSAY_E_INVALID, &f->raw, "image: normalize(unit) | flip", "flip");
    refuse(f, ASSAY_E_SHAPE, &f->jpeg, "image", "window");
    refuse(f, ASSAY_E_SHAPE, &f->jpeg, "image: flip", "random_resized_crop");
    refuse(f, ASSAY_E_NOTFOUND, &(test_path){"/nowhere.beton"}, "image", "nowhere");
}

static void test_options(void **state) {
    fixture *f = *state;
    const char *paths[] = {f->raw.text};
    assay_loader *l = NULL;
    assay_load_options bad[9];
    for (int i = 0; i < 9; i++)
        bad[i] = (assay_load_options)ASSAY_LOAD_OPTIONS_INIT;
    bad[0].batch = -1;
    bad[1].threads = -2;
    bad[2].order = "rnadom";
    bad[3].rank = 2;
    bad[3].world = 2;
    bad[4].cache = "disk";
    bad[5].order = "given";
    bad[6].rows = (const uint64_t[]){RAW_ROWS};
    bad[6].n_rows = 1;
    bad[7].order = "weighted";
    bad[8].ahead = -4;
    for (int i = 0; i < 9; i++) {
        assert_fails(ASSAY_E_INVALID,
                     assay_loader_create(&l, f->ctx, paths, 1, "label", &bad[i]));
        assert_null(l);
    }
    bad[0] = (assay_load_options)ASSAY_LOAD_OPTIONS_INIT;
    bad[0].split = "validation";
    assert_fails(ASSAY_E_NOTFOUND,
                 assay_loader_create(&l, f->ctx, paths, 1, "label", &bad[0]));
}

/* ---- giving up ---- */

static size_t count_entries(const char *folder) {
    size_t n = 0;
    DIR *d = opendir(folder);
    while (d != NULL && readdir(d) != NULL)
        n++;
    if (d != NULL)
        closedir(d);
    return n;
}

static void test_early_stops(void **state) {
    fixture *f = *state;
    size_t files = count_entries("/proc/self/fd"),
           threads = count_entries("/proc/self/task");
    for (int k = 0; k < 30; k++) {
        assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
        o.batch = 3;
        o.threads = 1 + k % 3;
        o.cache = k % 4 == 3 ? "read" : NULL;
        assay_loader *l = make(f, k % 2 ? &f->raw : &f->jpeg,
                               "image: random_resized_crop(20) | flip; label", &o);
        for (uint32_t epoch = 0; epoch < 4; epoch++) {
            assay_batch b;
            assert_ok(assay_loader_epoch(l, epoch));
            for (uint32_t i = 0; i < (epoch * 5 + (uint32_t)k) % 7; i++)
                assert_ok(assay_loader_next(l, &b));
        }
        assay_loader_destroy(l);
    }
    assert_int_equal(count_entries("/proc/self/fd"), files);
    assert_int_equal(count_entries("/proc/self/task"), threads);
}

static void test_cancel(void **state) {
    fixture *f = *state;
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    o.batch = 2;
    assay_batch b;
    assay_loader *l = make(f, &f->jpeg, "image: resize(32)", &o);
    assert_ok(assay_loader_epoch(l, 0));
    assert_ok(assay_loader_next(l, &b));
    assay_ctx_cancel(f->ctx);
    assert_fails(ASSAY_E_CANCELLED, assay_loader_next(l, &b));
    assert_fails(ASSAY_E_CANCELLED, assay_loader_epoch(l, 1));
    assay_ctx_resume(f->ctx);
    taken t = take_epoch(l, 1);
    assert_int_equal(t.count, JPEG_ROWS);
    free(t.bytes);
    assay_loader_destroy(l);
}

static void test_no_memory(void **state) {
    fixture *f = *state;
    const char *paths[] = {f->raw.text};
    long left;
    assay_ctx *ctx = test_ctx_failing(&left);
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    o.batch = 8;
    bool through = false;
    for (long allowed = 0; !through; allowed++) {
        assay_loader *l = NULL;
        assay_batch b;
        assert_true(allowed < 1000);
        left = allowed;
        assay_status status = assay_loader_create(&l, ctx, paths, 1, all_steps, &o);
        if (status == ASSAY_OK)
            status = assay_loader_epoch(l, 0);
        if (status == ASSAY_OK)
            status = assay_loader_next(l, &b);
        assert_true(status == ASSAY_OK || status == ASSAY_E_NOMEM);
        through = status == ASSAY_OK;
        left = LONG_MAX;
        assay_loader_destroy(l);
    }
    assay_ctx_destroy(ctx);
}

/* Once all sizes were met, an epoch takes no memory. */
static void test_steady(void **state) {
    fixture *f = *state;
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    o.batch = 8;
    o.threads = -1;
    o.order = "sequential";
    assay_loader *l = make(f, &f->raw, all_steps, &o);
    taken t = take_epoch(l, 0);
    free(t.bytes);
    uint64_t before = mem_alloc_count(f->ctx);
    t = take_epoch(l, 1);
    free(t.bytes);
    assert_int_equal(mem_alloc_count(f->ctx), before);
    assay_loader_destroy(l);
}

static void test_plan_and_stats(void **state) {
    fixture *f = *state;
    char *text = NULL;
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    assay_loader *l = make(f, &f->raw, all_steps, &o);
    assert_ok(assay_loader_plan(l, &text));
    assert_non_null(strstr(text, "flip + translate + cutout, from the stored image to "
                                 "the batch"));
    assert_non_null(strstr(text, "f32 [n, 12, 10, 3] NHWC"));
    assert_non_null(strstr(text, "resize + flip, from the stored image to the batch"));
    assay_string_free(f->ctx, text);
    taken t = take_epoch(l, 0);
    free(t.bytes);
    assay_load_stats s = {.struct_size = sizeof s};
    assay_loader_stats(l, &s);
    assert_int_equal(s.samples, RAW_ROWS);
    assert_int_equal(s.batches, 1);
    assert_true(s.bytes_read >= 2 * 360 * RAW_ROWS);
    assay_loader_destroy(l);
}

static void test_mixing(void **state) {
    fixture *f = *state;
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    o.batch = 20;
    assay_loader *l = NULL;
    const char *paths[] = {f->raw.text};
    assert_ok(assay_loader_create(
        &l, f->ctx, paths, 1,
        "image: normalize(unit) | mixup(0.5); label: one_hot(7) | mixup(0.5)", &o));
    taken one = take_epoch(l, 0);
    assay_loader_destroy(l);
    o.threads = -1;
    assert_ok(assay_loader_create(
        &l, f->ctx, paths, 1,
        "image: normalize(unit) | mixup(0.5); label: one_hot(7) | mixup(0.5)", &o));
    taken two = take_epoch(l, 0);
    assert_same(&one, &two);
    free(one.bytes);
    free(two.bytes);
    assay_loader_destroy(l);
}

/* A descriptor that claims terabytes is refused before memory is asked for. */
static void huge_arrays(void **unused) {
    (void)unused;
    enum { DESCRIPTOR = 1041, ARRAY = 3 };
    test_scratch dir = test_scratch_begin();
    test_path path = test_in(&dir, "a.beton");
    assay_ctx *ctx = test_ctx(1);
    size_t bytes;
    make_beton(ctx, path.text, &(test_beton){.samples = 5, .others = true});
    uint8_t *file = test_get(ctx, path.text, &bytes);
    le64_put(file + 24 + ARRAY * DESCRIPTOR + 17, (uint64_t)1 << 40);
    test_put(path.text, file, bytes);
    const char *paths[] = {path.text};
    assay_loader *l = NULL;
    assert_fails(ASSAY_E_FORMAT, assay_loader_create(&l, ctx, paths, 1, "array", NULL));
    assert_null(l);
    mem_free(ctx, file);
    assay_ctx_destroy(ctx);
    test_scratch_end(&dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damage),  cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_options), cmocka_unit_test(test_early_stops),
        cmocka_unit_test(test_cancel),  cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_steady),  cmocka_unit_test(test_plan_and_stats),
        cmocka_unit_test(test_mixing),  cmocka_unit_test(huge_arrays),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

/* Memory that runs out at any moment: packing, opening and loading say NOMEM, lose
 * nothing and leave no half-written file. */
#include "base/testing.h"
#include "data/dataset.h"
#include "data/load/feeder.h"
#include "data/testing.h"

/* Hands out memory `left` times, then none. */
typedef struct budget {
    uint64_t left, live;
} budget;

static void *take(void *cookie, size_t bytes) {
    budget *b = cookie;
    void *p = NULL;
    if (b->left == 0 || posix_memalign(&p, 64, bytes ? bytes : 1) != 0)
        return NULL;
    b->left--;
    b->live++;
    return p;
}

static void give(void *cookie, void *memory) {
    budget *b = cookie;
    if (memory == NULL)
        return;
    b->live--;
    free(memory);
}

static void put_sources(const test_scratch *s) {
    assay_ctx *ctx = test_ctx(1);
    image im = image_make(ctx);
    char name[32];
    put_idx_set(ctx, s, 12, 0);
    assert_ok(image_resize_storage(&im, 70, 66));
    for (int k = 0; k < 6; k++) {
        buf b = buf_make(ctx);
        memset(im.rgb, 40 * k, 3 * 70 * 66);
        if (k % 2 == 0)
            assert_ok(image_encode_png(&b, &im));
        else
            assert_ok(image_encode_jpeg(&b, &im, 80, true));
        (void)snprintf(name, sizeof name, "src/%c/%d.%s", "ab"[k / 3], k,
                       k % 2 ? "jpg" : "png");
        put_buf(s, name, &b);
    }
    image_free(&im);
    assay_ctx_destroy(ctx);
}

/* All that is done with a source, in one go. */
static assay_status use(assay_ctx *ctx, const char *source, const test_scratch *s) {
    assay_status status = ASSAY_OK;
    static const feeder_transform transforms[] = {{"translate", {1}}, {"flip", {0.5}}};
    dataset *d = NULL;
    feeder *l = NULL;
    npy_array a = {0};
    feeder_batch b;
    char *json = NULL;
    test_path out = test_in(s, "out/data.beton");
    assay_pack_options pack = ASSAY_PACK_OPTIONS_INIT;
    pack.page_size = 1 << 21;
    ASSAY_TRY(dataset_open_any(&d, ctx, source, out.text, &pack));
    ASSAY_TRY(assay_beton_verify(ctx, out.text, 0, NULL));
    ASSAY_TRY(assay_beton_info(ctx, out.text, &json));
    ASSAY_TRY(
        assay_beton_dump(ctx, out.text, 0, "image", test_in(s, "out/x.png").text, 1));
    ASSAY_TRY(dataset_pixels(d, ctx, 8, 3, test_in(s, "out/p.npy").text, &a));
    feeder_source source_of = {.ds = d, .size = 8, .channels = 3};
    feeder_options o = {.batch = 4,
                        .order = FEEDER_RANDOM,
                        .transforms = transforms,
                        .n_transforms = 2,
                        .threads = 1};
    ASSAY_TRY(feeder_create(&l, ctx, &source_of, &o));
    ASSAY_TRY(feeder_epoch(l, 0));
    do
        ASSAY_TRY(feeder_next(l, &b));
    while (b.n > 0);
done:
    assay_string_free(ctx, json);
    npy_close(&a);
    feeder_destroy(l);
    dataset_close(d);
    return status;
}

static void run_out(const char *name) {
    test_scratch s = test_scratch_begin();
    put_sources(&s);
    test_path source = test_in(&s, name), out = test_in(&s, "out");
    uint64_t failures = 0;
    bool whole = false;
    for (uint64_t allowed = 0; !whole; allowed += 1 + allowed / 12) {
        budget b = {.left = allowed + 8}; /* the context's own */
        assay_allocator allocator = {take, give, &b};
        assay_ctx_options options = ASSAY_CTX_OPTIONS_INIT;
        assay_ctx *ctx;
        options.threads = 1;
        options.allocator = &allocator;
        if (assay_ctx_create(&ctx, &options) != ASSAY_OK) {
            assert_int_equal(b.live, 0);
            continue;
        }
        assert_ok(os_remove_tree(out.text));
        assert_ok(os_mkdirs(out.text));
        assay_status status = use(ctx, source.text, &s);
        if (status != ASSAY_OK)
            assert_fails(ASSAY_E_NOMEM, status);
        whole = status == ASSAY_OK;
        failures += !whole;
        b.left = 1000; /* listing takes some */
        os_names names;
        assert_ok(os_list_dir(ctx, out.text, &names));
        for (size_t i = 0; i < names.count; i++) /* finished files only */
            assert_null(strstr(names.name[i], "tmp"));
        os_names_free(&names);
        assay_ctx_destroy(ctx);
        assert_int_equal(b.live, 0);
    }
    assert_true(failures > 30);
    test_scratch_end(&s);
}

static void folders(void **unused) {
    (void)unused;
    run_out("src");
}

static void idx(void **unused) {
    (void)unused;
    run_out("train-images-idx3-ubyte");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(folders), cmocka_unit_test(idx)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

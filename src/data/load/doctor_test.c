/* The doctor on small files: what its report holds, which remedies it tries, and that
 * nothing temporary stays. Its times are not judged here. */
#include <assay/data.h>
#include <assay/doctor.h>

#include "base/json.h"
#include "base/rng.h"
#include "data/testing.h"
#include "image/image.h"

#include <unistd.h>

/* JPEGs of noise, larger than what the pipelines make of them. */
static void put_photos(const test_scratch *s, assay_ctx *ctx, int n) {
    rng r = rng_at(3, RNG_TEST, 0, 0);
    for (int k = 0; k < n; k++) {
        image im = image_make(ctx);
        buf b = buf_make(ctx);
        char name[64];
        assert_ok(image_resize_storage(&im, 160, 120));
        for (size_t i = 0; i < 160 * 120 * 3; i++)
            im.rgb[i] = (uint8_t)(i / 900 + rng_below(&r, 30));
        assert_ok(image_encode_jpeg(&b, &im, 95, true));
        (void)snprintf(name, sizeof name, "photos/%s/%03d.jpg", k % 2 ? "a" : "b", k);
        put_buf(s, name, &b);
        image_free(&im);
    }
}

static const json_val *remedy(json_doc *doc, const char *name) {
    const json_val *all = json_get(json_root(doc), "remedies");
    for (size_t i = 0; i < json_len(all); i++)
        if (strncmp(json_get_str(json_get(json_at(all, i), "name"), ""), name,
                    strlen(name)) == 0)
            return json_at(all, i);
    return NULL;
}

static double number(const json_val *v, const char *key) {
    return json_get_num(json_get(v, key), -1);
}

static json_doc *see(assay_ctx *ctx, const char *path, const assay_doctor_options *o) {
    char *text;
    json_doc *doc;
    assert_ok(assay_doctor(ctx, path, o, &text));
    assert_ok(json_parse(&doc, ctx, text, strlen(text)));
    assay_string_free(ctx, text);
    return doc;
}

static void test_photos(void **state) {
    (void)state;
    test_scratch dir = test_scratch_begin();
    assay_ctx *ctx = test_ctx(2);
    test_path beton = test_in(&dir, "photos.beton"), tmp = test_in(&dir, "tmp");
    assay_pack_options pack = ASSAY_PACK_OPTIONS_INIT;
    assay_doctor_options o = ASSAY_DOCTOR_OPTIONS_INIT;
    os_names names;
    put_photos(&dir, ctx, 24);
    pack.index_interval = -1;
    assert_ok(assay_pack(ctx, test_in(&dir, "photos").text, beton.text, &pack, NULL));
    assert_ok(os_mkdirs(tmp.text));
    assert_int_equal(setenv("TMPDIR", tmp.text, 1), 0);
    o.pipeline = "image: random_resized_crop(32) | flip | normalize(imagenet) ; label";
    o.seconds = 0.02;
    o.batch = 4;
    o.limit = 20;
    json_doc *doc = see(ctx, beton.text, &o);
    const json_val *all = json_root(doc), *r;
    assert_string_equal(json_get_str(json_get(all, "schema"), ""), "assay.doctor/1");
    assert_int_equal(json_get_int(json_get(all, "rows"), 0), 20);
    assert_true(number(all, "images_per_second") > 0);
    assert_true(number(json_get(all, "stages_ms_per_image"), "decode") > 0);
    assert_true(number(json_get(all, "reading"), "cached_ms_per_image") > 0);
    double bytes = number(json_get(all, "reading"), "bytes_per_image");
    static const char *const tried[] = {"index",
                                        "bytes",
                                        "cache=read",
                                        "quality=80",
                                        "max-resolution=64",
                                        "raw, max-resolution=64",
                                        "raw"};
    for (size_t i = 0; i < sizeof tried / sizeof tried[0]; i++) {
        r = remedy(doc, tried[i]);
        assert_non_null(r);
        assert_true(number(r, "speed_ratio") > 0);
        assert_true(number(r, "images_per_second") > 0);
    }
    assert_true(number(remedy(doc, "quality=80"), "bytes_per_image") < bytes);
    assert_true(number(remedy(doc, "max-resolution=64"), "bytes_per_image") < bytes);
    r = remedy(doc, "raw, max-resolution=64");
    assert_true(number(r, "bytes_per_image") == 64 * 48 * 3);
    const json_val *list = json_get(all, "remedies");
    for (size_t i = 1; i < json_len(list); i++)
        assert_true(number(json_at(list, i - 1), "speed_ratio") >=
                    number(json_at(list, i), "speed_ratio"));
    json_doc_destroy(doc);
    assert_ok(os_list_dir(ctx, tmp.text, &names));
    assert_int_equal(names.count, 0);
    os_names_free(&names);

    /* With its index there is none to be tried, nor bytes where bytes come out. */
    pack.index_interval = 0;
    pack.force = 1;
    assert_ok(assay_pack(ctx, test_in(&dir, "photos").text, beton.text, &pack, NULL));
    o.pipeline = "rrc224-u8";
    o.consumer_ms = 60;
    o.seconds = 0.3;
    o.limit = 8;
    doc = see(ctx, beton.text, &o);
    assert_null(remedy(doc, "index"));
    assert_null(remedy(doc, "bytes"));
    assert_true(json_get_bool(json_get(json_root(doc), "index"), false));
    const json_val *consumer = json_get(json_root(doc), "consumer");
    const char *bottleneck = json_get_str(json_get(json_root(doc), "bottleneck"), "");
    assert_true(number(consumer, "ms_per_batch") == 60);
    assert_int_equal(strcmp(bottleneck, "consumer") == 0,
                     number(consumer, "waits") < .03);
    assert_true(number(json_root(doc), "images_per_second") <= 4 / .06); /* it waits */
    json_doc_destroy(doc);

    char *text;
    o.pipeline = "image: no_such_step";
    assert_fails(ASSAY_E_INVALID, assay_doctor(ctx, beton.text, &o, &text));
    assert_null(text);
    o.pipeline = NULL;
    assert_fails(ASSAY_E_NOTFOUND, assay_doctor(ctx, "/nowhere.beton", &o, &text));
    o.seconds = -1;
    assert_fails(ASSAY_E_INVALID, assay_doctor(ctx, beton.text, &o, &text));
    assert_int_equal(unsetenv("TMPDIR"), 0);
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

/* Raw images of one size, as they are. */
static void test_raw(void **state) {
    (void)state;
    test_scratch dir = test_scratch_begin();
    assay_ctx *ctx = test_ctx(1);
    test_path beton = test_in(&dir, "raw.beton");
    assay_doctor_options o = ASSAY_DOCTOR_OPTIONS_INIT;
    put_idx_set(ctx, &dir, 40, 10);
    assert_ok(assay_pack(ctx, dir.folder, beton.text, NULL, NULL));
    o.seconds = 0.01;
    o.batch = 8;
    json_doc *doc = see(ctx, beton.text, &o);
    assert_int_equal(json_get_int(json_get(json_root(doc), "rows"), 0), 50);
    assert_non_null(remedy(doc, "jpg"));
    assert_null(remedy(doc, "index"));
    json_doc_destroy(doc);
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_photos),
                                       cmocka_unit_test(test_raw)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

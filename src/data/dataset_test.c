/* Datasets of all origins: FFCV's files, kept JPEGs with EXIF, packing on the way, work
 * files; and the feeder over them, damaged images included. */
#include "data/dataset.h"

#include "base/rng.h"
#include "data/identity.h"
#include "data/image_cell.h"
#include "data/load/feeder.h"
#include "data/source/stream.h"
#include "data/testing.h"

static void put_picture(assay_ctx *ctx,
                        const test_scratch *s,
                        const char *name,
                        int w,
                        int h,
                        int k,
                        int exif) {
    image im = image_make(ctx);
    buf b = buf_make(ctx), tagged = buf_make(ctx);
    assert_ok(image_resize_storage(&im, w, h));
    for (int i = 0; i < w * h; i++) {
        im.rgb[3 * i] = (uint8_t)(40 * k + 2 * (i % w));
        im.rgb[3 * i + 1] = (uint8_t)(3 * (i / w));
        im.rgb[3 * i + 2] = (uint8_t)(200 - im.rgb[3 * i] / 2);
    }
    assert_ok(image_encode_jpeg(&b, &im, 95, false));
    if (exif > 0) {
        uint8_t app1[] = {0xff, 0xe1, 0, 34, 'E', 'x', 'i', 'f', 0,    0, 'I', 'I',
                          42,   0,    8, 0,  0,   0,   1,   0,   0x12, 1, 3,   0,
                          1,    0,    0, 0,  0,   0,   0,   0,   0,    0, 0,   0};
        app1[28] = (uint8_t)exif;
        buf_add(&tagged, b.data, 2);
        buf_add(&tagged, app1, sizeof app1);
        buf_add(&tagged, b.data + 2, b.len - 2);
        put_buf(s, name, &tagged);
        buf_free(&b);
    } else {
        put_buf(s, name, &b);
    }
    image_free(&im);
}

/* 2 classes x n JPEGs of differing sizes. */
static void put_folder(assay_ctx *ctx, const test_scratch *s, int n) {
    char name[64];
    for (int k = 0; k < 2 * n; k++) {
        (void)snprintf(name, sizeof name, "src/%s/%02d.jpg", k < n ? "cat" : "dog",
                       k % n);
        put_picture(ctx, s, name, 70 + k, 90 - k, k, 0);
    }
}

/* ---- FFCV's files ---- */

static test_path
unpacked_golden(assay_ctx *ctx, const test_scratch *s, const char *packed) {
    stream *in;
    uint8_t *bytes;
    size_t n;
    test_path p = test_in(s, "ffcv.beton");
    assert_ok(stream_open(&in, ctx, packed));
    assert_ok(stream_rest(in, 1 << 24, &bytes, &n));
    stream_close(in);
    test_put(p.text, bytes, n);
    mem_free(ctx, bytes);
    return p;
}

static void opens_ffcv(void **unused) {
    (void)unused;
    test_path golden = test_shared("golden/jpg2w.beton.gz");
    test_path negative = test_shared("golden/allfields.beton");
    test_path scalars = test_shared("golden/scalar.beton");
    assay_ctx *ctx = test_ctx(2);
    test_scratch s = test_scratch_begin();
    test_path p = unpacked_golden(ctx, &s, golden.text);
    dataset *d;
    assert_ok(dataset_open(&d, ctx, p.text));
    assert_int_equal(dataset_rows(d), 10);
    assert_int_equal(dataset_channels(d), 3);
    assert_int_equal(dataset_skipped(d), 0);
    bool seen[10] = {false};
    image im = image_make(ctx);
    for (uint64_t row = 0; row < 10; row++) {
        uint64_t sample = dataset_sample(d, row);
        char id[32];
        assert_true(sample < 10 && !seen[sample]);
        seen[sample] = true;
        (void)snprintf(id, sizeof id, "sample/%d", (int)sample);
        assert_string_equal(dataset_id(d, row), id);
        assert_int_equal(identity_in_test(id), row >= dataset_train_rows(d));
        assert_ok(dataset_image(d, row, &im));
        assert_int_equal(dataset_label(d, row), dataset_labels(d)[row]);
    }
    image_free(&im);
    assert_int_equal(atoi(dataset_class_name(d, dataset_classes(d) - 1)),
                     dataset_classes(d) - 1);
    assert_int_equal(strlen(dataset_sha256(d)), 64);
    /* the identity is the content's: at one thread as at two */
    assay_ctx *one = test_ctx(1);
    dataset *e;
    assert_ok(dataset_open(&e, one, p.text));
    assert_string_equal(dataset_sha256(d), dataset_sha256(e));
    dataset_close(e);
    assay_ctx_destroy(one);
    dataset_close(d);
    dataset_close(NULL);
    assert_fails(ASSAY_E_FORMAT,
                 dataset_open(&d, ctx, negative.text)); /* labels below 0 */
    assert_non_null(strstr(assay_last_error()->where, "field 'label'"));
    assert_null(d);
    assert_fails(ASSAY_E_UNSUPPORTED,
                 dataset_open(&d, ctx, scalars.text)); /* no images */
    assert_fails(ASSAY_E_NOTFOUND, dataset_open(&d, ctx, test_in(&s, "none.beton").text));
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* ---- EXIF ---- */

static void kept_images_stand_upright(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    put_picture(ctx, &s, "src/a/0.jpg", 100, 60, 1, 0);
    put_picture(ctx, &s, "src/b/6.jpg", 100, 60, 1, 6); /* lies on its side */
    assay_pack_options o = ASSAY_PACK_OPTIONS_INIT;
    static const char *const modes[] = {"keep", "raw", "jpg"};
    for (int m = 0; m < 3; m++) {
        o.mode = modes[m];
        o.force = 1;
        test_path out = test_in(&s, "out.beton");
        assert_ok(assay_pack(ctx, test_in(&s, "src").text, out.text, &o, NULL));
        dataset *d;
        beton_file *f;
        assert_ok(dataset_open(&d, ctx, out.text));
        assert_ok(beton_open(&f, ctx, out.text));
        image a = image_make(ctx), b = image_make(ctx);
        for (uint64_t row = 0; row < 2; row++) {
            bool turned = dataset_label(d, row) == 1;
            image_cell c = image_cell_get(beton_cell(f, row, 0));
            assert_int_equal(c.width,
                             turned && m > 0 ? 60 : 100); /* kept: as the bytes say */
            assert_ok(dataset_image(d, row, turned ? &b : &a));
        }
        assert_int_equal(a.width, 100);
        assert_int_equal(b.width, 60);
        assert_int_equal(b.height, 100);
        if (m < 2) /* a quarter to the right */
            for (int y = 0; y < 60; y++)
                for (int x = 0; x < 100; x++)
                    assert_memory_equal(a.rgb + 3 * (y * 100 + x),
                                        b.rgb + 3 * (x * 60 + 59 - y), 3);
        image_free(&a);
        image_free(&b);
        dataset_close(d);
        beton_close(f);
        char *json;
        assert_ok(assay_beton_info(ctx, out.text, &json));
        const char *said = strstr(json, "\"orientation\"");
        assert_non_null(said);
        assert_int_equal(strchr(said, '6') != NULL && strchr(said, '6') - said < 40,
                         m == 0);
        assay_string_free(ctx, json);
    }
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* ---- opening anything ---- */

static void packs_once(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(2);
    test_scratch s = test_scratch_begin();
    put_folder(ctx, &s, 4);
    test_path src = test_in(&s, "src"), out = test_in(&s, "work.beton");
    assay_pack_options o = ASSAY_PACK_OPTIONS_INIT;
    dataset *d;
    char sha[65];
    assert_ok(dataset_open_any(&d, ctx, src.text, out.text, NULL));
    assert_int_equal(dataset_rows(d), 8);
    memcpy(sha, dataset_sha256(d), 65);
    dataset_close(d);
    /* again: the pack is used, damaged as it now is */
    size_t n;
    uint8_t *bytes = test_get(ctx, out.text, &n);
    test_put(out.text, bytes, 100);
    assert_fails(ASSAY_E_FORMAT, dataset_open_any(&d, ctx, src.text, out.text, NULL));
    /* another option, or another source: packed anew */
    o.mode = "jpg";
    assert_ok(dataset_open_any(&d, ctx, src.text, out.text, &o));
    assert_string_not_equal(dataset_sha256(d), sha);
    dataset_close(d);
    put_picture(ctx, &s, "src/dog/99.jpg", 80, 80, 3, 0);
    assert_ok(dataset_open_any(&d, ctx, src.text, out.text, &o));
    assert_int_equal(dataset_rows(d), 9);
    dataset_close(d);
    /* a .beton is opened where it lies */
    test_path there = test_in(&s, "there.beton"),
              unused_pack = test_in(&s, "unused.beton");
    test_put(there.text, bytes, n);
    assert_ok(dataset_open_any(&d, ctx, there.text, unused_pack.text, NULL));
    assert_string_equal(dataset_sha256(d), sha);
    assert_string_equal(dataset_path(d), there.text);
    dataset_close(d);
    assert_false(os_exists(unused_pack.text));
    assert_fails(ASSAY_E_NOTFOUND, dataset_open_any(&d, ctx, test_in(&s, "no").text,
                                                    unused_pack.text, NULL));
    assert_fails(ASSAY_E_NOTFOUND, dataset_open_any(&d, ctx, test_in(&s, "no.beton").text,
                                                    unused_pack.text, NULL));
    mem_free(ctx, bytes);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void packs_a_file_once(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    put_idx_set(ctx, &s, 30, 0);
    test_path src = test_in(&s, "train-images-idx3-ubyte"),
              out = test_in(&s, "w/data.beton");
    assert_ok(os_mkdirs(test_in(&s, "w").text));
    dataset *d;
    assert_ok(dataset_open_any(&d, ctx, src.text, out.text, NULL));
    dataset_close(d);
    test_put(out.text, "x", 1); /* it would be written anew if anything had changed */
    assert_fails(ASSAY_E_FORMAT, dataset_open_any(&d, ctx, src.text, out.text, NULL));
    put_in(&s, "classes.txt", "a\nb\nc\n", 6);
    assert_ok(dataset_open_any(&d, ctx, src.text, out.text, NULL));
    assert_string_equal(dataset_class_name(d, 0), "a");
    dataset_close(d);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* ---- work files ---- */

static void pixels_are_kept(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(2), *one = test_ctx(1);
    test_scratch s = test_scratch_begin();
    put_folder(ctx, &s, 20);
    dataset *d;
    npy_array a, b;
    test_path work = test_in(&s, "p.npy"), other = test_in(&s, "q.npy");
    assert_ok(dataset_open_any(&d, ctx, test_in(&s, "src").text,
                               test_in(&s, "d.beton").text, NULL));
    assert_ok(dataset_pixels(d, ctx, 24, 3, work.text, &a));
    assert_int_equal(a.ndim, 4);
    assert_int_equal(a.dim[1], 24);
    assert_ok(dataset_pixels(d, one, 24, 3, other.text, &b));
    assert_int_equal(a.bytes, b.bytes);
    assert_memory_equal(a.data, b.data, a.bytes);
    /* one row is the decoder's and the resizer's */
    image im = image_make(ctx);
    uint8_t want[24 * 24 * 3];
    assert_ok(dataset_image(d, 7, &im));
    assert_ok(image_resize(ctx, im.rgb, im.width, im.height, 3, want, 24, 24));
    assert_memory_equal(a.data + 7 * sizeof want, want, sizeof want);
    image_free(&im);
    npy_close(&a);
    npy_close(&b);
    /* used again as it lies... */
    assert_ok(npy_open(&a, ctx, work.text, true));
    a.data[5] ^= 1;
    uint8_t mark = a.data[5];
    npy_close(&a);
    assert_ok(dataset_pixels(d, ctx, 24, 3, work.text, &a));
    assert_int_equal(a.data[5], mark);
    npy_close(&a);
    /* ...unless it was not finished, or is of another size */
    assert_ok(os_remove_tree(test_in(&s, "p.npy.done").text));
    assert_ok(dataset_pixels(d, ctx, 24, 3, work.text, &a));
    assert_int_equal(a.data[5], mark ^ 1);
    npy_close(&a);
    assert_ok(dataset_pixels(d, ctx, 16, 1, work.text, &a));
    assert_int_equal(a.dim[3], 1);
    npy_close(&a);
    assert_fails(ASSAY_E_INVALID, dataset_pixels(d, ctx, 0, 3, work.text, &a));
    assert_fails(ASSAY_E_INVALID, dataset_pixels(d, ctx, 16, 2, work.text, &a));
    assay_ctx_cancel(ctx);
    assert_fails(ASSAY_E_CANCELLED, dataset_pixels(d, ctx, 17, 3, work.text, &a));
    assay_ctx_resume(ctx);
    assert_false(os_exists(test_in(&s, "p.npy.done").text));
    dataset_close(d);
    test_scratch_end(&s);
    assay_ctx_destroy(one);
    assay_ctx_destroy(ctx);
}

/* ---- the feeder over a file ---- */

static void feeder_decodes(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(2);
    test_scratch s = test_scratch_begin();
    put_folder(ctx, &s, 20);
    dataset *d;
    npy_array a;
    assert_ok(dataset_open_any(&d, ctx, test_in(&s, "src").text,
                               test_in(&s, "d.beton").text, NULL));
    assert_ok(dataset_pixels(d, ctx, 24, 3, test_in(&s, "p.npy").text, &a));
    static const feeder_transform transforms[] = {{"flip", {0.5}}, {"translate", {3, 1}}};
    feeder_options o = {.batch = 7,
                        .order = FEEDER_RANDOM,
                        .seed = 5,
                        .transforms = transforms,
                        .n_transforms = 2};
    feeder_source by_pixels = {.ds = d, .pixels = &a};
    feeder_source by_file = {.ds = d, .size = 24, .channels = 3};
    for (o.threads = 0; o.threads <= 3; o.threads++) {
        feeder *l, *m;
        feeder_batch x, y;
        int threads = o.threads;
        assert_ok(feeder_create(&l, ctx, &by_file, &o));
        o.threads = 0;
        assert_ok(feeder_create(&m, ctx, &by_pixels, &o));
        o.threads = threads;
        assert_ok(feeder_epoch(l, 2));
        assert_ok(feeder_epoch(m, 2));
        do {
            assert_ok(feeder_next(l, &x));
            assert_ok(feeder_next(m, &y));
            assert_int_equal(x.n, y.n);
            if (x.n == 0)
                break;
            assert_memory_equal(x.rows, y.rows, (size_t)x.n * sizeof *x.rows);
            assert_memory_equal(x.labels, y.labels, (size_t)x.n * sizeof *x.labels);
            assert_memory_equal(x.images, y.images,
                                (size_t)x.n * 24 * 24 * 3 * sizeof(float));
        } while (true);
        feeder_destroy(l);
        feeder_destroy(m);
    }
    npy_close(&a);
    dataset_close(d);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void feeder_names_the_damaged(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(2);
    test_scratch s = test_scratch_begin();
    put_folder(ctx, &s, 20);
    test_path out = test_in(&s, "d.beton");
    assay_pack_options pack = ASSAY_PACK_OPTIONS_INIT;
    pack.mode = "jpg";
    assert_ok(assay_pack(ctx, test_in(&s, "src").text, out.text, &pack, NULL));
    /* the second half of samples 17 and 31 becomes zeros */
    size_t n;
    uint8_t *bytes = test_get(ctx, out.text, &n);
    beton_file *f;
    assert_ok(beton_open_memory(&f, ctx, bytes, n, "x"));
    for (uint64_t sample = 17; sample <= 31; sample += 14) {
        image_cell c = image_cell_get(beton_cell(f, sample, 0));
        const uint8_t *data;
        uint64_t size;
        assert_ok(image_cell_payload(f, sample, 0, &c, &data, &size));
        memset(bytes + c.ptr + size / 2, 0, size / 2);
    }
    beton_close(f);
    test_put(out.text, bytes, n);
    mem_free(ctx, bytes);
    dataset *d;
    assert_ok(dataset_open(&d, ctx, out.text));
    feeder_source source = {.ds = d, .size = 16, .channels = 3};
    feeder_options o = {.batch = 5, .order = FEEDER_SEQUENTIAL};
    for (o.threads = 0; o.threads <= 4; o.threads++) {
        feeder *l;
        feeder_batch b;
        assert_ok(feeder_create(&l, ctx, &source, &o));
        for (uint32_t epoch = 0; epoch < 3; epoch++) {
            assert_ok(feeder_epoch(l, epoch));
            for (int i = 0; i < 3; i++) {
                assert_ok(feeder_next(l, &b));
                assert_int_equal(b.rows[0], 5 * i);
            }
            for (int i = 0; i < 2; i++) { /* and it stays said */
                assert_fails(ASSAY_E_FORMAT, feeder_next(l, &b));
                assert_int_equal(b.n, 0);
                assert_non_null(
                    strstr(assay_last_error()->where, "sample 17, field 'image'"));
            }
        }
        feeder_destroy(l);
    }
    npy_array a;
    assert_fails(ASSAY_E_FORMAT,
                 dataset_pixels(d, ctx, 16, 3, test_in(&s, "p.npy").text, &a));
    assert_non_null(strstr(assay_last_error()->where, "sample 17"));
    dataset_close(d);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* ---- hostile files ---- */

static void flipped_bits(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    put_idx_set(ctx, &s, 6, 3);
    test_path out = test_in(&s, "out.beton");
    assert_ok(assay_pack(ctx, s.folder, out.text, NULL, NULL));
    size_t n, opened = 0, refused = 0;
    uint8_t *bytes = test_get(ctx, out.text, &n);
    image im = image_make(ctx);
    /* in the header and the table, and in the last 2 KiB: our section and the allocation
     * table */
    for (size_t k = 0; k < 6000; k++) {
        size_t span = 24 + 2 * 1041 + 9 * 24, tail = 2048;
        size_t at = k % 2 == 0 ? (k * 7919) % span : n - 1 - (k * 7919) % tail;
        uint8_t bit = (uint8_t)(1 << (k / 2) % 8);
        bytes[at] ^= bit;
        dataset *d;
        if (dataset_open_memory(&d, ctx, bytes, n, "flipped") == ASSAY_OK) {
            opened++;
            for (uint64_t row = 0; row < dataset_rows(d); row++) {
                assert_true(dataset_label(d, row) < dataset_classes(d));
                assert_true(strlen(dataset_id(d, row)) < n);
                if (dataset_image(d, row, &im) != ASSAY_OK)
                    assert_int_equal(assay_last_error()->status, ASSAY_E_FORMAT);
            }
            dataset_close(d);
        } else {
            refused++;
            assert_true(strlen(assay_last_error()->message) > 0);
        }
        bytes[at] ^= bit;
    }
    assert_true(refused > 200 && opened > 0);
    image_free(&im);
    mem_free(ctx, bytes);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* verify finds a bit that changed anywhere, and a file cut anywhere. */
static void verify_finds_any_change(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    put_idx_set(ctx, &s, 6, 3);
    test_path out = test_in(&s, "out.beton");
    assay_pack_options o = ASSAY_PACK_OPTIONS_INIT;
    o.page_size = 1 << 21;
    assert_ok(assay_pack(ctx, s.folder, out.text, &o, NULL));
    size_t n;
    uint8_t *bytes = test_get(ctx, out.text, &n);
    size_t head = 24 + 2 * 1041 + 9 * 24, page = 1 << 21;
    for (size_t k = 0; k < 80; k++) {
        /* header and table; the first page; what is behind the pages; anywhere */
        const size_t from[4] = {0, page, 2 * page, 0},
                     span[4] = {head, 540, n - 2 * page, n};
        size_t at = from[k % 4] + (size_t)rng_mix64(k) % span[k % 4];
        bytes[at] ^= (uint8_t)(1 << k % 8);
        test_put(out.text, bytes, n);
        assay_status status = assay_beton_verify(ctx, out.text, 0, NULL);
        if (status != ASSAY_E_FORMAT && status != ASSAY_E_VERSION &&
            status != ASSAY_E_UNSUPPORTED)
            fail_msg("byte %zu of %zu: %s", at, n, assay_status_name(status));
        bytes[at] ^= (uint8_t)(1 << k % 8);
    }
    for (size_t cut = 0; cut < n; cut += cut < head ? 53 : n / 40) {
        test_put(out.text, bytes, cut);
        assert_fails(ASSAY_E_FORMAT, assay_beton_verify(ctx, out.text, 1, NULL));
        assert_non_null(strstr(assay_last_error()->where, "out.beton"));
    }
    test_put(out.text, bytes, n);
    assert_ok(assay_beton_verify(ctx, out.text, 0, NULL));
    mem_free(ctx, bytes);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_ffcv),
        cmocka_unit_test(kept_images_stand_upright),
        cmocka_unit_test(packs_once),
        cmocka_unit_test(packs_a_file_once),
        cmocka_unit_test(pixels_are_kept),
        cmocka_unit_test(feeder_decodes),
        cmocka_unit_test(feeder_names_the_damaged),
        cmocka_unit_test(flipped_bits),
        cmocka_unit_test(verify_finds_any_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

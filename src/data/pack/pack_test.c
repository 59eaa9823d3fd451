/* Packing, and opening what was packed: contents, splits, identity, bytes, bad sources.
 */
#include <assay/data.h>

#include "base/hash.h"
#include "data/dataset.h"
#include "data/identity.h"
#include "data/pack/encode.h"
#include "data/pack/pack.h"
#include "data/testing.h"
#include "file/beton.h"

#include <math.h>
#include <sys/stat.h>

/* A picture that differs from number to number. */
static void draw(image *im, int w, int h, int k, bool gray) {
    assert_ok(image_resize_storage(im, w, h));
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int c = 0; c < 3; c++)
                im->rgb[(y * w + x) * 3 + c] =
                    (uint8_t)(k * 40 + x * 3 + y * 5 + (gray ? 0 : c * 60));
}

static void put_picture(assay_ctx *ctx,
                        const test_scratch *s,
                        const char *name,
                        int w,
                        int h,
                        int k,
                        bool gray) {
    image im = image_make(ctx);
    buf b = buf_make(ctx);
    draw(&im, w, h, k, gray);
    if (strstr(name, ".png") != NULL)
        assert_ok(image_encode_png(&b, &im));
    else
        assert_ok(image_encode_jpeg(&b, &im, 90, true));
    put_buf(s, name, &b);
    image_free(&im);
}

static void put_folder(assay_ctx *ctx, const test_scratch *s) {
    char name[64];
    for (int k = 0; k < 12; k++) {
        snprintf(name, sizeof name, "src/cat/%02d.png", k);
        put_picture(ctx, s, name, 20 + k, 30, k, false);
        snprintf(name, sizeof name, "src/dog/%02d.jpg", k);
        put_picture(ctx, s, name, 120, 90 + k, k, false);
    }
}

static assay_pack_options options(void) {
    return (assay_pack_options)ASSAY_PACK_OPTIONS_INIT;
}

/* ---- idx to .beton and back ---- */

static void packs_idx(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(2);
    test_scratch s = test_scratch_begin();
    put_idx_set(ctx, &s, 50, 20);
    test_path out = test_in(&s, "out.beton");
    assay_pack_result r;
    assert_ok(assay_pack(ctx, s.folder, out.text, NULL, &r));
    assert_int_equal(r.rows, 70);
    assert_int_equal(r.train_rows, 50);
    assert_int_equal(r.test_rows, 20);
    assert_int_equal(r.classes, 3);
    assert_string_equal(r.importer, "idx");
    struct stat st;
    assert_int_equal(stat(out.text, &st), 0);
    assert_int_equal(r.bytes, st.st_size);
    dataset *d;
    assert_ok(dataset_open(&d, ctx, out.text));
    assert_int_equal(dataset_rows(d), 70);
    assert_int_equal(dataset_train_rows(d), 50);
    assert_int_equal(dataset_classes(d), 3);
    assert_string_equal(dataset_class_name(d, 1), "1");
    assert_string_equal(dataset_class_name(d, 3), "");
    assert_int_equal(dataset_channels(d), 1);
    assert_string_equal(dataset_sha256(d), r.sha256);
    assert_string_equal(dataset_id(d, 0), "train/0");
    assert_string_equal(dataset_id(d, 69), "test/19");
    int low, middle, high;
    dataset_sizes(d, &low, &middle, &high);
    assert_int_equal(low, 4);
    assert_int_equal(middle, 4);
    assert_int_equal(high, 5);
    image im = image_make(ctx);
    for (uint64_t row = 0; row < 70; row++) {
        size_t k = row < 50 ? row : row - 50;
        assert_ok(dataset_image(d, row, &im));
        assert_int_equal(dataset_label(d, row), test_label(k));
        assert_int_equal(im.width, 4);
        assert_int_equal(im.height, 5);
        for (size_t i = 0; i < 60; i++)
            assert_int_equal(im.rgb[i], test_pixel(k, i / 3));
    }
    image_free(&im);
    /* pixels at their own size, and statistics over the training rows */
    npy_array a;
    test_path work = test_in(&s, "pixels.npy");
    double sum = 0, squares = 0;
    assert_ok(dataset_pixels(d, ctx, 5, 1, work.text, &a));
    assert_int_equal(a.dim[0], 70);
    assert_int_equal(a.dim[3], 1);
    for (size_t i = 0; i < 50 * 25; i++) {
        sum += a.data[i] / 255.0;
        squares += a.data[i] / 255.0 * (a.data[i] / 255.0);
    }
    float mean[3], std[3];
    dataset_statistics(&a, 50, mean, std);
    sum /= 1250;
    assert_true(fabs((double)mean[0] - sum) < 1e-6);
    assert_true(fabs((double)std[0] - sqrt(squares / 1250 - sum * sum)) < 1e-6);
    assert_true(mean[1] == 0 && std[1] == 1);
    npy_close(&a);
    dataset_close(d);
    char *json;
    assert_ok(assay_beton_verify(ctx, out.text, 0, &json));
    assay_string_free(ctx, json);
    assert_ok(assay_beton_info(ctx, out.text, &json));
    assert_non_null(strstr(json, r.sha256));
    assert_null(strstr(json, s.folder)); /* no paths inside */
    assay_string_free(ctx, json);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void names_splits_alone(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    put_idx_set(ctx, &s, 50, 20);
    test_path out = test_in(&s, "out.beton");
    assay_pack_options o = options();
    assay_pack_result r;
    dataset *d;
    o.split = "test";
    assert_ok(assay_pack(ctx, s.folder, out.text, &o, &r));
    assert_int_equal(r.rows, 20);
    assert_int_equal(r.train_rows, 0);
    assert_ok(dataset_open(&d, ctx, out.text));
    assert_int_equal(dataset_train_rows(d), 0);
    assert_string_equal(dataset_id(d, 3), "test/3");
    assert_int_equal(dataset_sample(d, 3), 3);
    dataset_close(d);
    o.split = "val";
    o.force = 1;
    assert_fails(ASSAY_E_INVALID, assay_pack(ctx, s.folder, out.text, &o, &r));
    assert_string_equal(assay_last_error()->help, "its splits are: train, test");
    /* a limit takes rows evenly from each split */
    o = options();
    o.force = 1;
    o.limit = 10;
    assert_ok(assay_pack(ctx, s.folder, out.text, &o, &r));
    assert_int_equal(r.train_rows, 10);
    assert_int_equal(r.test_rows, 10);
    assert_ok(dataset_open(&d, ctx, out.text));
    assert_string_equal(dataset_id(d, 1), "train/5");
    assert_string_equal(dataset_id(d, 19), "test/18");
    dataset_close(d);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* Without a test split a fifth goes there, by id: the same rows whatever else there is.
 */
static void splits_by_id(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(2);
    test_scratch s = test_scratch_begin();
    put_idx_set(ctx, &s, 1000, 0);
    test_path out = test_in(&s, "out.beton");
    assay_pack_result r;
    dataset *d;
    assert_ok(assay_pack(ctx, s.folder, out.text, NULL, &r));
    assert_in_range(r.test_rows, 160, 240);
    assert_ok(dataset_open(&d, ctx, out.text));
    for (uint64_t row = 0; row < 1000; row++) {
        assert_int_equal(identity_in_test(dataset_id(d, row)), row >= r.train_rows);
        if (row > 0 && row != r.train_rows) {
            unsigned a, b;
            assert_int_equal(sscanf(dataset_id(d, row - 1), "train/%u", &a), 1);
            assert_int_equal(sscanf(dataset_id(d, row), "train/%u", &b), 1);
            assert_true(a < b);
        }
    }
    dataset_close(d);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* ---- modes ---- */

static void check_stored(assay_ctx *ctx, const char *path, int raw, int jpg) {
    char *json, want[64];
    assert_ok(assay_beton_info(ctx, path, &json));
    snprintf(want, sizeof want, "\"raw\": %d", raw);
    assert_non_null(strstr(json, want));
    snprintf(want, sizeof want, "\"jpg\": %d", jpg);
    assert_non_null(strstr(json, want));
    assay_string_free(ctx, json);
    assert_ok(assay_beton_verify(ctx, path, 0, NULL));
}

static void modes(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(2);
    test_scratch s = test_scratch_begin();
    put_folder(ctx, &s);
    test_path src = test_in(&s, "src"), out = test_in(&s, "out.beton");
    static const struct {
        const char *mode;
        int raw, jpg, limit;
    } cases[] = {{NULL, 12, 12, 0},   {"raw", 24, 0, 0}, {"jpg", 0, 24, 0},
                 {"keep", 12, 12, 0}, {NULL, 24, 0, 64}, {"keep", 12, 12, 100}};
    char sha[6][65];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assay_pack_options o = options();
        assay_pack_result r;
        o.mode = cases[i].mode;
        o.max_resolution = cases[i].limit;
        o.force = 1;
        assert_ok(assay_pack(ctx, src.text, out.text, &o, &r));
        assert_int_equal(r.rows, 24);
        check_stored(ctx, out.text, cases[i].raw, cases[i].jpg);
        memcpy(sha[i], r.sha256, 65);
    }
    assert_string_equal(sha[0], sha[3]); /* content, not options */
    assert_string_not_equal(sha[0], sha[1]);
    /* bytes that are kept are the file's own */
    assay_pack_options o = options();
    o.mode = "keep";
    o.force = 1;
    assert_ok(assay_pack(ctx, src.text, out.text, &o, NULL));
    dataset *d;
    assert_ok(dataset_open(&d, ctx, out.text));
    for (uint64_t row = 0; row < 24; row++) {
        const char *id = dataset_id(d, row);
        if (strstr(id, ".jpg") == NULL)
            continue;
        size_t n, m;
        char name[96];
        snprintf(name, sizeof name, "src/%s", id);
        test_path dumped = test_in(&s, "x.jpg"), file = test_in(&s, name);
        assert_ok(assay_beton_dump(ctx, out.text, row, "image", dumped.text, 1));
        uint8_t *a = test_get(ctx, dumped.text, &n), *b = test_get(ctx, file.text, &m);
        assert_int_equal(n, m);
        assert_memory_equal(a, b, n);
        mem_free(ctx, a);
        mem_free(ctx, b);
    }
    dataset_close(d);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void sizes_follow_ffcv(void **unused) {
    (void)unused;
    static const int known[][5] = {{640, 480, 500, 500, 375}, {322, 100, 256, 255, 79},
                                   {501, 501, 500, 499, 499}, {100, 90, 500, 100, 90},
                                   {1000, 3, 100, 100, 1},    {3, 1000, 100, 1, 100}};
    int fell_short = 0;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        int w, h;
        encode_shrunk(known[i][0], known[i][1], known[i][2], &w, &h);
        if (i == 2) /* the rule rounds down where the product does */
            assert_true(w == 499 || w == 500);
        else {
            assert_int_equal(w, known[i][3]);
            assert_int_equal(h, known[i][4]);
        }
    }
    for (int side = 501; side < 4000; side++) {
        int w, h;
        encode_shrunk(side, 1, 500, &w, &h);
        fell_short += w == 499;
    }
    assert_int_equal(fell_short, 462); /* as counted for FFCV's writer */
}

/* ---- bytes ---- */

static void file_digest(assay_ctx *ctx, const char *path, char hex[65]) {
    size_t n;
    uint8_t digest[32], *bytes = test_get(ctx, path, &n);
    identity_payload(digest, bytes, n);
    hash_hex(hex, digest);
    mem_free(ctx, bytes);
}

static void same_bytes_at_any_number_of_threads(void **unused) {
    (void)unused;
    test_scratch s = test_scratch_begin();
    char hex[4][65];
    for (int threads = 1; threads <= 4; threads++) {
        assay_ctx *ctx = test_ctx(threads);
        if (threads == 1)
            put_folder(ctx, &s);
        assay_pack_options o = options();
        o.page_size = 1 << 21;
        o.mode = "jpg";
        o.force = 1;
        test_path out = test_in(&s, "out.beton");
        assert_ok(assay_pack(ctx, test_in(&s, "src").text, out.text, &o, NULL));
        file_digest(ctx, out.text, hex[threads - 1]);
        assert_string_equal(hex[0], hex[threads - 1]);
        assay_ctx_destroy(ctx);
    }
    test_scratch_end(&s);
}

/* ---- bad sources ---- */

static void damaged_images(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(2);
    test_scratch s = test_scratch_begin();
    put_folder(ctx, &s);
    test_path src = test_in(&s, "src"), out = test_in(&s, "out.beton");
    assay_pack_options o = options();
    assay_pack_result r;
    size_t n;
    uint8_t *jpg = test_get(ctx, test_in(&s, "src/dog/03.jpg").text, &n);
    put_in(&s, "src/dog/03.jpg", jpg, n / 2);
    assert_fails(ASSAY_E_FORMAT, assay_pack(ctx, src.text, out.text, &o, &r));
    assert_non_null(strstr(assay_last_error()->where, "dog/03.jpg"));
    assert_true(strlen(assay_last_error()->message) > 5);
    assert_non_null(strstr(assay_last_error()->help, "--skip-corrupt"));
    assert_false(os_exists(out.text));
    o.skip_corrupt = 1;
    assert_ok(assay_pack(ctx, src.text, out.text, &o, &r));
    assert_int_equal(r.rows, 23);
    assert_int_equal(r.skipped, 1);
    dataset *d;
    const char *split, *id, *reason;
    assert_ok(dataset_open(&d, ctx, out.text));
    assert_int_equal(dataset_rows(d), 23);
    assert_int_equal(dataset_skipped(d), 1);
    dataset_skipped_at(d, 0, &split, &id, &reason);
    assert_string_equal(id, "dog/03.jpg");
    assert_string_equal(split, identity_in_test(id) ? "test" : "train");
    assert_true(strlen(reason) > 5);
    for (uint64_t row = 0; row < 23; row++)
        assert_string_not_equal(dataset_id(d, row), "dog/03.jpg");
    dataset_close(d);
    /* many: five are named */
    static const char *const bad[] = {"00", "02", "04", "05", "07", "08", "11"};
    for (size_t i = 0; i < 7; i++) {
        char name[64];
        snprintf(name, sizeof name, "src/cat/%s.png", bad[i]);
        put_in(&s, name, "not an image", i == 0 ? 0 : 12);
    }
    o = options();
    o.force = 1;
    assert_fails(ASSAY_E_FORMAT, assay_pack(ctx, src.text, out.text, &o, &r));
    const assay_error *e = assay_last_error();
    assert_string_equal(e->message, "8 images can't be decoded");
    assert_non_null(strstr(e->where, "and 3 more"));
    int named = 0;
    for (const char *at = e->where; (at = strchr(at, '(')) != NULL; at++)
        named++;
    assert_int_equal(named, 5);
    assert_ok(dataset_open(&d, ctx, out.text)); /* the old file is still there */
    dataset_close(d);
    mem_free(ctx, jpg);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* An image larger than a page makes the page grow, unless its size was given. */
static void pages_fit(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(2);
    test_scratch s = test_scratch_begin();
    test_path src = test_in(&s, "src"), out = test_in(&s, "out.beton");
    put_picture(ctx, &s, "src/a/0.png", 10, 10, 0, true);
    put_picture(ctx, &s, "src/b/1.png", 1800, 1700, 1, true);
    put_in(&s, "src/b/2.png", "no", 2);
    assay_pack_options o = options();
    assay_pack_result r;
    char *json;
    o.mode = "raw";
    assert_fails(ASSAY_E_FORMAT, assay_pack(ctx, src.text, out.text, &o, &r));
    o.skip_corrupt = 1;
    assert_ok(assay_pack(ctx, src.text, out.text, &o, &r));
    assert_int_equal(r.rows, 2);
    assert_int_equal(r.skipped, 1);
    assert_ok(assay_beton_info(ctx, out.text, &json));
    assert_non_null(strstr(json, "\"page_size\": 16777216"));
    assay_string_free(ctx, json);
    assert_ok(assay_beton_verify(ctx, out.text, 0, NULL));
    o.page_size = 1 << 21;
    o.force = 1;
    assert_ok(os_remove_tree(test_in(&s, "src/b/2.png").text));
    assert_fails(ASSAY_E_SHAPE, assay_pack(ctx, src.text, out.text, &o, &r));
    assert_non_null(strstr(assay_last_error()->where, "b/1.png"));
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void refusals(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    put_idx_set(ctx, &s, 6, 3);
    test_path out = test_in(&s, "out.beton");
    assay_pack_options o = options();
    o.quality = 101;
    assert_fails(ASSAY_E_INVALID, assay_pack(ctx, s.folder, out.text, &o, NULL));
    o = options();
    o.mode = "png";
    assert_fails(ASSAY_E_INVALID, assay_pack(ctx, s.folder, out.text, &o, NULL));
    o = options();
    o.page_size = 3000000;
    assert_fails(ASSAY_E_INVALID, assay_pack(ctx, s.folder, out.text, &o, NULL));
    o = options();
    o.from = "tar";
    assert_fails(ASSAY_E_INVALID, assay_pack(ctx, s.folder, out.text, &o, NULL));
    o.from = "cifar10";
    assert_fails(ASSAY_E_FORMAT, assay_pack(ctx, s.folder, out.text, &o, NULL));
    o = options();
    o.limit = -1;
    assert_fails(ASSAY_E_INVALID, assay_pack(ctx, s.folder, out.text, &o, NULL));
    assert_fails(ASSAY_E_NOTFOUND,
                 assay_pack(ctx, test_in(&s, "none").text, out.text, NULL, NULL));
    assert_fails(
        ASSAY_E_INVALID,
        assay_pack(ctx, s.folder, test_in(&s, "no/such/out.beton").text, NULL, NULL));
    assert_false(os_exists(out.text));
    assert_int_equal(test_count_files(ctx, &s), 4); /* nothing half-written */
    assert_ok(assay_pack(ctx, s.folder, out.text, NULL, NULL));
    assert_fails(ASSAY_E_INVALID, assay_pack(ctx, s.folder, out.text, NULL, NULL));
    assert_non_null(strstr(assay_last_error()->message, "exists"));
    assert_fails(ASSAY_E_INVALID, assay_pack(ctx, s.folder, s.folder, NULL, NULL));
    assert_fails(ASSAY_E_INVALID,
                 assay_pack(ctx, out.text, test_in(&s, "b.beton").text, NULL, NULL));
    assay_ctx_cancel(ctx);
    o = options();
    o.force = 1;
    assert_fails(ASSAY_E_CANCELLED, assay_pack(ctx, s.folder, out.text, &o, NULL));
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* ---- columns ---- */

enum { COLUMN_ROWS = 40 };

static assay_status
columns_open(void **state, import_list *list, assay_ctx *ctx, const char *path) {
    static const import_column columns[] = {
        {.type = BETON_FLOAT, .name = "weight"},
        {.type = BETON_INT, .name = "count"},
        {.type = BETON_BYTES, .name = "blob"},
        {.type = BETON_NDARRAY,
         .name = "sixteen_letters_",
         .typestr = "<i2",
         .ndim = 2,
         .dim = {2, 3}},
        {.type = BETON_JSON, .name = "meta"},
        {.type = BETON_TENSOR, .name = "tensor", .typestr = "<f4", .ndim = 1, .dim = {1}},
    };
    (void)ctx;
    *state = NULL;
    list->no_image = strstr(path, "image") == NULL;
    list->no_label = strstr(path, "label") == NULL;
    if (!list->no_label) {
        assert_ok(import_add_class(list, "even"));
        assert_ok(import_add_class(list, "odd"));
    }
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        assert_ok(import_add_column(list, &columns[i]));
    for (int i = 0; i < COLUMN_ROWS; i++) {
        char id[16];
        snprintf(id, sizeof id, "row/%d", i);
        assert_ok(import_add(list, i < 30 ? IMPORT_TRAIN : IMPORT_TEST, i % 2,
                             (uint64_t)i, id));
    }
    return ASSAY_OK;
}

static assay_status
columns_fetch(const void *state, const import_list *list, size_t row, import_image *out) {
    static const uint8_t pixels[2 * 3 * 3] = {1, 2, 3, 250, 251, 252};
    (void)state;
    (void)list;
    (void)row;
    out->raw = true;
    out->width = 3;
    out->height = 2;
    out->channels = 3;
    out->data = pixels;
    out->bytes = sizeof pixels;
    return ASSAY_OK;
}

static assay_status columns_fetch_cell(const void *state,
                                       const import_list *list,
                                       size_t row,
                                       size_t column,
                                       import_cell *out) {
    static const uint8_t bytes[64] = {5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    (void)state;
    (void)list;
    out->number = -0.5 * (double)row;
    out->integer = -(int64_t)row;
    out->data = column == 4 ? (const uint8_t *)"[1, 2]" : bytes;
    out->bytes = column == 2 ? row % 5 : column == 3 ? 12 : column == 4 ? 6 : 4;
    if (column == 2 && row == 7)
        return err_set(ASSAY_E_FORMAT, "no blob");
    return ASSAY_OK;
}

static void columns_close(void *state) {
    (void)state;
}

static const data_importer columns_importer = {.name = "columns",
                                               .open = columns_open,
                                               .fetch = columns_fetch,
                                               .fetch_cell = columns_fetch_cell,
                                               .close = columns_close};

static void check_columns(assay_ctx *ctx, const char *path, int first) {
    static const char *const names[] = {"weight",           "count", "blob",
                                        "sixteen_letters_", "meta",  "tensor"};
    beton_file *f;
    const uint8_t *data;
    uint64_t bytes;
    assert_ok(beton_open(&f, ctx, path));
    assert_int_equal(beton_samples(f), COLUMN_ROWS - 1); /* row 7 is left out */
    assert_int_equal(beton_fields(f), first + 6);
    for (int i = 0; i < 6; i++)
        assert_string_equal(beton_field_at(f, first + i)->name, names[i]);
    for (uint64_t s = 0; s < COLUMN_ROWS - 1; s++) {
        uint64_t row = s < 7 ? s : s + 1;
        assert_true(le_f64_get(beton_cell(f, s, first)) == -0.5 * (double)row);
        assert_int_equal((int64_t)le64_get(beton_cell(f, s, first + 1)), -(int64_t)row);
        for (int k = 2; k < 6; k++) {
            static const uint64_t want[] = {0, 12, 7, 4};
            uint64_t ptr = le64_get(beton_cell(f, s, first + k));
            assert_ok(beton_payload(f, s, first + k, ptr, 0, &data, &bytes));
            assert_int_equal(bytes, k == 2 ? row % 5 : want[k - 2]);
            if (k == 4)
                assert_string_equal((const char *)data, "[1, 2]");
            else if (bytes > 0)
                assert_int_equal(data[bytes - 1], 4 + bytes);
        }
    }
    beton_close(f);
    assert_ok(assay_beton_verify(ctx, path, 0, NULL));
}

static void columns(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(2);
    test_scratch s = test_scratch_begin();
    static const char *const sources[] = {"image label", "label", "image", "neither"};
    test_path out = test_in(&s, "out.beton");
    for (size_t i = 0; i < 4; i++) {
        assay_pack_options o = options();
        assay_pack_result r;
        dataset *d;
        o.force = 1;
        assert_fails(ASSAY_E_FORMAT,
                     pack_with(ctx, &columns_importer, sources[i], out.text, &o, &r));
        assert_non_null(strstr(assay_last_error()->where, "row/7"));
        o.skip_corrupt = 1;
        assert_ok(pack_with(ctx, &columns_importer, sources[i], out.text, &o, &r));
        assert_int_equal(r.rows, COLUMN_ROWS - 1);
        assert_int_equal(r.skipped, 1);
        assert_int_equal(r.classes, i < 2 ? 2 : 0);
        check_columns(ctx, out.text, (i != 3) + (i == 0));
        if (i == 0) {
            assert_ok(dataset_open(&d, ctx, out.text));
            dataset_close(d);
        } else if (i != 2) {
            assert_fails(ASSAY_E_UNSUPPORTED, dataset_open(&d, ctx, out.text));
            assert_string_equal(assay_last_error()->message, "no image field");
        }
    }
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* ---- smart, proportion, subsets, orders ---- */

static void chosen_modes(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(2);
    test_scratch s = test_scratch_begin();
    put_folder(ctx, &s);
    test_path src = test_in(&s, "src"), out = test_in(&s, "out.beton");
    assay_pack_options o = options();
    o.force = 1;
    o.mode = "smart";
    o.smart_threshold = 3 * 120 * 95; /* dogs of up to 95 rows are raw */
    assert_ok(assay_pack(ctx, src.text, out.text, &o, NULL));
    check_stored(ctx, out.text, 12 + 6, 6);
    o.smart_threshold = 0;
    assert_ok(assay_pack(ctx, src.text, out.text, &o, NULL));
    check_stored(ctx, out.text, 24, 0);
    o.mode = "proportion";
    o.proportion = 0;
    assert_ok(assay_pack(ctx, src.text, out.text, &o, NULL));
    check_stored(ctx, out.text, 24, 0);
    o.proportion = 1;
    assert_ok(assay_pack(ctx, src.text, out.text, &o, NULL));
    check_stored(ctx, out.text, 0, 24);
    o.proportion = 0.5;
    char sha[3][65];
    assay_pack_result r;
    for (int i = 0; i < 3; i++) {
        o.seed = i == 2;
        assert_ok(assay_pack(ctx, src.text, out.text, &o, &r));
        memcpy(sha[i], r.sha256, 65);
    }
    assert_string_equal(sha[0], sha[1]);
    assert_string_not_equal(sha[0], sha[2]);
    o.proportion = 1.5;
    assert_fails(ASSAY_E_INVALID, assay_pack(ctx, src.text, out.text, &o, &r));
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void subsets_and_orders(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(2);
    test_scratch s = test_scratch_begin();
    put_idx_set(ctx, &s, 50, 20);
    test_path out = test_in(&s, "out.beton"), list = test_in(&s, "rows.txt");
    assay_pack_options o = options();
    assay_pack_result r;
    dataset *d;
    o.force = 1;
    o.rows = "3,10:13,:2,60:";
    assert_ok(assay_pack(ctx, s.folder, out.text, &o, &r));
    assert_int_equal(r.train_rows, 6);
    assert_int_equal(r.test_rows, 10);
    assert_ok(dataset_open(&d, ctx, out.text));
    static const char *const ids[] = {"train/0",  "train/1",  "train/3", "train/10",
                                      "train/11", "train/12", "test/10"};
    for (uint64_t i = 0; i < 7; i++)
        assert_string_equal(dataset_id(d, i), ids[i]);
    dataset_close(d);
    static const char text[] = "# rows\n4\ttrain\tcopy\n\n 69 x\r\n";
    test_put(list.text, text, strlen(text));
    o.rows = list.text;
    assert_ok(assay_pack(ctx, s.folder, out.text, &o, &r));
    assert_int_equal(r.rows, 2);
    static const char *const bad[] = {
        "70", "0:71", "5:3", "1,,2", "1:2:3", ":99999999999999999999999", ",", "71:"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        o.rows = bad[i];
        assert_fails(ASSAY_E_INVALID, assay_pack(ctx, s.folder, out.text, &o, &r));
    }
    test_put(list.text, "3\nx\n", 4);
    o.rows = list.text;
    assert_fails(ASSAY_E_FORMAT, assay_pack(ctx, s.folder, out.text, &o, &r));
    assert_non_null(strstr(assay_last_error()->where, "line 2"));
    /* shuffled within each split, by the seed */
    o = options();
    o.force = 1;
    o.shuffle = 1;
    o.seed = 5;
    assert_ok(assay_pack(ctx, s.folder, out.text, &o, &r));
    assert_int_equal(r.train_rows, 50);
    assert_ok(dataset_open(&d, ctx, out.text));
    bool seen[70] = {false}, moved = false;
    for (uint64_t i = 0; i < 70; i++) {
        unsigned k;
        assert_int_equal(sscanf(dataset_id(d, i), i < 50 ? "train/%u" : "test/%u", &k),
                         1);
        k += i < 50 ? 0 : 50;
        assert_false(seen[k]);
        seen[k] = true;
        moved = moved || k != i;
    }
    assert_true(moved);
    dataset_close(d);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packs_idx),
        cmocka_unit_test(names_splits_alone),
        cmocka_unit_test(splits_by_id),
        cmocka_unit_test(modes),
        cmocka_unit_test(sizes_follow_ffcv),
        cmocka_unit_test(same_bytes_at_any_number_of_threads),
        cmocka_unit_test(damaged_images),
        cmocka_unit_test(pages_fit),
        cmocka_unit_test(refusals),
        cmocka_unit_test(columns),
        cmocka_unit_test(chosen_modes),
        cmocka_unit_test(subsets_and_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* NumPy's arrays as a source: which are taken, how pixels lie, and what is refused. */
#include "data/testing.h"

#include <assay/data.h>

#include "file/npy.h"

static void put_array(const test_scratch *s,
                      const char *name,
                      assay_dtype dtype,
                      int ndim,
                      const int64_t *dim,
                      const void *data) {
    assay_ctx *ctx = test_ctx(1);
    assert_ok(npy_put(ctx, test_in(s, name).text, dtype, ndim, dim, data));
    assay_ctx_destroy(ctx);
}

/* n images of h x w x c bytes, pixel (y, x) of channel k at a place that all layouts
 * share.
 */
static uint8_t value(size_t i, size_t y, size_t x, size_t k) {
    return (uint8_t)(i * 101 + y * 17 + x * 3 + k * 71);
}

static void put_images(const test_scratch *s,
                       const char *name,
                       bool planar,
                       int64_t n,
                       int64_t h,
                       int64_t w,
                       int64_t c) {
    uint8_t pixels[2048];
    size_t at = 0;
    int64_t outer = planar ? c : 1, inner = planar ? 1 : c;
    for (int64_t i = 0; i < n; i++)
        for (int64_t o = 0; o < outer; o++)
            for (int64_t y = 0; y < h; y++)
                for (int64_t x = 0; x < w; x++)
                    for (int64_t k = 0; k < inner; k++)
                        pixels[at++] = value((size_t)i, (size_t)y, (size_t)x,
                                             (size_t)(planar ? o : k));
    const int64_t last[] = {n, h, w, c}, first[] = {n, c, h, w};
    put_array(s, name, ASSAY_U8, c == 0 ? 3 : 4, planar ? first : last, pixels);
}

static void
assert_pixels(const test_source *o, size_t row, size_t i, int h, int w, int c) {
    import_image im = {.ctx = o->list.ctx};
    assert_ok(o->importer->fetch(o->state, &o->list, row, &im));
    assert_true(im.raw);
    assert_int_equal(im.height, h);
    assert_int_equal(im.width, w);
    assert_int_equal(im.channels, c);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int k = 0; k < c; k++)
                assert_int_equal(im.data[(y * w + x) * c + k],
                                 value(i, (size_t)y, (size_t)x, (size_t)k));
    import_image_free(&im);
}

static void lists_pairs(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_source o;
    static const int32_t train[3] = {2, 0, 1};
    static const uint8_t test[2] = {1, 2};
    const int64_t three[] = {3}, two[] = {2, 1};
    put_images(&s, "x_train.npy", false, 3, 4, 5, 3);
    put_images(&s, "x_test.npy", false, 2, 6, 7, 3);
    put_array(&s, "y_train.npy", ASSAY_I32, 1, three, train);
    put_array(&s, "y_test.npy", ASSAY_U8, 2, two, test);
    put_in(&s, "other.npy", "x", 1);
    assert_ok(test_source_open(&o, ctx, s.folder));
    assert_string_equal(o.importer->name, "npy");
    assert_int_equal(o.list.rows, 5);
    assert_int_equal(o.list.classes, 3);
    assert_int_equal(import_count(&o.list, IMPORT_TEST), 2);
    for (size_t i = 0; i < 5; i++) {
        bool is_train = o.list.row[i].split == IMPORT_TRAIN;
        size_t k = o.list.row[i].ref & 0xff;
        assert_int_equal(o.list.row[i].label, is_train ? train[k] : test[k]);
        assert_pixels(&o, i, k, is_train ? 4 : 6, is_train ? 5 : 7, 3);
    }
    test_source_close(&o);
    /* one file: its own set alone */
    assert_ok(test_source_open(&o, ctx, test_in(&s, "x_train.npy").text));
    assert_int_equal(o.list.rows, 3);
    assert_string_equal(import_id(&o.list, 2), "train/2");
    test_source_close(&o);
    put_in(&s, "classes.txt", "a\nb\nc\n", 6);
    assert_ok(test_source_open(&o, ctx, s.folder));
    assert_string_equal(o.list.class_name[1], "b");
    test_source_close(&o);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* Grey, planar, and where both could be meant the channels are last. */
static void knows_layouts(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_source o;
    put_images(&s, "images.npy", true, 2, 5, 4, 3);
    assert_ok(test_source_open(&o, ctx, s.folder));
    assert_true(o.list.no_label);
    assert_string_equal(import_id(&o.list, 1), "images/1");
    assert_pixels(&o, 1, 1, 5, 4, 3);
    test_source_close(&o);
    put_images(&s, "images.npy", false, 2, 3, 5, 1);
    assert_ok(test_source_open(&o, ctx, s.folder));
    assert_pixels(&o, 1, 1, 3, 5, 1);
    test_source_close(&o);
    uint8_t grey[2 * 5 * 4] = {0};
    for (size_t i = 0; i < sizeof grey; i++)
        grey[i] = value(i / 20, i % 20 / 4, i % 4, 0);
    put_array(&s, "images.npy", ASSAY_U8, 3, (const int64_t[]){2, 5, 4}, grey);
    assert_ok(test_source_open(&o, ctx, s.folder));
    assert_pixels(&o, 1, 1, 5, 4, 1);
    test_source_close(&o);
    /* what is no image is a column */
    static const float f[6] = {1, 2, 3, 4, 5, 6};
    put_array(&s, "images.npy", ASSAY_F32, 2, (const int64_t[]){2, 3}, f);
    assert_ok(test_source_open(&o, ctx, s.folder));
    assert_true(o.list.no_image);
    assert_int_equal(o.list.columns, 1);
    assert_string_equal(o.list.column[0].name, "array");
    assert_string_equal(o.list.column[0].typestr, "<f4");
    assert_int_equal(o.list.column[0].ndim, 1);
    assert_int_equal(o.list.column[0].dim[0], 3);
    import_cell cell = {.ctx = ctx};
    assert_ok(o.importer->fetch_cell(o.state, &o.list, 1, 0, &cell));
    assert_int_equal(cell.bytes, 12);
    assert_memory_equal(cell.data, f + 3, 12);
    test_source_close(&o);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void refuses(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    static const int64_t labels[3] = {0, -1, 1};
    static const float f[6] = {0};
    put_images(&s, "images.npy", false, 3, 4, 4, 1);
    put_array(&s, "labels.npy", ASSAY_I64, 1, (const int64_t[]){3}, labels);
    assert_refused(ctx, s.folder, ASSAY_E_FORMAT, "label -1", "labels.npy, row 1");
    put_array(&s, "labels.npy", ASSAY_I64, 1, (const int64_t[]){2}, labels);
    assert_refused(ctx, s.folder, ASSAY_E_FORMAT, "2 labels for 3 images", "labels.npy");
    put_array(&s, "labels.npy", ASSAY_F32, 1, (const int64_t[]){3}, f);
    assert_refused(ctx, s.folder, ASSAY_E_SHAPE, "whole numbers", "labels.npy");
    put_array(&s, "labels.npy", ASSAY_I64, 2, (const int64_t[]){1, 3}, labels);
    assert_refused(ctx, s.folder, ASSAY_E_SHAPE, "shape [N]", "labels.npy");
    static const uint64_t large[3] = {0, UINT64_MAX, 1};
    put_array(&s, "labels.npy", ASSAY_U64, 1, (const int64_t[]){3}, large);
    assert_refused(ctx, s.folder, ASSAY_E_FORMAT, "label 9223372036854775807",
                   "labels.npy, row 1");
    put_array(&s, "a_images.npy", ASSAY_F32, 2, (const int64_t[]){2, 3}, f);
    put_in(&s, "labels.npy", "x", 1);
    assert_refused(ctx, s.folder, ASSAY_E_FORMAT, "not a .npy", "labels.npy");
    assert_ok(os_remove_tree(test_in(&s, "labels.npy").text));
    assert_refused(ctx, s.folder, ASSAY_E_FORMAT, "different types or shapes", s.folder);
    put_images(&s, "a_images.npy", false, 3, 4, 4, 1);
    put_array(&s, "a_labels.npy", ASSAY_I64, 1, (const int64_t[]){3}, labels);
    assert_refused(ctx, s.folder, ASSAY_E_FORMAT, "one has no labels", s.folder);
    put_array(&s, "images.npy", ASSAY_U8, 1, (const int64_t[]){3}, f);
    assert_refused(ctx, s.folder, ASSAY_E_SHAPE, "two dimensions", "images.npy");
    put_array(&s, "X.npy", ASSAY_U8, 1, (const int64_t[]){3}, f);
    assert_refused(ctx, s.folder, ASSAY_E_FORMAT, "the same to us", s.folder);
    /* an array that is cut */
    size_t n;
    assert_ok(os_remove_tree(test_in(&s, "X.npy").text));
    uint8_t *bytes = test_get(ctx, test_in(&s, "a_images.npy").text, &n);
    put_in(&s, "a_images.npy", bytes, n - 1);
    assert_refused(ctx, test_in(&s, "a_images.npy").text, ASSAY_E_FORMAT, "promises",
                   "a_images.npy");
    mem_free(ctx, bytes);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* A zip of stored members. */
static void zip_member(buf *body,
                       buf *directory,
                       int *count,
                       const char *name,
                       const uint8_t *data,
                       size_t n) {
    uint8_t local[30] = {'P', 'K', 3, 4, 20}, entry[46] = {'P', 'K', 1, 2, 20, 0, 20};
    uint32_t crc = 0xffffffff, at = (uint32_t)body->len;
    for (size_t i = 0; i < n; i++) {
        crc ^= data[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    le32_put(local + 14, ~crc);
    le32_put(local + 18, (uint32_t)n);
    le32_put(local + 22, (uint32_t)n);
    le16_put(local + 26, (uint16_t)strlen(name));
    memcpy(entry + 16, local + 14, 12);
    le16_put(entry + 28, (uint16_t)strlen(name));
    le32_put(entry + 42, at);
    buf_add(body, local, sizeof local);
    buf_str(body, name);
    buf_add(body, data, n);
    buf_add(directory, entry, sizeof entry);
    buf_str(directory, name);
    ++*count;
}

static void zip_end(buf *body, buf *directory, int count) {
    uint8_t end[22] = {'P', 'K', 5, 6};
    le16_put(end + 8, (uint16_t)count);
    le16_put(end + 10, (uint16_t)count);
    le32_put(end + 12, (uint32_t)directory->len);
    le32_put(end + 16, (uint32_t)body->len);
    buf_add(body, directory->data, directory->len);
    buf_add(body, end, sizeof end);
    buf_free(directory);
}

static void reads_npz(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_source o;
    static const char *const names[] = {"train_images.npy", "train_labels.npy",
                                        "note.txt"};
    static const int16_t labels[3] = {0, 1, 1};
    buf zip = buf_make(ctx), directory = buf_make(ctx);
    int count = 0;
    put_images(&s, "train_images.npy", false, 3, 4, 5, 3);
    put_array(&s, "train_labels.npy", ASSAY_I16, 1, (const int64_t[]){3}, labels);
    put_in(&s, "note.txt", "hello", 5);
    for (size_t i = 0; i < 3; i++) {
        size_t n;
        uint8_t *data = test_get(ctx, test_in(&s, names[i]).text, &n);
        zip_member(&zip, &directory, &count, names[i], data, n);
        mem_free(ctx, data);
    }
    zip_end(&zip, &directory, count);
    put_in(&s, "z/a.npz", zip.data, zip.len);
    assert_ok(test_source_open(&o, ctx, test_in(&s, "z/a.npz").text));
    assert_string_equal(o.importer->name, "npy");
    assert_int_equal(o.list.rows, 3);
    assert_int_equal(o.list.classes, 2);
    assert_string_equal(import_id(&o.list, 1), "train/1");
    for (size_t i = 0; i < 3; i++)
        assert_pixels(&o, i, i, 4, 5, 3);
    test_source_close(&o);
    /* cut anywhere, or spoiled inside */
    for (size_t n = 0; n < zip.len; n += zip.len / 19) {
        put_in(&s, "z/a.npz", zip.data, n);
        assert_fails(ASSAY_E_FORMAT,
                     test_source_open(&o, ctx, test_in(&s, "z/a.npz").text));
        test_source_close(&o);
    }
    zip.data[200] ^= 1;
    put_in(&s, "z/a.npz", zip.data, zip.len);
    assert_refused(ctx, test_in(&s, "z/a.npz").text, ASSAY_E_FORMAT, "zip is damaged",
                   "a.npz: train_images.npy");
    put_in(&s, "z/a.npz", "nothing", 7);
    assert_refused(ctx, test_in(&s, "z/a.npz").text, ASSAY_E_FORMAT, "zip is damaged",
                   "a.npz");
    buf_free(&zip);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_pairs),
        cmocka_unit_test(knows_layouts),
        cmocka_unit_test(refuses),
        cmocka_unit_test(reads_npz),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

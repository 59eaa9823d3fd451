/* The importers: what they list, what they hand out, and what they say of bad sources. */
#include "data/testing.h"

#include <assay/data.h>

/* ---- idx ---- */

static void idx_lists_and_fetches(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    put_idx_set(ctx, &s, 7, 4);
    test_source o;
    assert_ok(test_source_open(&o, ctx, s.folder));
    assert_string_equal(o.importer->name, "idx");
    assert_int_equal(o.list.rows, 11);
    assert_int_equal(o.list.classes, 3);
    assert_string_equal(o.list.class_name[2], "2");
    assert_int_equal(import_count(&o.list, IMPORT_TRAIN), 7);
    assert_int_equal(import_count(&o.list, IMPORT_TEST), 4);
    import_image im = {.ctx = ctx};
    for (size_t row = 0; row < o.list.rows; row++) {
        const import_row *r = &o.list.row[row];
        size_t k = (size_t)(r->ref & 0xffffff);
        assert_ok(o.importer->fetch(o.state, &o.list, row, &im));
        assert_true(im.raw);
        assert_int_equal(im.width, 4);
        assert_int_equal(im.height, 5);
        assert_int_equal(im.channels, 1);
        for (size_t i = 0; i < 20; i++)
            assert_int_equal(im.data[i], test_pixel(k, i));
        assert_int_equal(r->label, test_label(k));
        char id[32];
        snprintf(id, sizeof id, "%s/%zu", import_split_name(r->split), k);
        assert_string_equal(import_id(&o.list, row), id);
    }
    import_image_free(&im);
    test_source_close(&o);
    /* one images file alone */
    assert_ok(test_source_open(&o, ctx, test_in(&s, "t10k-images-idx3-ubyte").text));
    assert_int_equal(o.list.rows, 4);
    test_source_close(&o);
    /* names for the classes */
    put_in(&s, "classes.txt", "owl\r\nelk\n\newe\nant\n", 18);
    assert_ok(test_source_open(&o, ctx, s.folder));
    assert_int_equal(o.list.classes, 4);
    assert_string_equal(o.list.class_name[2], "ewe");
    test_source_close(&o);
    put_in(&s, "classes.txt", "owl\nelk\n", 8);
    assert_refused(ctx, s.folder, ASSAY_E_FORMAT, "names 2 classes", "labels");
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void idx_unpacks_gzip(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    buf plain = buf_make(ctx), packed = buf_make(ctx), labels = buf_make(ctx);
    idx_images(&plain, 9, 100, 120);
    gzip_stored(&packed, plain.data, plain.len);
    put_in(&s, "train-images-idx3-ubyte.gz", packed.data, packed.len);
    idx_labels(&labels, 9);
    put_in(&s, "train-labels.idx1-ubyte", labels.data, labels.len);
    test_source o;
    assert_ok(test_source_open(&o, ctx, s.folder));
    assert_int_equal(o.list.rows, 9);
    import_image im = {.ctx = ctx};
    assert_ok(o.importer->fetch(o.state, &o.list, 8, &im));
    assert_memory_equal(im.data, plain.data + 16 + 8 * 12000, 12000);
    test_source_close(&o);
    import_image_free(&im);
    /* cut anywhere, packed data end early; a changed byte breaks the check sum */
    for (size_t n = 1; n < packed.len; n += packed.len / 23) {
        put_in(&s, "train-images-idx3-ubyte.gz", packed.data, n);
        assert_fails(ASSAY_E_FORMAT, test_source_open(&o, ctx, s.folder));
        assert_non_null(strstr(assay_last_error()->where, "train-images-idx3-ubyte.gz"));
        test_source_close(&o);
    }
    put_in(&s, "train-images-idx3-ubyte.gz", packed.data, packed.len / 2);
    assert_refused(ctx, s.folder, ASSAY_E_FORMAT, "end early",
                   "train-images-idx3-ubyte.gz");
    buf_free(&plain);
    buf_free(&packed);
    buf_free(&labels);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void idx_refuses(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    put_idx_set(ctx, &s, 6, 0);
    size_t n;
    uint8_t *images = test_get(ctx, test_in(&s, "train-images-idx3-ubyte").text, &n);
    buf b = buf_make(ctx);
    idx_labels(&b, 5);
    put_buf(&s, "train-labels-idx1-ubyte", &b);
    assert_refused(ctx, s.folder, ASSAY_E_FORMAT, "5 labels for 6 images",
                   "train-labels-idx1-ubyte");
    idx_labels(&b, 6);
    put_in(&s, "train-labels-idx1-ubyte", b.data, b.len - 1);
    assert_refused(ctx, s.folder, ASSAY_E_FORMAT, "holds 5 bytes of data",
                   "train-labels");
    put_buf(&s, "train-labels-idx1-ubyte", &b);
    /* every cut of the images */
    for (size_t cut = 0; cut < n; cut++) {
        put_in(&s, "train-images-idx3-ubyte", images, cut);
        assert_refused(ctx, s.folder, ASSAY_E_FORMAT, "", "train-images-idx3-ubyte");
    }
    /* too long, wrong magic, wrong type, wrong sizes */
    b = buf_make(ctx);
    buf_add(&b, images, n);
    buf_add(&b, "x", 1);
    put_buf(&s, "train-images-idx3-ubyte", &b);
    assert_refused(ctx, s.folder, ASSAY_E_FORMAT, "more than", "train-images-idx3-ubyte");
    static const struct {
        size_t at;
        uint8_t v;
        const char *what;
    } wrong[] = {{0, 1, "not idx"},      {2, 0x0d, "element type"},
                 {3, 1, "no images"},    {3, 9, "1 to 4"},
                 {4, 0xff, "claims"},    {7, 7, "holds 120 bytes"},
                 {8, 0xff, "images of"}, {15, 0, "images of"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint8_t was = images[wrong[i].at];
        images[wrong[i].at] = wrong[i].v;
        put_in(&s, "train-images-idx3-ubyte", images, n);
        assert_refused(ctx, s.folder, ASSAY_E_FORMAT, wrong[i].what,
                       "train-images-idx3-ubyte");
        images[wrong[i].at] = was;
    }
    put_in(&s, "train-images-idx3-ubyte", images, n);
    assert_ok(os_remove_tree(test_in(&s, "train-labels-idx1-ubyte").text));
    assert_refused(ctx, s.folder, ASSAY_E_FORMAT, "no labels beside", s.folder);
    mem_free(ctx, images);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void idx_knows_fashion_mnist(void **unused) {
    (void)unused;
    static const char folder[] = "/usr/share/datasets/fashion-mnist";
    if (!os_exists(folder)) {
        print_message("skipped: the package dataset-fashion-mnist is not installed\n");
        skip();
    }
    assay_ctx *ctx = test_ctx(1);
    test_source o;
    assert_ok(test_source_open(&o, ctx, folder));
    assert_int_equal(import_count(&o.list, IMPORT_TRAIN), 60000);
    assert_int_equal(import_count(&o.list, IMPORT_TEST), 10000);
    assert_int_equal(o.list.classes, 10);
    assert_string_equal(o.list.class_name[9], "Ankle boot");
    assert_int_equal(o.list.row[0].label, 9);
    test_source_close(&o);
    assay_ctx_destroy(ctx);
}

/* ---- CIFAR-10 ---- */

static void cifar_lists_and_fetches(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    buf b = buf_make(ctx), packed = buf_make(ctx);
    cifar_records(&b, 11, 0);
    put_buf(&s, "data_batch_1.bin", &b);
    cifar_records(&b, 5, 11);
    gzip_stored(&packed, b.data, b.len);
    buf_free(&b);
    put_buf(&s, "data_batch_2.bin.gz", &packed);
    cifar_records(&b, 3, 16);
    put_buf(&s, "test_batch.bin", &b);
    test_source o;
    assert_ok(test_source_open(&o, ctx, s.folder));
    assert_string_equal(o.importer->name, "cifar10");
    assert_int_equal(o.list.rows, 19);
    assert_int_equal(import_count(&o.list, IMPORT_TEST), 3);
    assert_string_equal(o.list.class_name[9], "truck");
    assert_string_equal(import_id(&o.list, 12), "data_batch_2/1");
    import_image im = {.ctx = ctx};
    assert_ok(o.importer->fetch(o.state, &o.list, 12, &im));
    assert_int_equal(o.list.row[12].label, 2);
    for (size_t i = 0; i < 1024; i++)
        for (size_t c = 0; c < 3; c++)
            assert_int_equal(im.data[3 * i + c], test_pixel(12, c * 1024 + i));
    import_image_free(&im);
    test_source_close(&o);
    put_in(&s, "batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n", 21);
    assert_ok(test_source_open(&o, ctx, test_in(&s, "test_batch.bin").text));
    assert_int_equal(o.list.rows, 3);
    assert_string_equal(o.list.class_name[9], "j");
    test_source_close(&o);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void cifar_refuses(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    buf b = buf_make(ctx);
    cifar_records(&b, 4, 0);
    put_in(&s, "data_batch_1.bin", b.data, b.len - 1);
    assert_refused(ctx, s.folder, ASSAY_E_FORMAT, "whole number of records",
                   "data_batch_1.bin");
    put_in(&s, "data_batch_1.bin", b.data, 0);
    assert_refused(ctx, s.folder, ASSAY_E_FORMAT, "whole number of records",
                   "data_batch_1.bin");
    b.data[2 * 3073] = 10;
    put_in(&s, "data_batch_1.bin", b.data, b.len);
    assert_refused(ctx, s.folder, ASSAY_E_FORMAT, "label 10", "record 2");
    buf_free(&b);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* ---- CIFAR-100 ---- */

static void cifar100_lists_and_fetches(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    buf b = buf_make(ctx), packed = buf_make(ctx), names = buf_make(ctx);
    cifar100_records(&b, 12, 0);
    put_in(&s, "train.bin", b.data, b.len);
    test_source o;
    assert_ok(test_source_open(&o, ctx, s.folder));
    assert_string_equal(o.importer->name, "cifar100");
    assert_string_equal(o.list.class_name[99], "99");
    test_source_close(&o);
    for (int i = 0; i < 100; i++)
        buf_fmt(&names, "fine-%d\n", i);
    put_buf(&s, "fine_label_names.txt", &names);
    gzip_stored(&packed, b.data, 5 * 3074);
    put_buf(&s, "test.bin.gz", &packed);
    assert_ok(test_source_open(&o, ctx, s.folder));
    assert_int_equal(o.list.rows, 17);
    assert_int_equal(import_count(&o.list, IMPORT_TEST), 5);
    assert_int_equal(o.list.classes, 100);
    assert_string_equal(o.list.class_name[7], "fine-7");
    assert_int_equal(o.list.columns, 1);
    assert_string_equal(o.list.column[0].name, "coarse");
    assert_int_equal(o.list.column[0].type, BETON_INT);
    import_image im = {.ctx = ctx};
    import_cell cell = {.ctx = ctx};
    for (size_t row = 0; row < o.list.rows; row++) {
        size_t k = o.list.row[row].ref & 0xffff;
        assert_int_equal(o.list.row[row].label, k * 7 % 100);
        assert_ok(o.importer->fetch(o.state, &o.list, row, &im));
        assert_ok(o.importer->fetch_cell(o.state, &o.list, row, 0, &cell));
        assert_int_equal(cell.integer, k % 20);
        for (size_t i = 0; i < 1024; i++)
            for (size_t c = 0; c < 3; c++)
                assert_int_equal(im.data[3 * i + c], test_pixel(k, c * 1024 + i));
    }
    import_image_free(&im);
    import_cell_free(&cell);
    test_source_close(&o);
    /* a coarse label that is too large, and a file that is cut */
    b.data[3 * 3074] = 20;
    put_in(&s, "train.bin", b.data, b.len);
    assert_refused(ctx, s.folder, ASSAY_E_FORMAT, "label 20 where 0 to 19", "record 3");
    put_in(&s, "train.bin", b.data, b.len - 9);
    assert_refused(ctx, s.folder, ASSAY_E_FORMAT, "whole number of records", "train.bin");
    /* without its size and the names it could be anything */
    assert_ok(os_remove_tree(test_in(&s, "fine_label_names.txt").text));
    assert_ok(os_remove_tree(test_in(&s, "test.bin.gz").text));
    test_source other;
    assert_fails(ASSAY_E_FORMAT,
                 test_source_open(&other, ctx, test_in(&s, "train.bin").text));
    test_source_close(&other);
    buf_free(&b);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* ---- folders ---- */

static void folder_lists(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    static const char *const names[] = {"dog/2.png",        "dog/10.JPG",  "cat/a.jpeg",
                                        "cat/.hidden.jpg",  "cat/note.md", "Zebra/z.png",
                                        ".git/objects.jpg", "readme.txt",  "empty/x.txt"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        put_in(&s, names[i], names[i], strlen(names[i]));
    test_source o;
    assert_ok(test_source_open(&o, ctx, s.folder));
    assert_string_equal(o.importer->name, "folder");
    assert_int_equal(o.list.classes, 3);
    static const char *const ids[] = {"Zebra/z.png", "cat/a.jpeg", "dog/10.JPG",
                                      "dog/2.png"};
    static const int labels[] = {0, 1, 2, 2};
    assert_int_equal(o.list.rows, 4);
    import_image im = {.ctx = ctx};
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(import_id(&o.list, i), ids[i]);
        assert_int_equal(o.list.row[i].label, labels[i]);
        assert_ok(o.importer->fetch(o.state, &o.list, i, &im));
        assert_false(im.raw);
        assert_int_equal(im.bytes, strlen(ids[i]));
        assert_memory_equal(im.data, ids[i], im.bytes);
    }
    import_image_free(&im);
    assert_int_equal(o.list.notes, 2);
    assert_non_null(strstr(o.list.note[0], "'empty' holds no images"));
    assert_non_null(strstr(o.list.note[1], "3 files are not images"));
    test_source_close(&o);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void folder_finds_splits(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    static const char *const names[] = {"train/b/1.png", "train/a/1.png", "val/b/7.png",
                                        "test/c/9.png", "readme.txt"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        put_in(&s, names[i], "x", 1);
    test_source o;
    assert_ok(test_source_open(&o, ctx, s.folder));
    assert_int_equal(o.list.classes, 3);
    assert_int_equal(o.list.rows, 4);
    assert_string_equal(import_id(&o.list, 0), "train/a/1.png");
    assert_string_equal(import_id(&o.list, 2), "test/c/9.png");
    assert_int_equal(o.list.row[2].split, IMPORT_TEST);
    assert_int_equal(o.list.row[2].label, 2);
    assert_int_equal(o.list.row[3].split, IMPORT_VAL);
    test_source_close(&o);
    /* with a class beside it, "train" is a class (of trains) */
    put_in(&s, "train/1.png", "x", 1);
    put_in(&s, "plane/1.png", "x", 1);
    assert_ok(test_source_open(&o, ctx, s.folder));
    assert_int_equal(o.list.classes, 2);
    test_source_close(&o);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void folder_refuses(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_path src = test_in(&s, "src");
    assert_refused(ctx, src.text, ASSAY_E_NOTFOUND, "no such", src.text);
    assert_ok(os_mkdirs(src.text));
    assert_refused(ctx, src.text, ASSAY_E_FORMAT, "folder is empty", src.text);
    put_in(&s, "src/loose.png", "x", 1);
    assert_refused(ctx, src.text, ASSAY_E_FORMAT, "no class folders", src.text);
    put_in(&s, "src/cat/notes.txt", "x", 1);
    assert_refused(ctx, src.text, ASSAY_E_FORMAT, "no images", src.text);
    put_in(&s, "src/cat/1.png", "x", 1);
    put_in(&s, "src/cat/2.png", "x", 1);
    assert_refused(ctx, src.text, ASSAY_E_FORMAT, "2 images are of one class, 'cat'",
                   src.text);
    put_in(&s, "src/dog/2.png", "x", 1);
    put_in(&s, "src/cat /2.png", "x", 1);
    assert_refused(ctx, src.text, ASSAY_E_FORMAT, "same name after trimming",
                   "/src/\"cat\" (2 images)");
    assert_non_null(strstr(assay_last_error()->where, "/src/\"cat \" (1 images)"));
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void registry(void **unused) {
    (void)unused;
    const data_importer *d;
    assert_true(assay_importer_count() >= 4);
    for (size_t i = 0; i < assay_importer_count(); i++) {
        assert_ok(importer_find(&d, assay_importer_name(i)));
        assert_true(strlen(assay_importer_summary(i)) > 10);
    }
    assert_null(assay_importer_name(99));
    assert_fails(ASSAY_E_INVALID, importer_find(&d, "imagenet"));
    assert_non_null(strstr(assay_last_error()->help, "cifar10, cifar100,"));
    char n[32];
    assert_string_equal(import_number(n, 0), "0");
    assert_string_equal(import_number(n, 999), "999");
    assert_string_equal(import_number(n, 1004), "1,004");
    assert_string_equal(import_number(n, 12345678), "12,345,678");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idx_lists_and_fetches),
        cmocka_unit_test(idx_unpacks_gzip),
        cmocka_unit_test(idx_refuses),
        cmocka_unit_test(idx_knows_fashion_mnist),
        cmocka_unit_test(cifar_lists_and_fetches),
        cmocka_unit_test(cifar_refuses),
        cmocka_unit_test(cifar100_lists_and_fetches),
        cmocka_unit_test(folder_lists),
        cmocka_unit_test(folder_finds_splits),
        cmocka_unit_test(folder_refuses),
        cmocka_unit_test(registry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* WebDataset shards: what is listed and handed out, and what is said of bad ones. */
#include "data/source/tar.h"
#include "data/testing.h"

#include <assay/data.h>

#include "file/npy.h"

#include <sys/resource.h>

/* Samples first .. first + n - 1: an image of a few bytes, a class, two more columns. */
static void tar_samples(buf *b, size_t n, size_t first) {
    char name[64], text[64];
    for (size_t k = first; k < first + n; k++) {
        snprintf(name, sizeof name, "set/%06zu.jpg", k);
        snprintf(text, sizeof text, "\xff\xd8 image %zu", k);
        test_tar_text(b, name, text);
        snprintf(name, sizeof name, "set/%06zu.cls", k);
        snprintf(text, sizeof text, "%zu\n", k % 3);
        test_tar_text(b, name, text);
        snprintf(name, sizeof name, "set/%06zu.json", k);
        snprintf(text, sizeof text, "{\"k\": %zu}", k);
        test_tar_text(b, name, text);
        snprintf(name, sizeof name, "set/%06zu.txt", k);
        snprintf(text, sizeof text, "caption %zu", k);
        test_tar_text(b, name, text);
    }
}

static void put_shard(const test_scratch *s, const char *name, size_t n, size_t first) {
    assay_ctx *ctx = test_ctx(1);
    buf b = buf_make(ctx);
    tar_samples(&b, n, first);
    test_tar_end(&b);
    put_buf(s, name, &b);
    assay_ctx_destroy(ctx);
}

static void assert_samples(const test_source *o, assay_ctx *ctx, size_t n) {
    import_image im = {.ctx = ctx};
    import_cell cell = {.ctx = ctx};
    char text[64];
    assert_int_equal(o->list.rows, n);
    assert_int_equal(o->list.classes, 3);
    assert_int_equal(o->list.columns, 2);
    assert_false(o->list.no_image || o->list.no_label);
    for (size_t k = 0; k < n; k++) {
        assert_int_equal(o->list.row[k].label, k % 3);
        snprintf(text, sizeof text, "set/%06zu", k);
        assert_string_equal(import_id(&o->list, k), text);
        assert_ok(o->importer->fetch(o->state, &o->list, k, &im));
        assert_false(im.raw);
        snprintf(text, sizeof text, "\xff\xd8 image %zu", k);
        assert_int_equal(im.bytes, strlen(text));
        assert_memory_equal(im.data, text, im.bytes);
        for (size_t c = 0; c < 2; c++) {
            bool json = strcmp(o->list.column[c].name, "json") == 0;
            assert_int_equal(o->list.column[c].type, json ? BETON_JSON : BETON_BYTES);
            assert_ok(o->importer->fetch_cell(o->state, &o->list, k, c, &cell));
            snprintf(text, sizeof text, json ? "{\"k\": %zu}" : "caption %zu", k);
            assert_int_equal(cell.bytes, strlen(text));
            assert_memory_equal(cell.data, text, cell.bytes);
        }
    }
    import_image_free(&im);
    import_cell_free(&cell);
}

static void lists_and_fetches(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_source o;
    put_shard(&s, "part-0000.tar", 5, 0);
    put_shard(&s, "part-0001.tar", 4, 5);
    put_in(&s, "notes.md", "x", 1);
    assert_ok(test_source_open(&o, ctx, s.folder));
    assert_string_equal(o.importer->name, "webdataset");
    assert_samples(&o, ctx, 9);
    test_source_close(&o);
    /* a pattern, and one shard */
    assert_ok(test_source_open(&o, ctx, test_in(&s, "part-{0000..0001}.tar").text));
    assert_samples(&o, ctx, 9);
    test_source_close(&o);
    assert_ok(test_source_open(&o, ctx, test_in(&s, "part-0000.tar").text));
    assert_samples(&o, ctx, 5);
    assert_string_equal(o.list.class_name[2], "2");
    test_source_close(&o);
    /* names for the classes */
    put_in(&s, "classes.json", "[\"a\", \"b\", \"c\"]", 15);
    assert_ok(test_source_open(&o, ctx, s.folder));
    assert_string_equal(o.list.class_name[2], "c");
    test_source_close(&o);
    put_in(&s, "classes.json", "{\"a\": 1, \"b\": 0, \"c\": 2}", 24);
    assert_ok(test_source_open(&o, ctx, s.folder));
    assert_string_equal(o.list.class_name[0], "b");
    test_source_close(&o);
    put_in(&s, "classes.txt", "a\nb\n", 4);
    assert_refused(ctx, s.folder, ASSAY_E_FORMAT, "label 2 where 2 classes are named",
                   "part-0000.tar: set/000002");
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* More shards than files may be open. */
static void many_shards(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_source o;
    struct rlimit limit, low;
    char name[32];
    for (size_t i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "part-%04zu.tar", i);
        put_shard(&s, name, 1, i);
    }
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = limit;
    low.rlim_cur = 40;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assay_status status = test_source_open(&o, ctx, s.folder);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_ok(status);
    assert_samples(&o, ctx, 60);
    test_source_close(&o);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* Packed by gzip; keys that come again in the next shard; splits by the shards' names. */
static void unpacks(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_source o;
    buf b = buf_make(ctx), packed = buf_make(ctx);
    tar_samples(&b, 7, 0);
    test_tar_end(&b);
    gzip_stored(&packed, b.data, b.len);
    put_in(&s, "train-0.tar.gz", packed.data, packed.len);
    assert_ok(test_source_open(&o, ctx, s.folder));
    assert_samples(&o, ctx, 7);
    test_source_close(&o);
    put_shard(&s, "test-0.tar", 3, 0);
    assert_ok(test_source_open(&o, ctx, s.folder));
    assert_int_equal(o.list.rows, 10);
    assert_int_equal(import_count(&o.list, IMPORT_TEST), 3);
    assert_string_equal(import_id(&o.list, 0), "test-0/set/000000");
    assert_string_equal(import_id(&o.list, 3), "train-0/set/000000");
    test_source_close(&o);
    /* cut short at any place: said with what was read */
    assert_ok(os_remove_tree(test_in(&s, "test-0.tar").text));
    for (size_t n = 1; n < packed.len; n += packed.len / 17) {
        put_in(&s, "train-0.tar.gz", packed.data, n);
        assert_fails(ASSAY_E_FORMAT, test_source_open(&o, ctx, s.folder));
        assert_non_null(strstr(assay_last_error()->message, "shard 'train-0.tar.gz'"));
        assert_non_null(strstr(assay_last_error()->where, "samples read"));
        test_source_close(&o);
    }
    buf_free(&b);
    buf_free(&packed);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void says_where_a_shard_ends(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    buf b = buf_make(ctx);
    tar_samples(&b, 3, 0);
    test_tar_end(&b);
    /* in the data of the third sample's image: members are of 1,024 bytes */
    put_in(&s, "x.tar", b.data, 8 * 1024 + 520);
    assert_refused(ctx, test_in(&s, "x.tar").text, ASSAY_E_FORMAT,
                   "shard 'x.tar' ends early",
                   "byte 8,712 of 8,714; 2 samples read, last 'set/000001'");
    /* in a header */
    put_in(&s, "x.tar", b.data, 4 * 1024 + 20);
    assert_refused(ctx, test_in(&s, "x.tar").text, ASSAY_E_FORMAT, "ends early",
                   "byte 4,116 of 4,608; 1 samples read, last 'set/000000'");
    /* larger than all that is left */
    buf_clear(&b);
    test_tar_header(&b, "a.jpg", '0', 077777777777);
    put_in(&s, "x.tar", b.data, b.len);
    assert_refused(ctx, test_in(&s, "x.tar").text, ASSAY_E_FORMAT, "ends early",
                   "byte 512 of 8,589,935,103; 0 samples read");
    /* without the mark of its end, but whole: a note */
    buf_clear(&b);
    tar_samples(&b, 2, 0);
    put_buf(&s, "x.tar", &b);
    test_source o;
    assert_ok(test_source_open(&o, ctx, test_in(&s, "x.tar").text));
    assert_int_equal(o.list.notes, 1);
    assert_non_null(strstr(o.list.note[0], "mark of a tar's end"));
    test_source_close(&o);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void refused(
    assay_ctx *ctx, const test_scratch *s, buf *b, const char *what, const char *where) {
    test_tar_end(b);
    put_in(s, "x.tar", b->data, b->len);
    assert_refused(ctx, test_in(s, "x.tar").text, ASSAY_E_FORMAT, what, where);
    buf_clear(b);
}

static void refuses(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    buf b = buf_make(ctx);
    tar_samples(&b, 2, 0);
    test_tar_text(&b, "set/2.jpg", "x");
    test_tar_text(&b, "set/2.cls", "1");
    test_tar_text(&b, "set/2.txt", "x");
    refused(ctx, &s, &b, "no member .json", "x.tar: set/2");
    test_tar_text(&b, "1.jpg", "x");
    test_tar_text(&b, "2.jpg", "x");
    test_tar_text(&b, "2.cls", "1");
    refused(ctx, &s, &b, "no member .cls", "x.tar: 1");
    test_tar_text(&b, "1.jpg", "x");
    test_tar_text(&b, "1.cls", "dog");
    refused(ctx, &s, &b, "'dog' in .cls is not a class number", "x.tar: 1");
    test_tar_text(&b, "1.jpg", "x");
    test_tar_text(&b, "1.cls", "-1");
    refused(ctx, &s, &b, "label -1", "x.tar: 1");
    test_tar_text(&b, "1.jpg", "x");
    test_tar_text(&b, "1.cls", "");
    refused(ctx, &s, &b, "'' in .cls", "x.tar: 1");
    test_tar_text(&b, "1.jpg", "x");
    test_tar_text(&b, "1.jpg", "x");
    refused(ctx, &s, &b, "'1.jpg' is there twice", "x.tar, byte 1024");
    test_tar_text(&b, "1.jpg", "x");
    test_tar_text(&b, "1.png", "x");
    refused(ctx, &s, &b, "two images", "x.tar: 1");
    test_tar_text(&b, "1.jpg", "x");
    test_tar_text(&b, "2.jpg", "x");
    test_tar_text(&b, "1.cls", "0");
    refused(ctx, &s, &b, "two samples have the key '1'", "x.tar");
    test_tar_text(&b, "../../etc/passwd.jpg", "x");
    refused(ctx, &s, &b, "leads out of the archive", "x.tar, byte 0");
    test_tar_text(&b, "a/../../b.jpg", "x");
    refused(ctx, &s, &b, "leads out of the archive", "x.tar, byte 0");
    test_tar_text(&b, "/etc/passwd.jpg", "x");
    refused(ctx, &s, &b, "leads out of the archive", "x.tar, byte 0");
    test_tar_text(&b, "1.jpg", "x");
    b.data[512 + 40] = 'x';
    b.data[3] = 'y';
    refused(ctx, &s, &b, "not a tar archive", "x.tar: byte 0");
    test_tar_text(&b, "1.jpg", "x");
    test_tar_text(&b, "2.jpg", "x");
    b.data[1024 + 5] = 'y';
    refused(ctx, &s, &b, "header is damaged", "x.tar: byte 1024");
    test_tar_end(&b);
    refused(ctx, &s, &b, "no rows found", "x.tar");
    /* patterns that are none, files that are not there */
    assert_refused(ctx, test_in(&s, "x-{9..1}.tar").text, ASSAY_E_INVALID, "braces", "");
    assert_refused(ctx, test_in(&s, "x-{0..1.tar").text, ASSAY_E_INVALID, "braces", "");
    assert_refused(ctx, test_in(&s, "x-{0..1}.tar").text, ASSAY_E_NOTFOUND, "",
                   "x-0.tar");
    buf_free(&b);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void passes_over(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_source o;
    buf b = buf_make(ctx);
    import_image im = {.ctx = ctx};
    test_tar_header(&b, "./", '5', 0);
    test_tar_header(&b, "./link.jpg", '2', 0);
    test_tar_text(&b, "./.hidden.jpg", "x");
    test_tar_text(&b, "./readme", "x");
    test_tar_text(&b, "__meta__", "x");
    /* a name by GNU, and one by pax, longer than a header holds */
    char name[300], record[400];
    memset(name, 'n', sizeof name);
    memcpy(name + 200, ".jpg", 5);
    test_tar_header(&b, "././@LongLink", 'L', 205);
    buf_add(&b, name, 205);
    for (size_t i = 205; i < 512; i++)
        buf_add(&b, "", 1);
    test_tar_text(&b, "cut", "one");
    name[0] = 'm';
    int n = snprintf(record, sizeof record, "214 path=%s\n", name);
    assert_int_equal(n, 214);
    test_tar_header(&b, "PaxHeader", 'x', 214);
    buf_add(&b, record, 214);
    for (size_t i = 214; i < 512; i++)
        buf_add(&b, "", 1);
    test_tar_text(&b, "cut", "two");
    test_tar_text(&b, "empty.png", "");
    test_tar_end(&b);
    put_buf(&s, "x.tar", &b);
    assert_ok(test_source_open(&o, ctx, test_in(&s, "x.tar").text));
    assert_true(o.list.no_label);
    assert_int_equal(o.list.rows, 3);
    assert_int_equal(strlen(import_id(&o.list, 0)), 200);
    assert_int_equal(import_id(&o.list, 1)[0], 'm');
    assert_ok(o.importer->fetch(o.state, &o.list, 1, &im));
    assert_memory_equal(im.data, "two", 3);
    assert_ok(o.importer->fetch(o.state, &o.list, 2, &im));
    assert_int_equal(im.bytes, 0);
    assert_int_equal(o.list.notes, 2);
    assert_non_null(strstr(o.list.note[0], "1 members are links"));
    assert_non_null(strstr(o.list.note[0], "link.jpg"));
    assert_non_null(strstr(o.list.note[1], "2 members have no extension"));
    test_source_close(&o);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* An .npy of a few elements. */
static void tar_npy(buf *b,
                    const test_scratch *s,
                    const char *name,
                    assay_dtype dtype,
                    int ndim,
                    const int64_t *dim,
                    const void *data) {
    assay_ctx *ctx = test_ctx(1);
    test_path p = test_in(s, "a.npy");
    size_t n;
    assert_ok(npy_put(ctx, p.text, dtype, ndim, dim, data));
    uint8_t *bytes = test_get(ctx, p.text, &n);
    tar_member_put(b, name, bytes, n);
    mem_free(ctx, bytes);
    assay_ctx_destroy(ctx);
}

static void arrays(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_source o;
    buf b = buf_make(ctx);
    import_cell cell = {.ctx = ctx};
    static const float f[6] = {1, 2, 3, 4, 5, 6};
    static const int64_t shape[2] = {2, 3}, other[2] = {3, 2}, whole[] = {-7, 8};
    static const double real = 0.25;
    for (int k = 0; k < 2; k++) {
        char name[32];
        snprintf(name, sizeof name, "%d.npy", k);
        tar_npy(&b, &s, name, ASSAY_F32, 2, shape, f);
        snprintf(name, sizeof name, "%d.count.npy", k);
        tar_npy(&b, &s, name, ASSAY_I64, 0, NULL, &whole[k]);
        snprintf(name, sizeof name, "%d.score.npy", k);
        tar_npy(&b, &s, name, ASSAY_F64, 0, NULL, &real);
        snprintf(name, sizeof name, "%d.extra.json", k);
        test_tar_text(&b, name, k == 0 ? "[1, 2]" : "[1, 2");
        snprintf(name, sizeof name, "%d.data.bin", k);
        test_tar_text(&b, name, "bytes");
    }
    test_tar_end(&b);
    put_buf(&s, "x.tar", &b);
    assert_ok(test_source_open(&o, ctx, test_in(&s, "x.tar").text));
    assert_true(o.list.no_image && o.list.no_label);
    static const struct {
        const char *name;
        beton_type type;
    } want[] = {{"npy", BETON_NDARRAY},
                {"count", BETON_INT},
                {"score", BETON_FLOAT},
                {"extra", BETON_JSON},
                {"data", BETON_BYTES}};
    assert_int_equal(o.list.columns, 5);
    for (size_t c = 0; c < 5; c++) {
        assert_string_equal(o.list.column[c].name, want[c].name);
        assert_int_equal(o.list.column[c].type, want[c].type);
    }
    assert_string_equal(o.list.column[0].typestr, "<f4");
    assert_int_equal(o.list.column[0].dim[1], 3);
    assert_ok(o.importer->fetch_cell(o.state, &o.list, 1, 0, &cell));
    assert_int_equal(cell.bytes, sizeof f);
    assert_memory_equal(cell.data, f, sizeof f);
    assert_ok(o.importer->fetch_cell(o.state, &o.list, 0, 1, &cell));
    assert_int_equal(cell.integer, -7);
    assert_ok(o.importer->fetch_cell(o.state, &o.list, 1, 2, &cell));
    assert_true(cell.number == 0.25);
    assert_ok(o.importer->fetch_cell(o.state, &o.list, 0, 3, &cell));
    assert_fails(ASSAY_E_FORMAT, o.importer->fetch_cell(o.state, &o.list, 1, 3, &cell));
    assert_non_null(strstr(assay_last_error()->where, "x.tar: 1.extra.json"));
    test_source_close(&o);
    /* unlike arrays: both samples are named */
    tar_npy(&b, &s, "p.npy", ASSAY_F32, 2, shape, f);
    tar_npy(&b, &s, "q.npy", ASSAY_F32, 2, other, f);
    refused(ctx, &s, &b, "<f4 [2,3], and <f4 [3,2] in 'q'", "x.tar: p");
    test_tar_text(&b, "p.npy", "no array");
    refused(ctx, &s, &b, "not a .npy", "x.tar: p");
    test_tar_text(&b, "p.a-name-that-is-too-long", "x");
    test_tar_end(&b);
    put_in(&s, "x.tar", b.data, b.len);
    assert_refused(ctx, test_in(&s, "x.tar").text, ASSAY_E_INVALID, "16 characters",
                   "x.tar");
    buf_free(&b);
    import_cell_free(&cell);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void tables(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_source o;
    buf b = buf_make(ctx);
    test_tar_text(
        &b, "labels.csv",
        "path,wnid,label,name\ntrain/a/1.JPEG,n1,1,cat\n\"train/b/2.JPEG\",n2,0,dog\n"
        "val/b/3.JPEG,n2,0,dog\n");
    test_tar_text(&b, "train/a/1.JPEG", "x");
    test_tar_text(&b, "train/b/2.JPEG", "x");
    test_tar_text(&b, "val/b/3.JPEG", "x");
    test_tar_end(&b);
    put_buf(&s, "x.tar", &b);
    assert_ok(test_source_open(&o, ctx, test_in(&s, "x.tar").text));
    assert_int_equal(o.list.rows, 3);
    assert_int_equal(o.list.classes, 2);
    assert_string_equal(o.list.class_name[1], "cat");
    assert_int_equal(o.list.row[0].label, 1);
    assert_int_equal(o.list.row[1].label, 0);
    assert_int_equal(import_count(&o.list, IMPORT_VAL), 1);
    test_source_close(&o);
    test_tar_text(&b, "labels.csv", "path,label\n1.jpg,dog\n2.jpg,cat\n");
    test_tar_text(&b, "1.jpg", "x");
    test_tar_text(&b, "3.jpg", "x");
    refused(ctx, &s, &b, "no line for this sample", "x.tar: 3");
    test_tar_text(&b, "labels.tsv", "path\tclass\n1.jpg\tdog\n");
    test_tar_text(&b, "1.jpg", "x");
    test_tar_text(&b, "labels.csv", "path,what\n1.jpg,dog\n");
    refused(ctx, &s, &b, "no column called label", "labels.csv");
    test_tar_text(&b, "labels.csv", "path,label\n1.jpg,\"dog\n");
    test_tar_text(&b, "1.jpg", "x");
    refused(ctx, &s, &b, "never closed", "x.tar: table of labels: line 2");
    test_tar_text(&b, "labels.csv", "path,label,name\n1.jpg,0,dog\n2.jpg,0,cat\n");
    test_tar_text(&b, "1.jpg", "x");
    test_tar_text(&b, "2.jpg", "x");
    refused(ctx, &s, &b, "class 0 is called 'dog' and 'cat'", "x.tar");
    buf_free(&b);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void reads_real_shards(void **unused) {
    (void)unused;
    test_path photos = test_shared("data/photos/photos500.tar");
    test_path net = test_shared("data/photos/imagenette224.tar");
    assay_ctx *ctx = test_ctx(1);
    test_source o;
    assert_ok(test_source_open(&o, ctx, photos.text));
    assert_int_equal(o.list.rows, 250);
    assert_true(o.list.no_label);
    assert_string_equal(import_id(&o.list, 1), "0008");
    test_source_close(&o);
    assert_ok(test_source_open(&o, ctx, net.text));
    assert_int_equal(o.list.classes, 10);
    assert_string_equal(o.list.class_name[0], "tench");
    assert_int_equal(o.list.no_label, false);
    test_source_close(&o);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_and_fetches),
        cmocka_unit_test(many_shards),
        cmocka_unit_test(unpacks),
        cmocka_unit_test(says_where_a_shard_ends),
        cmocka_unit_test(refuses),
        cmocka_unit_test(passes_over),
        cmocka_unit_test(arrays),
        cmocka_unit_test(tables),
        cmocka_unit_test(reads_real_shards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Exporting: what is packed again is what was exported; what ends early leaves nothing;
 * and what is refused. */
#include "data/testing.h"

#include <assay/data.h>

#include "data/field.h"
#include "data/section.h"
#include "file/npy.h"
#include "image/image.h"

#include <stdlib.h>

/* ---- sources ---- */

static void put_image(assay_ctx *ctx, buf *out, int k, bool jpeg) {
    image im = image_make(ctx);
    assert_ok(image_resize_storage(&im, 20 + k, 17));
    for (int i = 0; i < 3 * 17 * (20 + k); i++)
        im.rgb[i] = (uint8_t)(i * (k + 3) / 7);
    assert_ok(jpeg ? image_encode_jpeg(out, &im, 85, true) : image_encode_png(out, &im));
    image_free(&im);
}

/* SRC/train and SRC/test, classes cat, dog and "T-shirt/top" as a table knows them. */
static void put_table(assay_ctx *ctx, const test_scratch *s, bool columns) {
    static const char *const classes[] = {"dog", "cat", "T-shirt/top"};
    buf table = buf_make(ctx), b = buf_make(ctx);
    char name[64];
    buf_fmt(&table, "path,label,split%s\n", columns ? ",count,score,remark" : "");
    for (int k = 0; k < 9; k++) {
        snprintf(name, sizeof name, "src/i.mages/%d.%s", k, k % 2 ? "jpg" : "png");
        put_image(ctx, &b, k, k % 2);
        put_buf(s, name, &b);
        buf_fmt(&table, "%s,%s,%s", name + 4, classes[k % 3], k < 6 ? "train" : "test");
        if (columns)
            buf_fmt(&table, ",%d,%g,\"a \"\"%d\"\", b\n\"", k - 4, k / 8.0, k);
        buf_str(&table, "\n");
    }
    put_buf(s, "src/t.csv", &table);
    put_in(s, "src/classes.txt", "dog\nunused\ncat\nT-shirt/top\n", 27);
}

static void pack(assay_ctx *ctx, const char *source, const char *out) {
    assay_pack_options o = ASSAY_PACK_OPTIONS_INIT;
    o.page_size = 1 << 21;
    o.mode = "keep";
    o.force = 1;
    assert_ok(assay_pack(ctx, source, out, &o, NULL));
}

/* ---- comparing ---- */

/* A file's rows in words: split, label, and of every field its name, type and a hash of
 * its value; sorted. */
typedef struct summary {
    char **line;
    size_t lines;
    buf classes;
} summary;

static int by_line(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_field(buf *b, assay_ctx *ctx, const beton_file *f, uint64_t row, int i) {
    const beton_field *field = beton_field_at(f, i);
    const data_field *kind = field_for(field->type);
    field_type type;
    field_value v;
    uint8_t digest[32];
    char hex[65];
    hash_sha256 h;
    assert_ok(kind->plan(&type, ctx, field));
    assert_ok(kind->read(&v, f, &type, row, i));
    hash_sha256_init(&h);
    hash_sha256_add(&h, v.data, (size_t)v.bytes);
    hash_sha256_end(&h, digest);
    hash_hex(hex, digest);
    buf_fmt(b, " %s:%s:%d:%dx%d:%.16s", field->name, kind->name, v.mode, v.width,
            v.height, hex);
}

static summary summarise(assay_ctx *ctx, const char *path) {
    summary s = {.classes = buf_make(ctx)};
    beton_file *f;
    data_section said;
    buf_str(&s.classes, "");
    assert_ok(beton_open(&f, ctx, path));
    assert_ok(data_section_read(&said, ctx, f));
    for (size_t i = 0; i < said.classes; i++)
        buf_fmt(&s.classes, "[%s]", said.class_name[i]);
    s.lines = (size_t)beton_samples(f);
    s.line = calloc(s.lines + 1, sizeof *s.line);
    for (uint64_t row = 0; row < s.lines; row++) {
        buf b = buf_make(ctx);
        for (size_t k = 0; k < said.splits; k++)
            if (row >= said.split[k].begin && row < said.split[k].end)
                buf_str(&b, said.split[k].name);
        for (int i = 0; i < beton_fields(f); i++)
            add_field(&b, ctx, f, row, i);
        assert_ok(buf_check(&b));
        s.line[row] = strdup(b.data);
        buf_free(&b);
    }
    qsort(s.line, s.lines, sizeof *s.line, by_line);
    data_section_free(&said);
    beton_close(f);
    return s;
}

static void assert_same(assay_ctx *ctx, const char *a, const char *b) {
    summary x = summarise(ctx, a), y = summarise(ctx, b);
    assert_string_equal(x.classes.data, y.classes.data);
    assert_int_equal(x.lines, y.lines);
    for (size_t i = 0; i < x.lines; i++) {
        assert_string_equal(x.line[i], y.line[i]);
        free(x.line[i]);
        free(y.line[i]);
    }
    free(x.line);
    free(y.line);
    buf_free(&x.classes);
    buf_free(&y.classes);
}

/* ---- tests ---- */

static assay_status export_to(assay_ctx *ctx,
                              const test_scratch *s,
                              const char *from,
                              const char *out,
                              const char *to) {
    assay_export_options o = ASSAY_EXPORT_OPTIONS_INIT;
    o.to = to;
    o.shard_rows = 4;
    return assay_export(ctx, test_in(s, from).text, test_in(s, out).text, &o, NULL);
}

static void folders_come_back(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(2);
    test_scratch s = test_scratch_begin();
    put_table(ctx, &s, false);
    pack(ctx, test_in(&s, "src/t.csv").text, test_in(&s, "a.beton").text);
    assert_ok(export_to(ctx, &s, "a.beton", "out", "folder"));
    pack(ctx, test_in(&s, "out").text, test_in(&s, "b.beton").text);
    assert_same(ctx, test_in(&s, "a.beton").text, test_in(&s, "b.beton").text);
    /* ids as names, JPEG bytes as they were */
    size_t n, m;
    uint8_t *a = test_get(ctx, test_in(&s, "src/i.mages/1.jpg").text, &n);
    uint8_t *b = test_get(ctx, test_in(&s, "out/train/cat/i.mages_1.jpg").text, &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    mem_free(ctx, a);
    mem_free(ctx, b);
    assert_true(os_is_dir(test_in(&s, "out/test/T-shirt_top").text));
    assert_false(os_exists(test_in(&s, "out/rows.csv").text));
    /* one split alone has no folder of its own */
    assay_export_options o = ASSAY_EXPORT_OPTIONS_INIT;
    assay_export_result r;
    o.split = "test";
    o.limit = 2;
    assert_ok(
        assay_export(ctx, test_in(&s, "a.beton").text, test_in(&s, "one").text, &o, &r));
    assert_int_equal(r.rows, 2);
    assert_int_equal(r.files, 3);
    assert_true(os_exists(test_in(&s, "one/dog/i.mages_6.png").text));
    o.split = "val";
    assert_fails(ASSAY_E_INVALID, assay_export(ctx, test_in(&s, "a.beton").text,
                                               test_in(&s, "two").text, &o, NULL));
    assert_non_null(strstr(assay_last_error()->help, "train, test"));
    assert_false(os_exists(test_in(&s, "two").text));
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* Columns go into a table beside the images, which is a source again. */
static void tables_come_back(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    put_table(ctx, &s, true);
    pack(ctx, test_in(&s, "src/t.csv").text, test_in(&s, "a.beton").text);
    assert_ok(export_to(ctx, &s, "a.beton", "out", "folder"));
    pack(ctx, test_in(&s, "out/rows.csv").text, test_in(&s, "b.beton").text);
    assert_same(ctx, test_in(&s, "a.beton").text, test_in(&s, "b.beton").text);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void shards_come_back(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(2);
    test_scratch s = test_scratch_begin();
    put_table(ctx, &s, true);
    pack(ctx, test_in(&s, "src/t.csv").text, test_in(&s, "a.beton").text);
    assert_ok(export_to(ctx, &s, "a.beton", "out", "webdataset"));
    assert_true(os_exists(test_in(&s, "out/train-000001.tar").text));
    assert_true(os_exists(test_in(&s, "out/test-000000.tar").text));
    pack(ctx, test_in(&s, "out").text, test_in(&s, "b.beton").text);
    assert_same(ctx, test_in(&s, "a.beton").text, test_in(&s, "b.beton").text);
    /* the same bytes a second time */
    assert_ok(export_to(ctx, &s, "a.beton", "again", "webdataset"));
    size_t n, m;
    uint8_t *a = test_get(ctx, test_in(&s, "out/train-000000.tar").text, &n);
    uint8_t *b = test_get(ctx, test_in(&s, "again/train-000000.tar").text, &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    mem_free(ctx, a);
    mem_free(ctx, b);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* Arrays, JSON, bytes that are no text, long names; no labels and no images. */
static void any_column_comes_back(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    static const float f[4] = {1, 2, 3, 4};
    static const uint8_t raw[] = {0, 255, 0, 7};
    const int64_t dim[] = {2, 2};
    buf tar = buf_make(ctx);
    assert_ok(npy_put(ctx, test_in(&s, "f.npy").text, ASSAY_F32, 2, dim, f));
    size_t n;
    uint8_t *npy = test_get(ctx, test_in(&s, "f.npy").text, &n);
    for (int k = 0; k < 3; k++) {
        char key[200], name[256];
        snprintf(key, sizeof key, "%0120d/%0*d", k, k == 1 ? 3 : 60, k);
        snprintf(name, sizeof name, "%s.feat.npy", key);
        tar_member_put(&tar, name, npy, n);
        snprintf(name, sizeof name, "%s.json", key);
        tar_member_put(&tar, name, "{\"a\": [1]}", 10);
        snprintf(name, sizeof name, "%s.blob.bin", key);
        tar_member_put(&tar, name, raw, (size_t)k + 1);
        snprintf(name, sizeof name, "%s.txt", key);
        tar_member_put(&tar, name, "text", 4);
    }
    put_buf(&s, "in/a.tar", &tar);
    pack(ctx, test_in(&s, "in").text, test_in(&s, "a.beton").text);
    assert_ok(export_to(ctx, &s, "a.beton", "out", "webdataset"));
    pack(ctx, test_in(&s, "out").text, test_in(&s, "b.beton").text);
    assert_same(ctx, test_in(&s, "a.beton").text, test_in(&s, "b.beton").text);
    assert_fails(ASSAY_E_UNSUPPORTED, export_to(ctx, &s, "a.beton", "f", "folder"));
    assert_non_null(strstr(assay_last_error()->help, "webdataset"));
    assert_false(os_exists(test_in(&s, "f").text));
    mem_free(ctx, npy);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void cares_for_the_output(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    put_table(ctx, &s, false);
    pack(ctx, test_in(&s, "src/t.csv").text, test_in(&s, "a.beton").text);
    assert_ok(export_to(ctx, &s, "a.beton", "out", "folder"));
    assert_fails(ASSAY_E_INVALID, export_to(ctx, &s, "a.beton", "out", "folder"));
    assert_non_null(strstr(assay_last_error()->help, "--force"));
    assay_export_options o = ASSAY_EXPORT_OPTIONS_INIT;
    o.force = 1;
    o.to = "webdataset";
    test_path a = test_in(&s, "a.beton"), out = test_in(&s, "out");
    assert_ok(assay_export(ctx, a.text, out.text, &o, NULL));
    assert_false(os_exists(test_in(&s, "out/train").text));
    assert_true(os_exists(test_in(&s, "out/train-000000.tar").text));
    /* a folder of someone else's stays, and so does a file */
    put_in(&s, "mine/x.txt", "x", 1);
    assert_fails(ASSAY_E_INVALID,
                 assay_export(ctx, a.text, test_in(&s, "mine").text, &o, NULL));
    assert_fails(ASSAY_E_INVALID,
                 assay_export(ctx, a.text, test_in(&s, "mine/x.txt").text, &o, NULL));
    assert_true(os_exists(test_in(&s, "mine/x.txt").text));
    o.to = "parquet";
    assert_fails(ASSAY_E_INVALID, assay_export(ctx, a.text, out.text, &o, NULL));
    assert_non_null(strstr(assay_last_error()->help, "folder, webdataset"));
    assert_fails(ASSAY_E_NOTFOUND, assay_export(ctx, test_in(&s, "b").text,
                                                test_in(&s, "c").text, NULL, NULL));
    /* a.beton, src, out, mine: nothing half-written lies about */
    assert_int_equal(test_count_files(ctx, &s), 4);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* Asked to stop, and out of memory at any moment: nothing stays. */
static void leaves_nothing(void **unused) {
    (void)unused;
    long left;
    assay_ctx *ctx = test_ctx_failing(&left);
    test_scratch s = test_scratch_begin();
    put_table(ctx, &s, true);
    pack(ctx, test_in(&s, "src/t.csv").text, test_in(&s, "a.beton").text);
    static const char *const forms[] = {"folder", "webdataset"};
    for (size_t i = 0; i < 2; i++) {
        assay_status status = ASSAY_E_NOMEM;
        long n = 0;
        for (; status != ASSAY_OK && n < 3000; n++) {
            left = n;
            status = export_to(ctx, &s, "a.beton", forms[i], forms[i]);
            left = LONG_MAX;
            if (status == ASSAY_OK)
                break;
            assert_int_equal(status, ASSAY_E_NOMEM);
            assert_int_equal(test_count_files(ctx, &s), 2 + i);
        }
        assert_true(n > 10 && status == ASSAY_OK);
    }
    assay_ctx_cancel(ctx);
    assert_fails(ASSAY_E_CANCELLED, export_to(ctx, &s, "a.beton", "c", "folder"));
    assert_fails(ASSAY_E_CANCELLED, export_to(ctx, &s, "a.beton", "c", "webdataset"));
    assert_int_equal(test_count_files(ctx, &s), 4);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* Ids of a hostile file lead nowhere. */
static void names_stay_inside(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    static const char *const ids[] = {"../../up", "/abs/x",   "a/../../b",
                                      "..",       ".hid",     "",
                                      "x\ny",     "same.jpg", "same.png"};
    enum { ROWS = sizeof ids / sizeof ids[0] };
    const beton_field fields[] = {{.type = BETON_IMAGE, .name = "image"},
                                  {.type = BETON_INT, .name = "label"}};
    beton_writer *w;
    test_path path = test_in(&s, "a.beton");
    assert_ok(beton_writer_create(
        &w, ctx, path.text,
        &(beton_writer_options){
            .page_size = 1 << 21, .samples = ROWS, .fields = fields, .n_fields = 2}));
    buf tag = buf_make(ctx);
    uint8_t number[8];
    uint64_t at = 0;
    le64_put(number, ROWS);
    buf_add(&tag, number, 8);
    for (size_t i = 0; i <= ROWS; i++) {
        le64_put(number, at);
        buf_add(&tag, number, 8);
        at += i < ROWS ? strlen(ids[i]) + 1 : 0;
    }
    for (size_t i = 0; i < ROWS; i++) {
        uint8_t row[64] = {0}, pixel[3] = {1, 2, 3};
        const beton_field *f = beton_writer_field(w, 0);
        uint8_t *cell = row + f->cell_offset;
        cell[0] = 1;
        cell[1] = cell[3] = 1;
        le64_put(row + beton_writer_field(w, 1)->cell_offset, i % 2);
        beton_payload_in p = {.field = 0,
                              .data = pixel,
                              .bytes = 3,
                              .ptr_offset =
                                  f->cell_offset + beton_ptr_offset(BETON_IMAGE)};
        assert_ok(beton_writer_add(w, row, &p, 1));
        buf_add(&tag, ids[i], strlen(ids[i]) + 1);
    }
    assert_ok(beton_writer_tag(w, BETON_TAG_IDS, tag.data, tag.len));
    static const char classes[] = "[\"..\", \"/etc\"]";
    assert_ok(beton_writer_tag(w, BETON_TAG_CLASSES, classes, sizeof classes - 1));
    assert_ok(beton_writer_commit(w));
    beton_writer_destroy(w);
    buf_free(&tag);
    assert_ok(export_to(ctx, &s, "a.beton", "out/f", "folder"));
    assert_ok(export_to(ctx, &s, "a.beton", "out/w", "webdataset"));
    assert_int_equal(test_count_files(ctx, &s), 2);
    os_names names;
    assert_ok(os_list_dir(ctx, test_in(&s, "out/f").text, &names));
    assert_int_equal(names.count, 4); /* the mark, two folders, classes.json */
    assert_string_equal(names.name[1], "_.");
    assert_string_equal(names.name[2], "_etc");
    os_names_free(&names);
    test_source o;
    assert_ok(test_source_open(&o, ctx, test_in(&s, "out/w").text));
    assert_int_equal(o.list.rows, ROWS);
    test_source_close(&o);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_come_back),    cmocka_unit_test(tables_come_back),
        cmocka_unit_test(shards_come_back),     cmocka_unit_test(any_column_comes_back),
        cmocka_unit_test(cares_for_the_output), cmocka_unit_test(leaves_nothing),
        cmocka_unit_test(names_stay_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Tables of images and of texts: what is listed and handed out, and what is said of bad
 * ones. */
#include "data/testing.h"

#include <assay/data.h>

#include <math.h>

static void put_text(const test_scratch *s, const char *name, const char *text) {
    put_in(s, name, text, strlen(text));
}

static void refused(assay_ctx *ctx,
                    const test_scratch *s,
                    const char *text,
                    assay_status code,
                    const char *what,
                    const char *where) {
    put_text(s, "t.csv", text);
    assert_refused(ctx, test_in(s, "t.csv").text, code, what, where);
}

static void
assert_bytes(const test_source *o, size_t row, size_t column, const char *want) {
    import_cell cell = {.ctx = o->list.ctx};
    assert_ok(o->importer->fetch_cell(o->state, &o->list, row, column, &cell));
    assert_int_equal(cell.bytes, strlen(want));
    assert_memory_equal(cell.data, want, cell.bytes);
    import_cell_free(&cell);
}

static void lists_images(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_source o;
    put_text(&s, "img/a.jpg", "A");
    put_text(&s, "img/b, \"1\".png", "BB");
    put_text(&s, "c.jpg", "CCC");
    put_text(&s, "t.csv",
             "\xEF\xBB\xBF"
             "Filename,class,split,age,score,remark,\r\n"
             "img/a.jpg,dog,train,3,1,\"two\r\nlines\",0\r\n"
             "\r\n"
             "\"./img/b, \"\"1\"\".png\",cat,train,-4,2.5e0,,1\r\n"
             "c.jpg, dog ,TEST,5,,\"say \"\"hi\"\"\",2");
    assert_ok(test_source_open(&o, ctx, test_in(&s, "t.csv").text));
    assert_string_equal(o.importer->name, "csv");
    assert_int_equal(o.list.rows, 3);
    assert_int_equal(o.list.classes, 2);
    assert_string_equal(o.list.class_name[0], "cat");
    assert_int_equal(o.list.row[0].label, 1);
    assert_int_equal(o.list.row[1].label, 0);
    assert_int_equal(o.list.row[2].label, 1);
    assert_int_equal(o.list.row[2].split, IMPORT_TEST);
    assert_string_equal(import_id(&o.list, 1), "img/b, \"1\".png");
    assert_int_equal(o.list.notes, 1);
    assert_non_null(strstr(o.list.note[0], "column 7 has no name"));
    import_image im = {.ctx = ctx};
    for (size_t i = 0; i < 3; i++) {
        assert_ok(o.importer->fetch(o.state, &o.list, i, &im));
        assert_int_equal(im.bytes, i + 1);
        assert_int_equal(im.data[i], "ABC"[i]);
    }
    import_image_free(&im);
    static const beton_type want[] = {BETON_INT, BETON_FLOAT, BETON_BYTES};
    static const char *const names[] = {"age", "score", "remark"};
    assert_int_equal(o.list.columns, 3);
    for (size_t c = 0; c < 3; c++) {
        assert_int_equal(o.list.column[c].type, want[c]);
        assert_string_equal(o.list.column[c].name, names[c]);
    }
    import_cell cell = {.ctx = ctx};
    assert_ok(o.importer->fetch_cell(o.state, &o.list, 1, 0, &cell));
    assert_int_equal(cell.integer, -4);
    assert_ok(o.importer->fetch_cell(o.state, &o.list, 1, 1, &cell));
    assert_true(cell.number == 2.5);
    assert_ok(o.importer->fetch_cell(o.state, &o.list, 2, 1, &cell));
    assert_true(isnan(cell.number));
    import_cell_free(&cell);
    assert_bytes(&o, 0, 2, "two\r\nlines");
    assert_bytes(&o, 1, 2, "");
    assert_bytes(&o, 2, 2, "say \"hi\"");
    test_source_close(&o);
    /* a file with the classes' order, and one class more */
    put_text(&s, "classes.txt", "dog\nowl\ncat\n");
    assert_ok(test_source_open(&o, ctx, test_in(&s, "t.csv").text));
    assert_int_equal(o.list.classes, 3);
    assert_int_equal(o.list.row[1].label, 2);
    test_source_close(&o);
    put_text(&s, "classes.txt", "dog\nowl\n");
    assert_refused(ctx, test_in(&s, "t.csv").text, ASSAY_E_FORMAT, "'cat' is not among",
                   "t.csv, line 5");
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void lists_texts(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_source o;
    put_text(&s, "t.tsv", "he said \"no\t1\nit 's fine\t0\n");
    assert_ok(test_source_open(&o, ctx, test_in(&s, "t.tsv").text));
    assert_true(o.list.no_image);
    assert_int_equal(o.list.rows, 2);
    assert_int_equal(o.list.row[0].label, 1);
    assert_string_equal(o.list.column[0].name, "text");
    assert_string_equal(import_id(&o.list, 1), "train/1");
    assert_bytes(&o, 0, 0, "he said \"no");
    test_source_close(&o);
    put_text(&s, "t.tsv", "sentence\tlabel\tset\n1\t7\ttrain\n2\t0\tdev\n");
    assert_ok(test_source_open(&o, ctx, test_in(&s, "t.tsv").text));
    assert_int_equal(o.list.columns, 1);
    assert_int_equal(o.list.column[0].type, BETON_INT);
    assert_int_equal(o.list.classes, 8);
    assert_int_equal(o.list.row[1].split, IMPORT_VAL);
    test_source_close(&o);
    /* packed, and cut short */
    buf packed = buf_make(ctx);
    gzip_stored(&packed, "text,label\nx,0\ny,1\n", 19);
    put_in(&s, "t.csv.gz", packed.data, packed.len);
    assert_ok(test_source_open(&o, ctx, test_in(&s, "t.csv.gz").text));
    assert_int_equal(o.list.rows, 2);
    assert_bytes(&o, 1, 0, "y");
    test_source_close(&o);
    put_in(&s, "t.csv.gz", packed.data, packed.len - 9);
    assert_refused(ctx, test_in(&s, "t.csv.gz").text, ASSAY_E_FORMAT, "end early",
                   "t.csv.gz");
    buf_free(&packed);
    /* paths alone: no labels */
    put_text(&s, "a.jpg", "x");
    put_text(&s, "t.csv", "file\na.jpg\n");
    assert_ok(test_source_open(&o, ctx, test_in(&s, "t.csv").text));
    assert_true(o.list.no_label && !o.list.no_image);
    test_source_close(&o);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void refuses(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    put_text(&s, "a.jpg", "x");
    put_text(&s, "b.jpg", "x");
    refused(ctx, &s, "", ASSAY_E_FORMAT, "table is empty", "t.csv");
    refused(ctx, &s, "where,what\na.jpg,0\n", ASSAY_E_FORMAT,
            "the header is 'where', 'what'", "t.csv, line 1");
    assert_non_null(strstr(assay_last_error()->help, "path, file, filename or image"));
    refused(ctx, &s, "path,label\na.jpg,0\nc.jpg,1\n", ASSAY_E_NOTFOUND,
            "no file 'c.jpg'", "t.csv, line 3");
    refused(ctx, &s, "path,label\n../../etc/passwd,0\n", ASSAY_E_INVALID,
            "leads out of the source's folder", "t.csv, line 2");
    refused(ctx, &s, "path,label\n./x/../../a.jpg,0\n", ASSAY_E_INVALID,
            "leads out of the source's folder", "t.csv, line 2");
    refused(ctx, &s, "path,label\n/etc/passwd,0\n", ASSAY_E_INVALID, "absolute path",
            "t.csv, line 2");
    refused(ctx, &s, "path,label\n,0\n", ASSAY_E_INVALID, "empty path", "t.csv, line 2");
    refused(ctx, &s, "path,label\na.jpg,\n", ASSAY_E_FORMAT, "empty label",
            "t.csv, line 2");
    refused(ctx, &s, "path,label\na.jpg,0\n\na.jpg,1\n", ASSAY_E_FORMAT,
            "'a.jpg' is listed twice", "t.csv, line 4");
    refused(ctx, &s, "path,label\na.jpg,0\nb.jpg,-2\n", ASSAY_E_FORMAT, "label -2",
            "t.csv, line 3");
    refused(ctx, &s, "path,label\na.jpg,0\nb.jpg,9999999\n", ASSAY_E_FORMAT,
            "label 9999999", "t.csv, line 3");
    refused(ctx, &s, "path,label\na.jpg,999999\nb.jpg,0\n", ASSAY_E_FORMAT,
            "label 999999 among 2 rows", "t.csv, line 2");
    refused(ctx, &s, "path,label\na.jpg\n", ASSAY_E_FORMAT, "1 cells where the header",
            "t.csv, line 2");
    refused(ctx, &s, "path,label\n\"a.jpg,0\n", ASSAY_E_FORMAT, "never closed",
            "t.csv: line 2");
    refused(ctx, &s, "path,label\n\"a\".jpg,0\n", ASSAY_E_FORMAT,
            "behind a closing quote", "t.csv: line 2");
    refused(ctx, &s, "path,label,split\na.jpg,0,left\n", ASSAY_E_FORMAT,
            "'left' is not a split", "t.csv, line 2");
    refused(ctx, &s, "path,label,class\na.jpg,0,1\n", ASSAY_E_FORMAT,
            "both 'label' and 'class'", "t.csv, line 1");
    refused(ctx, &s, "path,label,x,x\na.jpg,0,1,1\n", ASSAY_E_FORMAT,
            "two columns are called 'x'", "t.csv, line 1");
    refused(ctx, &s, "path,label,a column with a name\na.jpg,0,1\nb.jpg,1,1\n",
            ASSAY_E_INVALID, "more than 16", "t.csv, line 1");
    refused(ctx, &s, "path,label\na.jpg,0\n", ASSAY_E_FORMAT, "of one class", "t.csv");
    refused(ctx, &s, "path,label\n", ASSAY_E_FORMAT, "no images found", "t.csv");
    put_in(&s, "t.csv", "path,label\na.jpg,\0\n", 20);
    assert_refused(ctx, test_in(&s, "t.csv").text, ASSAY_E_FORMAT, "a NUL",
                   "t.csv: line 2");
    /* very many cells */
    buf b = buf_make(ctx);
    for (int i = 0; i < 5000; i++)
        buf_str(&b, "x,");
    put_buf(&s, "t.csv", &b);
    assert_refused(ctx, test_in(&s, "t.csv").text, ASSAY_E_FORMAT, "4,096 cells",
                   "t.csv: line 1");
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void reads_sst2(void **unused) {
    (void)unused;
    test_path p = test_shared("data/text/sst2_sent_dev.tsv");
    assay_ctx *ctx = test_ctx(1);
    test_source o;
    assert_ok(test_source_open(&o, ctx, p.text));
    assert_int_equal(o.list.rows, 872);
    assert_int_equal(o.list.classes, 2);
    assert_int_equal(o.list.columns, 1);
    assert_bytes(&o, 0, 0, "one long string of cliches");
    test_source_close(&o);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_images),
        cmocka_unit_test(lists_texts),
        cmocka_unit_test(refuses),
        cmocka_unit_test(reads_sst2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

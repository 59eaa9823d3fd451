/* JSON Lines: what is listed and handed out, and what is said of bad ones. */
#include "data/testing.h"

#include <assay/data.h>

static void put_text(const test_scratch *s, const char *name, const char *text) {
    put_in(s, name, text, strlen(text));
}

static void refused(assay_ctx *ctx,
                    const test_scratch *s,
                    const char *text,
                    assay_status code,
                    const char *what,
                    const char *where) {
    put_text(s, "t.jsonl", text);
    assert_refused(ctx, test_in(s, "t.jsonl").text, code, what, where);
}

static void
assert_bytes(const test_source *o, size_t row, size_t column, const char *want) {
    import_cell cell = {.ctx = o->list.ctx};
    assert_ok(o->importer->fetch_cell(o->state, &o->list, row, column, &cell));
    assert_int_equal(cell.bytes, strlen(want));
    assert_memory_equal(cell.data, want, cell.bytes);
    import_cell_free(&cell);
}

static void lists(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_source o;
    put_text(&s, "i/a.jpg", "A");
    put_text(&s, "i/b.jpg", "BB");
    put_text(
        &s, "t.jsonl",
        "{\"image\": \"i/a.jpg\", \"label\": \"dog\", \"n\": 3, \"f\": 1, \"split\": "
        "\"train\", \"text\": \"caf\\u00e9\"}\r\n"
        "\n"
        "{\"image\": \"i/b.jpg\", \"label\": \"cat\", \"n\": -4, \"f\": 2.5, "
        "\"split\": \"test\", \"text\": \"\"}");
    assert_ok(test_source_open(&o, ctx, test_in(&s, "t.jsonl").text));
    assert_string_equal(o.importer->name, "jsonl");
    assert_int_equal(o.list.rows, 2);
    assert_string_equal(o.list.class_name[1], "dog");
    assert_int_equal(o.list.row[0].label, 1);
    assert_int_equal(o.list.row[1].split, IMPORT_TEST);
    assert_string_equal(import_id(&o.list, 1), "i/b.jpg");
    static const beton_type want[] = {BETON_INT, BETON_FLOAT, BETON_BYTES};
    assert_int_equal(o.list.columns, 3);
    for (size_t c = 0; c < 3; c++)
        assert_int_equal(o.list.column[c].type, want[c]);
    import_cell cell = {.ctx = ctx};
    assert_ok(o.importer->fetch_cell(o.state, &o.list, 1, 0, &cell));
    assert_int_equal(cell.integer, -4);
    assert_ok(o.importer->fetch_cell(o.state, &o.list, 0, 1, &cell));
    assert_true(cell.number == 1);
    import_cell_free(&cell);
    assert_bytes(&o, 0, 2, "caf\xc3\xa9");
    assert_bytes(&o, 1, 2, "");
    import_image im = {.ctx = ctx};
    assert_ok(o.importer->fetch(o.state, &o.list, 1, &im));
    assert_memory_equal(im.data, "BB", 2);
    import_image_free(&im);
    test_source_close(&o);
    /* no images; a key that is a number in some lines only, and one with a long name */
    put_text(
        &s, "t.ndjson",
        "\xEF\xBB\xBF{\"text\": \"x\", \"label\": 2, \"a\": 1}\n"
        "{\"text\": \"y\", \"label\": 0, \"a\": null, \"an overly long name\": 1} \n");
    assert_ok(test_source_open(&o, ctx, test_in(&s, "t.ndjson").text));
    assert_true(o.list.no_image && !o.list.no_label);
    assert_int_equal(o.list.classes, 3);
    assert_int_equal(o.list.columns, 2);
    assert_int_equal(o.list.column[1].type, BETON_JSON);
    assert_string_equal(o.list.column[1].name, "json");
    assert_bytes(&o, 0, 1, "{\"text\": \"x\", \"label\": 2, \"a\": 1}");
    assert_bytes(&o, 1, 0, "y");
    test_source_close(&o);
    /* packed */
    static const char lines[] =
        "{\"text\": \"x\", \"y\": 1}\n{\"text\": \"z\", \"y\": 0}\n";
    buf packed = buf_make(ctx);
    gzip_stored(&packed, lines, sizeof lines - 1);
    put_in(&s, "t.jsonl.gz", packed.data, packed.len);
    assert_ok(test_source_open(&o, ctx, test_in(&s, "t.jsonl.gz").text));
    assert_bytes(&o, 1, 0, "z");
    test_source_close(&o);
    put_in(&s, "t.jsonl.gz", packed.data, packed.len / 2);
    assert_refused(ctx, test_in(&s, "t.jsonl.gz").text, ASSAY_E_FORMAT, "end early",
                   "t.jsonl.gz");
    buf_free(&packed);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void refuses(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    put_text(&s, "a.jpg", "x");
    refused(ctx, &s, "", ASSAY_E_FORMAT, "no ", "t.jsonl");
    refused(ctx, &s, "{\"a\": 1}\n\n{\"a\": }\n", ASSAY_E_FORMAT, "not JSON",
            "t.jsonl, line 3");
    refused(ctx, &s, "[1]\n", ASSAY_E_FORMAT, "no object", "t.jsonl, line 1");
    refused(ctx, &s, "{\"path\": \"b.jpg\"}\n", ASSAY_E_NOTFOUND, "no file 'b.jpg'",
            "t.jsonl, line 1");
    refused(ctx, &s, "{\"path\": \"../a.jpg\"}\n", ASSAY_E_INVALID, "leads out",
            "t.jsonl, line 1");
    refused(ctx, &s, "{\"path\": \"../../etc/passwd\"}\n", ASSAY_E_INVALID, "leads out",
            "t.jsonl, line 1");
    refused(ctx, &s, "{\"path\": \"/etc/passwd\"}\n", ASSAY_E_INVALID, "absolute",
            "t.jsonl, line 1");
    refused(ctx, &s, "{\"path\": 7}\n", ASSAY_E_FORMAT, "path that is no text",
            "t.jsonl, line 1");
    refused(ctx, &s, "{\"path\": \"a.jpg\", \"label\": 0}\n{\"path\": \"a.jpg\"}\n",
            ASSAY_E_FORMAT, "no 'label', which the first line has", "t.jsonl, line 2");
    refused(ctx, &s,
            "{\"path\": \"a.jpg\", \"label\": 0}\n{\"path\": \"a.jpg\", \"label\": 1}\n",
            ASSAY_E_FORMAT, "listed twice", "t.jsonl, line 2");
    refused(ctx, &s, "{\"text\": \"\", \"label\": 0.5}\n", ASSAY_E_FORMAT,
            "neither a whole number nor a text", "t.jsonl, line 1");
    refused(ctx, &s, "{\"label\": 0}\n{\"label\": -1}\n", ASSAY_E_FORMAT, "label -1",
            "t.jsonl, line 2");
    refused(ctx, &s, "{\"label\": 0, \"split\": 1}\n", ASSAY_E_FORMAT, "not a split",
            "t.jsonl, line 1");
    refused(ctx, &s, "{\"json\": 0, \"more\": []}\n", ASSAY_E_INVALID,
            "two columns are called 'json'", "t.jsonl");
    buf b = buf_make(ctx);
    for (int i = 0; i < 100000; i++)
        buf_str(&b, "[");
    buf_str(&b, "\n");
    put_buf(&s, "t.jsonl", &b);
    assert_refused(ctx, test_in(&s, "t.jsonl").text, ASSAY_E_FORMAT, "",
                   "t.jsonl, line 1");
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Tables, audit.json and the answer, from an audit made up to be awkward. */
#include "report/testing.h"

#include "base/json.h"
#include "report/page.h"
#include "report/text.h"

/* ---- text ---- */

typedef void (*escape_fn)(buf *b, const char *text);

static void
expect_escape(assay_ctx *ctx, escape_fn escape, const char *in, const char *want) {
    buf b = buf_make(ctx);
    escape(&b, in);
    assert_string_equal(b.data, want);
    buf_free(&b);
}

static void text_is_escaped(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    expect_escape(ctx, text_html, "a<b>&\"'", "a&lt;b&gt;&amp;&quot;&#39;");
    expect_escape(ctx, text_html, "91.2 %", "91.2\xC2\xA0%");
    expect_escape(ctx, text_html, "\x01\xFF\xC3(\xED\xA0\x80",
                  "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD("
                  "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    expect_escape(ctx, text_html, "\xC3\xBC \xE2\x82\xAC \xF0\x9F\x90\x88",
                  "\xC3\xBC \xE2\x82\xAC \xF0\x9F\x90\x88");
    expect_escape(ctx, text_csv, "plain name", "plain name");
    expect_escape(ctx, text_csv, "a,b", "\"a,b\"");
    expect_escape(ctx, text_csv, "say \"x\"", "\"say \"\"x\"\"\"");
    expect_escape(ctx, text_csv, "two\nlines", "\"two\nlines\"");
    expect_escape(ctx, text_tsv, "a\tb\\\n\r", "a\\tb\\\\\\n\\r");
    assay_ctx_destroy(ctx);
}

static void numbers_read_well(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    buf b = buf_make(ctx);
    text_count(&b, 0);
    buf_str(&b, " ");
    text_count(&b, 999);
    buf_str(&b, " ");
    text_count(&b, 60000);
    buf_str(&b, " ");
    text_count(&b, 1234567);
    buf_str(&b, " ");
    text_counted(&b, 1, "label");
    buf_str(&b, " ");
    text_fixed(&b, -0.305, 2);
    buf_str(&b, " ");
    text_fixed(&b, -0.001, 2);
    buf_str(&b, " ");
    text_fixed(&b, NAN, 2);
    buf_str(&b, " ");
    text_percent(&b, 0.91249);
    buf_str(&b, " ");
    text_number(&b, (double)0.1f);
    text_number(&b, NAN);
    assert_string_equal(b.data, "0 999 60,000 1,234,567 1 label -0.31 0.00 - 91.2 % 0.1");
    static const char *const plain[] = {"", "f", "fo", "foo", "foobar"};
    static const char *const coded[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYmFy"};
    for (size_t i = 0; i < 5; i++) {
        buf_clear(&b);
        text_base64(&b, plain[i], strlen(plain[i]));
        assert_string_equal(b.data, coded[i]);
    }
    uint8_t many[4000];
    memset(many, 0xFF, sizeof many);
    buf_clear(&b);
    text_base64(&b, many, sizeof many);
    assert_int_equal(b.len, (sizeof many + 2) / 3 * 4);
    assert_int_equal(strspn(b.data, "/"), sizeof many / 3 * 4 + 1);
    buf_free(&b);
    assay_ctx_destroy(ctx);
}

/* ---- a reader of RFC 4180, to see that what was written can be read ---- */

typedef struct csv {
    const char *p;
    char field[16][512];
    int n;
} csv;

static bool csv_next(csv *c) {
    c->n = 0;
    if (!*c->p)
        return false;
    for (;;) {
        assert_in_range(c->n, 0, 15);
        char *out = c->field[c->n++];
        size_t used = 0;
        bool quoted = *c->p == '"';
        c->p += quoted;
        while (*c->p && (quoted || (*c->p != ',' && *c->p != '\n'))) {
            if (quoted && *c->p == '"' && *++c->p != '"')
                break;
            assert_in_range(used, 0, 510);
            out[used++] = *c->p++;
        }
        out[used] = '\0';
        if (*c->p == '\n') {
            c->p++;
            return true;
        }
        assert_int_equal(*c->p, ',');
        c->p++;
    }
}

static char *read_text(report_sample *s, const test_scratch *dir, const char *name) {
    size_t n;
    return (char *)test_get(s->ctx, test_in(dir, name).text, &n);
}

static void tables_hold_every_finding(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    report_sample *s = report_sample_create(ctx, 400, 200, 10, 8, 1);
    test_scratch dir = test_scratch_begin();
    assay_report_options o = ASSAY_REPORT_OPTIONS_INIT;
    assert_ok(report_write(ctx, &s->a, &s->source, dir.folder, &o));

    char *text = read_text(s, &dir, "issues.csv");
    csv c = {.p = text};
    assert_true(csv_next(&c));
    static const char *const head[] = {"row",   "split",  "kind", "score",
                                       "given", "likely", "id"};
    assert_int_equal(c.n, 7);
    for (int i = 0; i < 7; i++)
        assert_string_equal(c.field[i], head[i]);
    uint64_t label = 0, leakage = 0, exact = 0, near = 0, corrupt = 0, lines = 0;
    for (; csv_next(&c); lines++) {
        const detect_finding *f = &s->a.findings.item[lines];
        report_name scratch;
        report_view v = {.a = &s->a, .source = s->source};
        assert_int_equal(c.n, 7);
        label += strcmp(c.field[2], "label") == 0;
        leakage += strcmp(c.field[2], "leakage") == 0;
        exact += strcmp(c.field[2], "copy_exact") == 0;
        near += strcmp(c.field[2], "copy_near") == 0;
        assert_true(strtof(c.field[3], NULL) == f->score);
        if (strcmp(c.field[2], "corrupt") == 0) {
            assert_string_equal(c.field[0], "");
            assert_string_equal(c.field[6],
                                corrupt ? "cat/</script>cut.jpg" : "cat/cut, short.jpg");
            corrupt++;
            continue;
        }
        assert_int_equal(strtoul(c.field[0], NULL, 10), f->row);
        assert_string_equal(c.field[1], f->row < 400 ? "train" : "test");
        assert_string_equal(c.field[4], sample_class(NULL, s->labels[f->row]));
        assert_string_equal(c.field[6], report_id(&v, f->row, scratch));
        if (f->kind == DETECT_LABEL)
            assert_string_equal(c.field[5], sample_class(NULL, f->likely));
    }
    assert_int_equal(lines, s->a.findings.count);
    assert_int_equal(label, 20);
    assert_int_equal(leakage, s->a.counts.leakage);
    assert_int_equal(exact, s->a.counts.copy_exact);
    assert_int_equal(near, s->a.counts.copy_near);
    assert_int_equal(corrupt, 2);
    mem_free(ctx, text);

    text = read_text(s, &dir, "influence.csv");
    c = (csv){.p = text};
    assert_true(csv_next(&c));
    assert_string_equal(c.field[4], "effect");
    const audit_test_error *e = &s->a.error[0];
    for (int i = 0; i < 2 * AUDIT_CAUSES; i++) {
        int rank = i % AUDIT_CAUSES;
        bool towards = i < AUDIT_CAUSES;
        assert_true(csv_next(&c));
        assert_int_equal(c.n, 11);
        assert_int_equal(strtoul(c.field[0], NULL, 10), e->row);
        assert_string_equal(c.field[1], towards ? "towards" : "against");
        assert_int_equal(strtol(c.field[2], NULL, 10), rank + 1);
        assert_int_equal(strtoul(c.field[3], NULL, 10),
                         towards ? e->towards[rank].row : e->against[rank].row);
        assert_true(strtof(c.field[4], NULL) ==
                    (towards ? e->towards[rank].effect : e->against[rank].effect));
        if (i == 1)
            assert_string_equal(c.field[8], "label");
    }
    mem_free(ctx, text);
    test_scratch_end(&dir);
    report_sample_destroy(s);
    assay_ctx_destroy(ctx);
}

static void exclude_lists_what_needs_no_person(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    report_sample *s = report_sample_create(ctx, 400, 200, 2, 8, 1);
    test_scratch dir = test_scratch_begin();
    assay_report_options o = ASSAY_REPORT_OPTIONS_INIT;
    assert_ok(report_write(ctx, &s->a, &s->source, dir.folder, &o));
    char *text = read_text(s, &dir, "exclude.txt");
    static const char head[] =
        "# assay-exclude 1  dataset=sha256:"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa  rows=600\n"
        "row\tsplit\treason\tscore\tid\n";
    assert_memory_equal(text, head, strlen(head));
    uint64_t rows = 0, comments = 0;
    for (char *p = text + strlen(head); *p; p = strchr(p, '\n') + 1) {
        if (*p == '#') {
            comments++;
            continue;
        }
        unsigned long row = strtoul(p, NULL, 10);
        assert_in_range(row, 0, 399);
        assert_memory_equal(strchr(p, '\t'), "\ttrain\tcopy\t1.00\t", 17);
        rows++;
    }
    assert_int_equal(rows, s->a.counts.copy_exact);
    assert_int_equal(comments, 2);
    mem_free(ctx, text);
    test_scratch_end(&dir);
    report_sample_destroy(s);
    assay_ctx_destroy(ctx);
}

static void json_keeps_its_contract(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    report_sample *s = report_sample_create(ctx, 400, 200, 10, 8, 1);
    s->a.n_plant = 2;
    s->a.plant[0] = (audit_plant){.kind = "labels",
                                  .count = 20,
                                  .auroc = .9912345678,
                                  .auroc_plain = .99,
                                  .precision_at_count = .9,
                                  .precision_plain = .89,
                                  .recall = .8,
                                  .unplanted = 3};
    s->a.plant[1] = (audit_plant){.kind = "copies",
                                  .count = 10,
                                  .auroc = NAN,
                                  .auroc_plain = NAN,
                                  .precision_at_count = NAN,
                                  .precision_plain = NAN,
                                  .recall = 1};
    report_view v;
    assert_ok(report_view_create(&v, ctx, &s->a, &s->source));
    buf b = buf_make(ctx);
    report_json(&b, &v);
    assert_ok(buf_check(&b));
    assert_null(strchr(b.data, '<'));
    json_doc *doc = NULL;
    assert_ok(json_parse(&doc, ctx, b.data, b.len));
    const json_val *r = json_root(doc);
    assert_string_equal(json_get_str(json_get(r, "schema"), ""), "assay.audit/1");
    assert_string_equal(json_get_str(json_get(json_get(r, "dataset"), "sha256"), ""),
                        s->a.sha256);
    const json_val *accuracy = json_get(r, "accuracy");
    assert_true(json_get_num(json_get(accuracy, "single"), 0) == 0.8912345);
    assert_true(json_get_num(json_get(accuracy, "ensemble"), 0) == 0.9);
    const json_val *counts = json_get(r, "counts");
    assert_int_equal(json_get_int(json_get(counts, "label"), -1), s->a.label_listed);
    assert_int_equal(json_get_int(json_get(counts, "leakage"), -1), s->a.counts.leakage);
    assert_int_equal(json_get_int(json_get(counts, "copy_exact"), -1), 24);
    assert_int_equal(json_get_int(json_get(counts, "copy_near"), -1),
                     s->a.counts.copy_near);
    assert_int_equal(json_get_int(json_get(counts, "corrupt"), -1), 2);
    const json_val *planted = json_get(r, "planted");
    assert_int_equal(json_len(planted), 2);
    const json_val *first = json_at(planted, 0), *second = json_at(planted, 1);
    assert_string_equal(json_get_str(json_get(first, "kind"), ""), "labels");
    assert_true(json_get_num(json_get(first, "auroc"), 0) == .9912345678);
    assert_true(json_get_num(json_get(first, "precision_at_count"), 0) == .9);
    assert_true(json_get_num(json_get(second, "recall"), 0) == 1);
    assert_false(json_is_num(json_get(second, "auroc")));
    assert_int_equal(json_get_int(json_get(second, "unplanted"), -1), 0);
    assert_int_equal(json_len(json_get(r, "classes")), 10);
    assert_int_equal(json_len(json_at(json_get(r, "confusion"), 0)), 10);
    assert_string_equal(
        json_get_str(json_get(json_at(json_get(r, "classes"), 1), "name"), ""),
        sample_class(NULL, 1));
    json_doc_destroy(doc);
    buf_free(&b);
    report_view_free(&v);
    report_sample_destroy(s);
    assay_ctx_destroy(ctx);
}

static void answer_of(report_sample *s, buf *out) {
    report_view v;
    report_answer answer;
    assert_ok(report_view_create(&v, s->ctx, &s->a, &s->source));
    assert_ok(report_answer_make(&answer, &v));
    buf_clear(out);
    report_answer_text(out, &answer);
    assert_ok(buf_check(out));
    report_answer_free(&answer);
    report_view_free(&v);
}

static void answer_says_what_was_found(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    report_sample *s = report_sample_create(ctx, 400, 200, 10, 8, 1);
    buf b = buf_make(ctx);
    answer_of(s, &b);
    assert_string_equal(
        b.data,
        "Roughly 5 labels in 100 look wrong. The 16 likeliest are listed, of 20 that\n"
        "  models that never saw an image contradict. Of 160 labels spoiled on purpose,\n"
        "  139 were caught.\n"
        "15 test images also sit in training. 4 carry another label there. Without them\n"
        "  accuracy is 89.6 %. Of 20 copies put there on purpose, 20 were found.\n"
        "45 images are extra copies. 24 exact, 21 near, in 20 groups; in 8 the labels\n"
        "  differ.\n"
        "2 files could not be read. Left out of everything below; named in issues.csv.\n"
        "Accuracy 89.1 % for one model, 90.0 % for 6 together. 200 test images, 20\n"
        "  answered wrongly.\n");

    s->a.findings.count = 0;
    s->a.label_listed = 0;
    s->source.skipped = 0;
    answer_of(s, &b);
    assert_non_null(
        strstr(b.data, "No label looks wrong. Looked for: training labels that models"));
    assert_non_null(strstr(b.data, "No test image was found in training. Looked for:"));
    assert_non_null(strstr(b.data, "139 were caught."));
    assert_null(strstr(b.data, "could not be read"));

    s->a.label_check = false;
    (void)snprintf(s->a.label_note, sizeof s->a.label_note,
                   "class \"a\" has 3 rows; 24 are needed");
    s->a.self_copies = 0;
    answer_of(s, &b);
    assert_non_null(
        strstr(b.data, "Labels were not judged. class \"a\" has 3 rows; 24 are"));
    assert_non_null(strstr(b.data, "No self-test"));
    buf_free(&b);
    report_sample_destroy(s);
    assay_ctx_destroy(ctx);
}

static void same_audit_same_bytes(void **state) {
    (void)state;
    static const char *const file[] = {"audit.html",   "audit.json",    "issues.csv",
                                       "issues.jsonl", "influence.csv", "exclude.txt"};
    enum { FILES = sizeof file / sizeof *file };
    char *text[2][FILES];
    assay_ctx *reader = test_ctx(1);
    for (int round = 0; round < 2; round++) {
        assay_ctx *ctx = test_ctx(round + 1); /* threads */
        report_sample *s = report_sample_create(ctx, 300, 100, 3, 8, 3);
        test_scratch dir = test_scratch_begin();
        assay_report_options o = ASSAY_REPORT_OPTIONS_INIT;
        assert_ok(report_write(ctx, &s->a, &s->source, dir.folder, &o));
        for (int i = 0; i < FILES; i++) {
            size_t n;
            text[round][i] = (char *)test_get(reader, test_in(&dir, file[i]).text, &n);
        }
        test_scratch_end(&dir);
        report_sample_destroy(s);
        assay_ctx_destroy(ctx);
    }
    for (int i = 0; i < FILES; i++) {
        assert_string_equal(text[0][i], text[1][i]);
        mem_free(reader, text[0][i]);
        mem_free(reader, text[1][i]);
    }
    assay_ctx_destroy(reader);
}

/* ---- the page ---- */

static size_t times(const char *text, const char *what) {
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
        n++;
    return n;
}

static char *page_of(report_sample *s, const assay_report_options *o, size_t *bytes) {
    report_view v;
    buf b = buf_make(s->ctx);
    assert_ok(report_view_create(&v, s->ctx, &s->a, &s->source));
    v.command = o->command;
    assert_ok(report_page(&b, &v, 100, o->page_size ? o->page_size : 8000000));
    report_view_free(&v);
    *bytes = b.len;
    return b.data;
}

static void names_stay_names(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    report_sample *s = report_sample_create(ctx, 400, 200, 10, 8, 1);
    assay_report_options o = ASSAY_REPORT_OPTIONS_INIT;
    o.command = "assay audit '</script>'";
    size_t bytes;
    char *text = page_of(s, &o, &bytes);
    assert_int_equal(times(text, "<script"), 2);
    assert_int_equal(times(text, "</script"), 2);
    assert_int_equal(times(text, "<svg onload"), 0);
    assert_int_equal(times(text, "<b>bold"), 0);
    assert_int_equal(times(text, "<!--"), 0);
    assert_int_not_equal(times(text, "&lt;/script&gt;&lt;script&gt;document.title"), 0);
    assert_int_not_equal(times(text, "\\u003c/script>"), 0);
    assert_int_equal(times(text, "assay audit &#39;&lt;/script&gt;&#39;"), 1);
    mem_free(ctx, text);
    report_sample_destroy(s);
    assay_ctx_destroy(ctx);
}

/* With ever less room: tiles lose quality, shrink, go; then items go. */
static void the_page_keeps_to_its_size(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    report_sample *s = report_sample_create(ctx, 800, 200, 10, 48, 3);
    assay_report_options o = ASSAY_REPORT_OPTIONS_INIT;
    size_t items = 0, bytes = 0, at_own_size = 0, at_32 = 0, with_gaps = 0;
    bool fewer = false;
    for (o.page_size = 1000000; !fewer; o.page_size = o.page_size * 92 / 100) {
        assert_in_range(o.page_size, 50000, 1000000);
        char *text = page_of(s, &o, &bytes);
        assert_in_range(bytes, 1, o.page_size);
        bool own = times(text, "--r:48/48;") == 1;
        bool gaps = times(text, "class=\"t none\"") > 0;
        size_t now = times(text, "<li");
        items = items ? items : now;
        fewer = now < items;
        at_own_size += own;
        at_32 += !own && !gaps && times(text, "--r:32/32;") == 1;
        with_gaps += !fewer && gaps;
        if (own)
            assert_false(gaps || at_32 || with_gaps);
        mem_free(ctx, text);
    }
    assert_in_range(at_own_size, 2, 30);
    assert_in_range(at_32, 1, 30);
    assert_in_range(with_gaps, 1, 30);

    test_scratch dir = test_scratch_begin();
    o.page_size = 10000;
    assert_fails(ASSAY_E_INVALID, report_write(ctx, &s->a, &s->source, dir.folder, &o));
    test_scratch_end(&dir);
    report_sample_destroy(s);
    assay_ctx_destroy(ctx);
}

static assay_status sample_picture(const void *cookie, uint64_t row, image *out) {
    assay_status status = image_resize_storage(out, 120, 60);
    (void)cookie;
    if (status == ASSAY_OK)
        memset(out->rgb, (int)(row % 256), (size_t)120 * 60 * 3);
    return status;
}

static void pictures_come_at_their_own_size(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    assay_report_options o = ASSAY_REPORT_OPTIONS_INIT;
    for (int channels = 1; channels <= 3; channels += 2) {
        report_sample *s = report_sample_create(ctx, 200, 100, 2, 8, channels);
        s->source.picture = sample_picture;
        s->source.side = 120;
        s->source.rows -= 7; /* the last were planted: only the audit has their pixels */
        s->a.planted_rows = 7;
        size_t bytes;
        char *text = page_of(s, &o, &bytes);
        assert_int_equal(times(text, "--r:96/96;"), 1);
        assert_int_equal(times(text, "class=\"t none\""), 0);
        assert_int_not_equal(times(text, "planted/"), 0);
        mem_free(ctx, text);
        report_sample_destroy(s);
    }
    assay_ctx_destroy(ctx);
}

static void nothing_found_is_said(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    report_sample *s = report_sample_create(ctx, 200, 100, 2, 8, 1);
    assay_report_options o = ASSAY_REPORT_OPTIONS_INIT;
    struct assay_audit *a = &s->a;
    a->findings.count = 0;
    a->label_listed = 0;
    a->n_errors = 0;
    a->attribution = false;
    a->label_score = NULL;
    s->source = (report_source){.rows = a->rows}; /* nor any names */
    size_t bytes;
    char *text = page_of(s, &o, &bytes);
    assert_int_equal(times(text, "No label looks wrong."), 2);
    assert_int_equal(times(text, "No test image was found in training."), 2);
    assert_int_equal(times(text, "No copies were found"), 2);
    assert_int_equal(times(text, "id=\"files\""), 0);
    assert_int_not_equal(times(text, "class 1"), 0);
    mem_free(ctx, text);
    report_sample_destroy(s);
    assay_ctx_destroy(ctx);
}

static void an_unwritable_folder_is_named(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    report_sample *s = report_sample_create(ctx, 40, 20, 2, 8, 1);
    assay_report_options o = ASSAY_REPORT_OPTIONS_INIT;
    assert_fails(ASSAY_E_INVALID,
                 report_write(ctx, &s->a, &s->source, "/nonexistent/folder", &o));
    report_sample_destroy(s);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_escaped),
        cmocka_unit_test(numbers_read_well),
        cmocka_unit_test(tables_hold_every_finding),
        cmocka_unit_test(exclude_lists_what_needs_no_person),
        cmocka_unit_test(json_keeps_its_contract),
        cmocka_unit_test(answer_says_what_was_found),
        cmocka_unit_test(same_audit_same_bytes),
        cmocka_unit_test(names_stay_names),
        cmocka_unit_test(the_page_keeps_to_its_size),
        cmocka_unit_test(pictures_come_at_their_own_size),
        cmocka_unit_test(nothing_found_is_said),
        cmocka_unit_test(an_unwritable_folder_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

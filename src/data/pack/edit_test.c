/* Merging, selecting and splitting: rows, labels, splits and ids of the result, what is
 * refused, FFCV's files, bytes. */
#include "data/dataset.h"
#include "data/identity.h"
#include "data/pack/pick.h"
#include "data/testing.h"

static void pack_idx(assay_ctx *ctx,
                     const test_scratch *s,
                     const char *names,
                     uint32_t train,
                     uint32_t test,
                     const char *out) {
    put_idx_set(ctx, s, train, test);
    put_in(s, "classes.txt", names, strlen(names));
    assay_pack_options o = ASSAY_PACK_OPTIONS_INIT;
    o.force = 1;
    o.from = "idx";
    assert_ok(assay_pack(ctx, s->folder, test_in(s, out).text, &o, NULL));
}

static dataset *opened(assay_ctx *ctx, const char *path) {
    dataset *d;
    assert_ok(assay_beton_verify(ctx, path, 0, NULL));
    assert_ok(dataset_open(&d, ctx, path));
    return d;
}

/* Row `row` of `d` is row `from` of `source`: class, id, pixels. */
static void
same_row(assay_ctx *ctx, dataset *d, uint64_t row, const dataset *source, uint64_t from) {
    image a = image_make(ctx), b = image_make(ctx);
    assert_string_equal(dataset_class_name(d, dataset_label(d, row)),
                        dataset_class_name(source, dataset_label(source, from)));
    assert_string_equal(dataset_id(d, row), dataset_id(source, from));
    assert_ok(dataset_image(d, row, &a));
    assert_ok(dataset_image(source, from, &b));
    assert_int_equal(a.width, b.width);
    assert_memory_equal(a.rgb, b.rgb, 3 * (size_t)a.width * (size_t)a.height);
    image_free(&a);
    image_free(&b);
}

static void merges(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(2);
    test_scratch s = test_scratch_begin();
    test_path a = test_in(&s, "a.beton"), b = test_in(&s, "b.beton");
    test_path out = test_in(&s, "out.beton"), again = test_in(&s, "again.beton");
    pack_idx(ctx, &s, "ant\nbee\ncow\n", 30, 12, "a.beton");
    pack_idx(ctx, &s, "cow\nant\ndog\n", 20, 9, "b.beton");
    const char *paths[] = {a.text, b.text};
    assay_edit_result r;
    assert_ok(assay_beton_merge(ctx, paths, 2, out.text, NULL, &r));
    assert_int_equal(r.rows, 71);
    assert_int_equal(r.train_rows, 50);
    assert_int_equal(r.classes, 4);
    dataset *d = opened(ctx, out.text), *x = opened(ctx, a.text),
            *y = opened(ctx, b.text);
    assert_int_equal(dataset_train_rows(d), 50);
    assert_string_equal(dataset_class_name(d, 3), "dog");
    assert_int_equal(dataset_channels(d), 1);
    assert_string_equal(dataset_sha256(d), r.sha256);
    for (uint64_t i = 0; i < 71; i++) {
        bool second = i < 50 ? i >= 30 : i >= 62;
        uint64_t from = i < 30 ? i : i < 50 ? i - 30 : i < 62 ? i - 20 : i - 42;
        same_row(ctx, d, i, second ? y : x, from);
    }
    dataset_close(d);
    dataset_close(x);
    dataset_close(y);
    /* the same bytes at another number of threads, and in place */
    assay_ctx *one = test_ctx(1);
    size_t n, m;
    assert_ok(assay_beton_append(one, a.text, b.text, again.text, NULL, NULL));
    assert_ok(assay_beton_append(one, a.text, b.text, NULL, NULL, NULL));
    uint8_t *p = test_get(ctx, out.text, &n);
    for (int i = 0; i < 2; i++) {
        uint8_t *q = test_get(ctx, i ? a.text : again.text, &m);
        assert_int_equal(n, m);
        assert_memory_equal(p, q, n);
        mem_free(ctx, q);
    }
    mem_free(ctx, p);
    assay_ctx_destroy(one);
    assert_fails(ASSAY_E_INVALID, assay_beton_merge(ctx, paths, 2, out.text, NULL, &r));
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void selects(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(2);
    test_scratch s = test_scratch_begin();
    test_path a = test_in(&s, "a.beton"), out = test_in(&s, "out.beton"),
              list = test_in(&s, "exclude.txt");
    pack_idx(ctx, &s, "ant\nbee\ncow\n", 30, 12, "a.beton");
    dataset *x = opened(ctx, a.text), *d;
    assay_select_options o = ASSAY_SELECT_OPTIONS_INIT;
    assay_edit_result r;
    o.force = 1;
    o.rows = "5:10,35:";
    assert_ok(assay_beton_select(ctx, a.text, out.text, &o, &r));
    assert_int_equal(r.rows, 12);
    assert_int_equal(r.train_rows, 5);
    d = opened(ctx, out.text);
    for (uint64_t i = 0; i < 12; i++)
        same_row(ctx, d, i, x, i < 5 ? 5 + i : 30 + i);
    dataset_close(d);
    o.rows = NULL;
    o.split = "test";
    assert_ok(assay_beton_select(ctx, a.text, out.text, &o, &r));
    assert_int_equal(r.rows, 12);
    assert_int_equal(r.train_rows, 0);
    static const char *const classes[] = {"bee", "ant", NULL};
    o.split = NULL;
    o.classes = classes;
    assert_ok(assay_beton_select(ctx, a.text, out.text, &o, &r));
    assert_int_equal(r.rows, 28);
    assert_int_equal(r.classes, 3); /* labels keep their meaning */
    o.classes = NULL;
    char text[200];
    snprintf(text, sizeof text,
             "# assay-exclude 1  dataset=sha256:%s  rows=42\n0\ttrain\n41\n",
             dataset_sha256(x));
    test_put(list.text, text, strlen(text));
    o.exclude = list.text;
    assert_ok(assay_beton_select(ctx, a.text, out.text, &o, &r));
    assert_int_equal(r.rows, 40);
    d = opened(ctx, out.text);
    same_row(ctx, d, 0, x, 1);
    dataset_close(d);
    text[40] ^= 1; /* another dataset's */
    test_put(list.text, text, strlen(text));
    assert_fails(ASSAY_E_INVALID, assay_beton_select(ctx, a.text, out.text, &o, &r));
    o.exclude = "0:";
    assert_fails(ASSAY_E_INVALID, assay_beton_select(ctx, a.text, out.text, &o, &r));
    o.exclude = NULL;
    o.split = "val";
    assert_fails(ASSAY_E_INVALID, assay_beton_select(ctx, a.text, out.text, &o, &r));
    assert_string_equal(assay_last_error()->help, "its splits are: train, test");
    static const char *const unknown[] = {"1", NULL};
    o.split = NULL;
    o.classes = unknown;
    assert_fails(ASSAY_E_INVALID, assay_beton_select(ctx, a.text, out.text, &o, &r));
    dataset_close(x);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* All parts together are the whole. */
static void check_parts(assay_ctx *ctx,
                        const test_scratch *s,
                        const char *whole,
                        const char *const *names,
                        size_t n) {
    dataset *x = opened(ctx, whole);
    bool seen[42] = {false};
    uint64_t rows = 0;
    for (size_t i = 0; i < n; i++) {
        dataset *d = opened(ctx, test_in(s, names[i]).text);
        for (uint64_t row = 0; row < dataset_rows(d); row++, rows++) {
            uint64_t from = 0;
            while (strcmp(dataset_id(x, from), dataset_id(d, row)) != 0)
                assert_true(++from < 42);
            assert_false(seen[from]);
            seen[from] = true;
            assert_int_equal(row < dataset_train_rows(d), from < 30);
            same_row(ctx, d, row, x, from);
        }
        dataset_close(d);
    }
    assert_int_equal(rows, 42);
    dataset_close(x);
}

static void splits(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(2);
    test_scratch s = test_scratch_begin();
    test_path a = test_in(&s, "a.beton"), out = test_in(&s, "p.beton");
    static const char *const shards[] = {"p-0.beton", "p-1.beton", "p-2.beton",
                                         "p-3.beton"};
    static const char *const by_split[] = {"p-train.beton", "p-test.beton"};
    pack_idx(ctx, &s, "ant\nbee\ncow\n", 30, 12, "a.beton");
    assay_split_options o = ASSAY_SPLIT_OPTIONS_INIT;
    int files;
    o.shards = 4;
    assert_ok(assay_beton_split(ctx, a.text, out.text, &o, &files));
    assert_int_equal(files, 4);
    check_parts(ctx, &s, a.text, shards, 4);
    assert_fails(ASSAY_E_INVALID, assay_beton_split(ctx, a.text, out.text, &o, &files));
    o.shards = 0;
    o.by_split = 1;
    assert_ok(assay_beton_split(ctx, a.text, out.text, &o, &files));
    assert_int_equal(files, 2);
    check_parts(ctx, &s, a.text, by_split, 2);
    o.by_split = 0;
    o.fraction = 0.7;
    o.force = 1;
    assert_ok(assay_beton_split(ctx, a.text, out.text, &o, &files));
    check_parts(ctx, &s, a.text, shards, 2);
    dataset *d = opened(ctx, test_in(&s, shards[0]).text);
    assert_int_equal(dataset_train_rows(d), 21);
    assert_int_equal(dataset_rows(d), 29);
    dataset_close(d);
    o.shards = 2;
    assert_fails(ASSAY_E_INVALID, assay_beton_split(ctx, a.text, out.text, &o, &files));
    o.fraction = 0;
    o.shards = 100; /* more than rows: some would be empty */
    assert_fails(ASSAY_E_INVALID, assay_beton_split(ctx, a.text, out.text, &o, &files));
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* FFCV's files: all field types, no section. Selecting all of one gives its content. */
static void of_ffcv(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(2);
    test_scratch s = test_scratch_begin();
    test_path all = test_shared("golden/allfields.beton");
    test_path scalar = test_shared("golden/scalar.beton");
    test_path out = test_in(&s, "out.beton"), two = test_in(&s, "two.beton");
    assay_edit_result r;
    assert_ok(assay_beton_select(ctx, all.text, out.text, NULL, &r));
    assert_int_equal(r.rows, 12);
    assert_ok(assay_beton_verify(ctx, out.text, 0, NULL));
    beton_file *f, *g;
    assert_ok(beton_open(&f, ctx, all.text));
    assert_ok(beton_open(&g, ctx, out.text));
    uint8_t sha[32];
    char hex[65];
    assert_ok(identity_of_file(ctx, f, NULL, 0, NULL, 0, sha));
    hash_hex(hex, sha);
    assert_string_equal(hex, r.sha256);
    beton_close(f);
    beton_close(g);
    const char *paths[] = {all.text, out.text};
    assert_ok(assay_beton_merge(ctx, paths, 2, two.text, NULL, &r));
    assert_int_equal(r.rows, 24);
    assert_ok(assay_beton_verify(ctx, two.text, 0, NULL));
    /* what differs is named */
    paths[1] = scalar.text;
    assay_edit_options o = ASSAY_EDIT_OPTIONS_INIT;
    o.force = 1;
    assert_fails(ASSAY_E_INVALID, assay_beton_merge(ctx, paths, 2, two.text, &o, &r));
    assert_non_null(strstr(assay_last_error()->where, "allfields.beton"));
    assert_non_null(strstr(assay_last_error()->where, "scalar.beton"));
    assert_non_null(strstr(assay_last_error()->message, "8 and 2"));
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* Tags that an edit would make stale do not travel. */
static void drops_unknown_tags(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_path a = test_in(&s, "a.beton"), out = test_in(&s, "out.beton");
    const beton_field field = {.type = BETON_INT, .name = "n"};
    beton_writer *w;
    beton_file *f;
    size_t n;
    assert_ok(beton_writer_create(
        &w, ctx, a.text,
        &(beton_writer_options){
            .page_size = 4096, .samples = 1, .fields = &field, .n_fields = 1}));
    assert_ok(beton_writer_add(w, (const uint8_t[8]){7}, NULL, 0));
    assert_ok(beton_writer_tag(w, BETON_TAG('J', 'I', 'D', 'X'), "x", 1));
    assert_ok(beton_writer_commit(w));
    beton_writer_destroy(w);
    assert_ok(assay_beton_select(ctx, a.text, out.text, NULL, NULL));
    assert_ok(beton_open(&f, ctx, out.text));
    assert_null(beton_tag(f, BETON_TAG('J', 'I', 'D', 'X'), &n));
    assert_int_equal(beton_cell(f, 0, 0)[0], 7);
    beton_close(f);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merges),  cmocka_unit_test(selects),
        cmocka_unit_test(splits),  cmocka_unit_test(drops_unknown_tags),
        cmocka_unit_test(of_ffcv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

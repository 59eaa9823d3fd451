/* Payloads are found whatever the order of the allocation table, and custom fields by
 * what the file or the caller says of them. */
#include "base/le.h"
#include "base/rng.h"
#include "base/testing.h"
#include "file/beton.h"
#include "file/beton_inside.h"

enum { SAMPLES = 300, PAGE = 4096 };

/* Images of different sizes, some bytes empty: payloads that only the table tells. */
static void write_file(assay_ctx *ctx, const char *path) {
    const beton_field fields[] = {
        {.type = BETON_BYTES, .name = "bytes"},
        {.type = BETON_IMAGE, .name = "image"},
        {.type = BETON_CUSTOM,
         .name = "own",
         .cell_bytes = 12,
         .cell_align = 4,
         .has_payload = true,
         .ptr_offset = 4},
        {.type = BETON_CUSTOM, .name = "plain", .cell_bytes = 3, .cell_align = 1}};
    static const uint8_t bytes[200] = {1, 2, 3};
    beton_writer *w;
    assert_ok(beton_writer_create(
        &w, ctx, path,
        &(beton_writer_options){
            .page_size = PAGE, .samples = SAMPLES, .fields = fields, .n_fields = 4}));
    for (uint64_t s = 0; s < SAMPLES; s++) {
        uint8_t row[64] = {0};
        beton_payload_in p[3];
        for (int i = 0; i < 3; i++) {
            const beton_field *f = beton_writer_field(w, i);
            p[i] = (beton_payload_in){.field = i,
                                      .data = bytes,
                                      .bytes = i == 0   ? s % 3
                                               : i == 1 ? 1 + s % 190
                                                        : s % 2,
                                      .ptr_offset = f->cell_offset + f->ptr_offset};
        }
        le64_put(row + 8, p[0].bytes);
        row[beton_writer_field(w, 3)->cell_offset] = (uint8_t)s;
        assert_ok(beton_writer_add(w, row, p, 3));
    }
    assert_ok(beton_writer_commit(w));
    beton_writer_destroy(w);
}

static void check_file(const beton_file *f) {
    assert_int_equal(beton_field_at(f, 2)->cell_align, 4);
    assert_true(beton_field_at(f, 2)->has_payload);
    assert_false(beton_field_at(f, 3)->has_payload);
    for (uint64_t s = 0; s < SAMPLES; s++) {
        const uint8_t *data;
        uint64_t bytes, ptr = le64_get(beton_cell(f, s, 1) + 5);
        assert_ok(beton_payload(f, s, 1, ptr, 0, &data, &bytes));
        assert_int_equal(bytes, 1 + s % 190);
        assert_int_equal(data[0], 1);
        assert_ok(beton_listed(f, s, 1, ptr, bytes));
        assert_fails(ASSAY_E_FORMAT, beton_listed(f, s, 1, ptr, bytes + 1));
        if (s % 190 > 1) /* in the middle of one */
            assert_fails(ASSAY_E_FORMAT,
                         beton_payload(f, s, 1, ptr + 1, 0, &data, &bytes));
        ptr = le64_get(beton_cell(f, s, 0));
        assert_ok(beton_payload(f, s, 0, ptr, 0, &data, &bytes));
        assert_int_equal(bytes, s % 3);
        assert_int_equal(beton_cell(f, s, 3)[0], (uint8_t)s);
    }
}

/* Sample order; two writers' halves; reversed; shuffled: one run, two, very many. */
static void any_order(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_path path = test_in(&s, "x.beton");
    size_t n;
    write_file(ctx, path.text);
    uint8_t *file = test_get(ctx, path.text, &n), *entry = file + le64_get(file + 16);
    size_t entries = 3 * SAMPLES, half = entries / 2 * 24;
    assert_int_equal(n - le64_get(file + 16), entries * 24);
    for (int order = 0; order < 4; order++) {
        uint8_t t[24], *swap = malloc(half);
        rng r = rng_at(1, RNG_TEST, 0, 0);
        beton_file *f;
        assert_non_null(swap);
        if (order == 1) {
            memcpy(swap, entry, half);
            memmove(entry, entry + half, half);
            memcpy(entry + half, swap, half);
        }
        for (size_t i = 0; order > 1 && i < (order == 2 ? entries / 2 : entries); i++) {
            size_t k = order == 2 ? entries - 1 - i : rng_below(&r, entries);
            memcpy(t, entry + 24 * i, 24);
            memcpy(entry + 24 * i, entry + 24 * k, 24);
            memcpy(entry + 24 * k, t, 24);
        }
        assert_ok(beton_open_memory(&f, ctx, file, n, "x.beton"));
        check_file(f);
        if (order > 0)
            assert_fails(ASSAY_E_FORMAT, beton_verify(f)); /* the table's checksum */
        beton_close(f);
        free(swap);
    }
    /* an entry outside of the data is found when it is met */
    beton_file *f;
    const uint8_t *data;
    uint64_t bytes;
    le64_put(entry + 24 * 100 + 16, UINT64_MAX);
    assert_ok(beton_open_memory(&f, ctx, file, n, "x.beton"));
    assert_fails(ASSAY_E_FORMAT, beton_payload(f, 9, 1, le64_get(beton_cell(f, 9, 1) + 5),
                                               0, &data, &bytes));
    assert_non_null(strstr(assay_last_error()->message, "entry 100"));
    assert_fails(ASSAY_E_FORMAT, beton_verify(f));
    beton_close(f);
    mem_free(ctx, file);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* As FFCV writes it: nothing in the file tells the cell. */
static void told_by_the_caller(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    test_path path = test_in(&s, "x.beton");
    size_t n;
    beton_file *f;
    beton_custom said[] = {{.name = "own",
                            .cell_bytes = 12,
                            .cell_align = 4,
                            .has_payload = true,
                            .ptr_offset = 4},
                           {.name = "plain", .cell_bytes = 3, .cell_align = 1}};
    write_file(ctx, path.text);
    uint8_t *file = test_get(ctx, path.text, &n);
    memset(file + le64_get(file + 16) - 64, 0, 64); /* no section */
    test_put(path.text, file, n);
    assert_fails(ASSAY_E_UNSUPPORTED, beton_open(&f, ctx, path.text));
    assert_non_null(strstr(assay_last_error()->message, "'own'"));
    assert_fails(ASSAY_E_UNSUPPORTED, beton_open_with(&f, ctx, path.text, said, 1));
    assert_ok(beton_open_with(&f, ctx, path.text, said, 2));
    check_file(f);
    beton_close(f);
    static const beton_custom bad[] = {
        {.cell_bytes = 0, .cell_align = 1},
        {.cell_bytes = 8, .cell_align = 3},
        {.cell_bytes = 8, .cell_align = 0},
        {.cell_bytes = 1 << 20, .cell_align = 8},
        {.cell_bytes = 8, .cell_align = 8192},
        {.cell_bytes = 7, .cell_align = 1, .has_payload = true},
        {.cell_bytes = 12, .cell_align = 1, .has_payload = true, .ptr_offset = 5}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        said[0] = bad[i];
        memcpy(said[0].name, "own", 4);
        assert_fails(ASSAY_E_INVALID, beton_open_with(&f, ctx, path.text, said, 2));
    }
    mem_free(ctx, file);
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

/* The entry of an empty payload says nothing of the one behind it, at the same place. */
static void empty_payloads(void **state) {
    (void)state;
    uint8_t entry[24] = {0};
    alloc_table t = {.entry = entry, .entries = 1, .samples = 1, .end = 1000};
    le64_put(entry + 8, 100);
    assert_false(alloc_table_denies(&t, 0, 100, 8));
    le64_put(entry + 16, 4);
    assert_true(alloc_table_denies(&t, 0, 100, 8));
    assert_false(alloc_table_denies(&t, 0, 100, 4));
    assert_false(alloc_table_denies(&t, 0, 200, 8));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_order),
                                       cmocka_unit_test(told_by_the_caller),
                                       cmocka_unit_test(empty_payloads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

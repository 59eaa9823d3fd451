/* The writer: what goes in comes out, the bytes are the same every time, any changed byte
 * is found, and a failed writer leaves nothing. */
#include "base/le.h"
#include "base/testing.h"
#include "file/beton.h"

#include <signal.h>
#include <sys/resource.h>

enum { PAGE = 4096, SAMPLES = 14, FIELDS = 4, IMAGE = 0, LABEL = 1, BLOB = 2, JSON = 3 };

static void fields_fill(beton_field *f) {
    static const beton_type type[FIELDS] = {BETON_IMAGE, BETON_INT, BETON_BYTES,
                                            BETON_JSON};
    static const char *const name[FIELDS] = {"image", "label", "blob",
                                             "sixteen_chars_nm"};
    memset(f, 0, FIELDS * sizeof *f);
    for (int i = 0; i < FIELDS; i++) {
        f[i].type = type[i];
        memcpy(f[i].name, name[i], strlen(name[i]) + 1);
    }
}

/* Payload sizes: some zero, one that fills a page to its last byte. */
static size_t blob_bytes(int sample) {
    return sample % 5 == 0 ? 0
           : sample == 7   ? PAGE - 27 - 7
                           : (size_t)(sample * 37 % 900);
}

static void payload_fill(uint8_t *out, size_t bytes, int seed) {
    for (size_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)(i * 7 + (size_t)seed * 13 + 1);
}

static assay_status write_sample(beton_writer *w, int sample) {
    uint8_t row[64] = {0}, image[27], blob[PAGE], json[7] = "{\"a\":1";
    const beton_field *f[FIELDS];
    for (int i = 0; i < FIELDS; i++)
        f[i] = beton_writer_field(w, i);
    assert_int_equal(beton_writer_stride(w), 56);
    size_t blobs = blob_bytes(sample);
    payload_fill(image, sizeof image, sample);
    payload_fill(blob, blobs, sample + 1);
    uint8_t *cell = row + f[IMAGE]->cell_offset;
    cell[0] = 1;
    le16_put(cell + 1, 3);
    le16_put(cell + 3, 3);
    le64_put(row + f[LABEL]->cell_offset, (uint64_t)(int64_t)(-sample));
    le64_put(row + f[BLOB]->cell_offset + 8, blobs);
    le64_put(row + f[JSON]->cell_offset + 8, sizeof json);
    const beton_payload_in in[3] = {
        {IMAGE, image, sizeof image, f[IMAGE]->cell_offset + 5},
        {BLOB, blob, blobs, f[BLOB]->cell_offset},
        {JSON, json, sizeof json, f[JSON]->cell_offset},
    };
    return beton_writer_add(w, row, in, 3);
}

static const char classes[] = "[\"cat\",\"dog\"]";

static assay_status try_write(assay_ctx *ctx, const char *path) {
    assay_status status = ASSAY_OK;
    beton_field fields[FIELDS];
    fields_fill(fields);
    beton_writer_options o = {PAGE, SAMPLES, fields, FIELDS};
    beton_writer *w = NULL;
    ASSAY_TRY(beton_writer_create(&w, ctx, path, &o));
    for (int s = 0; s < SAMPLES; s++)
        ASSAY_TRY(write_sample(w, s));
    ASSAY_TRY(beton_writer_tag(w, BETON_TAG_CLASSES, classes, strlen(classes)));
    ASSAY_TRY(beton_writer_tag(w, BETON_TAG_INFO, "", 0));
    ASSAY_TRY(beton_writer_tag(w, BETON_TAG('X', 'Y', 'Z', '1'), "unknown", 7));
    ASSAY_TRY(beton_writer_commit(w));
done:
    beton_writer_destroy(w);
    return status;
}

static void write_file(assay_ctx *ctx, const char *path) {
    assert_ok(try_write(ctx, path));
}

static void round_trip(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(2);
    test_scratch dir = test_scratch_begin();
    test_path p = test_in(&dir, "a.beton"), q = test_in(&dir, "b.beton");
    beton_file *f;
    size_t n, m;
    write_file(ctx, p.text);
    write_file(ctx, q.text);
    uint8_t *a = test_get(ctx, p.text, &n), *b = test_get(ctx, q.text, &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    uint64_t table = le64_get(a + 16);
    assert_int_equal(table % PAGE, 0);
    assert_int_equal(n - table, 24 * 3 * SAMPLES);
    mem_free(ctx, a);
    mem_free(ctx, b);

    assert_ok(beton_open(&f, ctx, p.text));
    assert_ok(beton_verify(f));
    assert_true(beton_has_section(f));
    assert_int_equal(beton_samples(f), SAMPLES);
    for (int s = 0; s < SAMPLES; s++) {
        uint8_t want[PAGE];
        const uint8_t *data, *cell = beton_cell(f, (uint64_t)s, IMAGE);
        uint64_t bytes, first;
        payload_fill(want, 27, s);
        first = le64_get(cell + 5);
        assert_ok(beton_payload(f, (uint64_t)s, IMAGE, first, 27, &data, &bytes));
        assert_memory_equal(data, want, 27);
        assert_int_equal((int64_t)le64_get(beton_cell(f, (uint64_t)s, LABEL)), -s);
        cell = beton_cell(f, (uint64_t)s, BLOB);
        payload_fill(want, blob_bytes(s), s + 1);
        assert_ok(beton_payload(f, (uint64_t)s, BLOB, le64_get(cell), 0, &data, &bytes));
        assert_int_equal(bytes, blob_bytes(s));
        assert_memory_equal(data, want, bytes);
        cell = beton_cell(f, (uint64_t)s, JSON);
        assert_ok(beton_payload(f, (uint64_t)s, JSON, le64_get(cell), 0, &data, &bytes));
        assert_memory_equal(data, "{\"a\":1", 7);
        /* all payloads of a sample lie in one page */
        assert_int_equal(first / PAGE, (le64_get(cell) + 6) / PAGE);
    }
    const uint8_t *value = beton_tag(f, BETON_TAG_CLASSES, &n);
    assert_int_equal(n, strlen(classes));
    assert_memory_equal(value, classes, n);
    assert_non_null(beton_tag(f, BETON_TAG_INFO, &n));
    assert_int_equal(n, 0);
    assert_null(beton_tag(f, BETON_TAG_SPLITS, &n));
    beton_close(f);
    assert_int_equal(test_count_files(ctx, &dir), 2);
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

/* A file without payloads has neither pages nor padding to pages. */
static void scalars_only(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch dir = test_scratch_begin();
    test_path p = test_in(&dir, "s.beton");
    beton_field field = {.type = BETON_INT, .name = "n"};
    for (uint64_t samples = 0; samples < 4; samples += 3) {
        beton_writer_options o = {1 << 21, samples, &field, 1};
        beton_writer *w;
        beton_file *f;
        assert_ok(beton_writer_create(&w, ctx, p.text, &o));
        for (uint64_t s = 0; s < samples; s++) {
            uint8_t row[8];
            le64_put(row, s + 10);
            assert_ok(beton_writer_add(w, row, NULL, 0));
        }
        assert_ok(beton_writer_commit(w));
        beton_writer_destroy(w);
        assert_ok(beton_open(&f, ctx, p.text));
        assert_ok(beton_verify(f));
        assert_true(beton_has_section(f));
        assert_int_equal(beton_samples(f), samples);
        for (uint64_t s = 0; s < samples; s++)
            assert_int_equal(le64_get(beton_cell(f, s, 0)), s + 10);
        beton_close(f);
        size_t n;
        uint8_t *bytes = test_get(ctx, p.text, &n);
        assert_int_equal(le64_get(bytes + 16), n); /* the table is empty and at the end */
        assert_true(n < 2000);
        mem_free(ctx, bytes);
    }
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

static assay_status open_and_verify(assay_ctx *ctx, const uint8_t *p, size_t n) {
    beton_file *f;
    assay_status status = beton_open_memory(&f, ctx, p, n, "memory");
    if (status == ASSAY_OK)
        status = beton_verify(f);
    beton_close(f);
    return status;
}

/* Every byte of a file with a bit changed, some in all 255 ways; padding included. */
static void every_flip_is_found(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch dir = test_scratch_begin();
    test_path p = test_in(&dir, "a.beton");
    size_t n;
    write_file(ctx, p.text);
    uint8_t *bytes = test_get(ctx, p.text, &n);
    assert_ok(open_and_verify(ctx, bytes, n));
    size_t table = (size_t)le64_get(bytes + 16);
    for (size_t i = 0; i < n; i++) {
        bool dense = i < 48 || i + 64 >= table;
        for (unsigned x = dense ? 1 : 1u << i % 8; x < 256; x = dense ? x + 1 : 256) {
            bytes[i] ^= (uint8_t)x;
            assay_status status = open_and_verify(ctx, bytes, n);
            if (status == ASSAY_OK)
                print_error("byte %zu of %zu, flip %02x was not found\n", i, n, x);
            assert_true(status == ASSAY_E_FORMAT || status == ASSAY_E_VERSION ||
                        status == ASSAY_E_UNSUPPORTED);
            bytes[i] ^= (uint8_t)x;
        }
    }
    assert_ok(open_and_verify(ctx, bytes, n));
    mem_free(ctx, bytes);
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

/* Every shorter file is refused when it is opened, without verifying. */
static void every_cut_is_found(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch dir = test_scratch_begin();
    test_path p = test_in(&dir, "a.beton");
    size_t n;
    beton_file *f;
    write_file(ctx, p.text);
    uint8_t *bytes = test_get(ctx, p.text, &n);
    for (size_t cut = 0; cut < n; cut++)
        assert_fails(ASSAY_E_FORMAT, beton_open_memory(&f, ctx, bytes, cut, "cut"));
    mem_free(ctx, bytes);
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

static void refused(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch dir = test_scratch_begin();
    test_path p = test_in(&dir, "a.beton");
    beton_field fields[FIELDS];
    fields_fill(fields);
    beton_writer *w;
    beton_writer_options o = {PAGE, 2, fields, FIELDS};
    o.page_size = 5000;
    assert_fails(ASSAY_E_INVALID, beton_writer_create(&w, ctx, p.text, &o));
    assert_null(w);
    o.page_size = 2048;
    assert_fails(ASSAY_E_INVALID, beton_writer_create(&w, ctx, p.text, &o));
    o.page_size = PAGE;
    o.n_fields = 0;
    assert_fails(ASSAY_E_INVALID, beton_writer_create(&w, ctx, p.text, &o));
    o.n_fields = FIELDS;
    fields[1].type = BETON_CUSTOM;
    assert_fails(ASSAY_E_INVALID, beton_writer_create(&w, ctx, p.text, &o));
    fields_fill(fields);
    memcpy(fields[1].name, "image", 6);
    assert_fails(ASSAY_E_INVALID, beton_writer_create(&w, ctx, p.text, &o));
    fields_fill(fields);
    assert_fails(ASSAY_E_INVALID,
                 beton_writer_create(&w, ctx, test_in(&dir, "no/a.beton").text, &o));

    assert_ok(beton_writer_create(&w, ctx, p.text, &o));
    assert_ok(write_sample(w, 0));
    assert_fails(ASSAY_E_INTERNAL, beton_writer_commit(w)); /* a sample is missing */
    static uint8_t big[PAGE + 1];
    uint8_t row[64] = {0};
    beton_payload_in in[3] = {
        {IMAGE, big, sizeof big, 5},
        {BLOB, NULL, 0, beton_writer_field(w, BLOB)->cell_offset},
        {JSON, NULL, 0, beton_writer_field(w, JSON)->cell_offset},
    };
    assert_fails(ASSAY_E_SHAPE, beton_writer_add(w, row, in, 3));
    assert_non_null(strstr(assay_last_error()->help, "--page-size 8192"));
    in[0].bytes = UINT64_MAX;
    assert_fails(ASSAY_E_SHAPE, beton_writer_add(w, row, in, 3));
    assert_fails(ASSAY_E_INTERNAL, beton_writer_add(w, row, in, 2));
    assert_ok(beton_writer_tag(w, BETON_TAG_INFO, "{}", 2));
    assert_fails(ASSAY_E_INTERNAL, beton_writer_tag(w, BETON_TAG_INFO, "{}", 2));
    assert_fails(ASSAY_E_INTERNAL, beton_writer_tag(w, BETON_TAG_CHECKSUMS, "{}", 2));
    beton_writer_destroy(w);
    beton_writer_destroy(NULL);
    assert_int_equal(test_count_files(ctx, &dir), 0);
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

/* The disk fills up at any moment: an error, and no file. */
static void no_space(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch dir = test_scratch_begin();
    test_path p = test_in(&dir, "a.beton");
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    beton_field fields[FIELDS];
    fields_fill(fields);
    beton_writer_options o = {PAGE, SAMPLES, fields, FIELDS};
    write_file(ctx, p.text);
    size_t n;
    mem_free(ctx, test_get(ctx, p.text, &n));
    assert_ok(os_remove_tree(p.text));
    for (rlim_t limit = 0; limit < n; limit += 1500) {
        beton_writer *w;
        small = old;
        small.rlim_cur = limit;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        assay_status status = beton_writer_create(&w, ctx, p.text, &o);
        for (int s = 0; s < SAMPLES && status == ASSAY_OK; s++)
            status = write_sample(w, s);
        if (status == ASSAY_OK)
            status = beton_writer_commit(w);
        beton_writer_destroy(w);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(status, ASSAY_E_NOSPC);
        assert_int_equal(test_count_files(ctx, &dir), 0);
    }
    (void)signal(SIGXFSZ, handler);
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

/* Memory runs out at each allocation in turn, writing and reading: NOMEM, nothing leaks,
 * no file. */
static void no_memory(void **state) {
    (void)state;
    long left;
    assay_ctx *ctx = test_ctx_failing(&left);
    test_scratch dir = test_scratch_begin();
    test_path p = test_in(&dir, "a.beton");
    assay_status status = ASSAY_E_NOMEM;
    long k;
    for (k = 0; status != ASSAY_OK; k++) {
        left = k;
        status = try_write(ctx, p.text);
        left = LONG_MAX;
        assert_true(status == ASSAY_OK || status == ASSAY_E_NOMEM);
        assert_int_equal(test_count_files(ctx, &dir), status == ASSAY_OK);
    }
    assert_true(k > 10);
    status = ASSAY_E_NOMEM;
    for (k = 0; status != ASSAY_OK; k++) {
        beton_file *f;
        left = k;
        status = beton_open(&f, ctx, p.text);
        assert_true(status == ASSAY_OK || status == ASSAY_E_NOMEM);
        beton_close(f);
        left = LONG_MAX;
    }
    assert_true(k > 3);
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(scalars_only),
        cmocka_unit_test(every_flip_is_found),
        cmocka_unit_test(every_cut_is_found),
        cmocka_unit_test(refused),
        cmocka_unit_test(no_space),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

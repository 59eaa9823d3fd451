/* The reader against files that FFCV wrote: every cell and payload as the golden lists
 * say; then the same files cut and bent. */
#include "base/hash.h"
#include "base/json.h"
#include "base/le.h"
#include "base/testing.h"
#include "file/beton.h"

/* sha256[:16] of a payload. */
static void check_sha(const json_val *want, const uint8_t *data, uint64_t bytes) {
    hash_sha256 h;
    uint8_t digest[32];
    char hex[65];
    hash_sha256_init(&h);
    hash_sha256_add(&h, data, (size_t)bytes);
    hash_sha256_end(&h, digest);
    hash_hex(hex, digest);
    hex[16] = '\0';
    assert_string_equal(hex, json_get_str(json_get(want, "payload_sha"), ""));
}

/* One cell against the golden list; returns 1, to count them. */
static int
check_cell(const beton_file *f, uint64_t sample, int field, const json_val *want) {
    const beton_field *d = beton_field_at(f, field);
    const uint8_t *cell = beton_cell(f, sample, field), *data;
    const json_val *v = json_get(want, d->name);
    uint64_t bytes, ptr;
    assert_non_null(v);
    if (d->type == BETON_INT) {
        assert_int_equal((int64_t)le64_get(cell), json_get_int(v, 0));
        return 1;
    }
    if (d->type == BETON_FLOAT) {
        assert_true(le_f64_get(cell) == json_get_num(v, 0));
        return 1;
    }
    ptr = le64_get(cell + beton_ptr_offset(d->type));
    assert_int_equal(ptr, json_get_int(json_get(v, "ptr"), -1));
    assert_ok(beton_payload(f, sample, field, ptr, 0, &data, &bytes));
    assert_int_equal(bytes, json_get_int(json_get(v, "size"), -1));
    check_sha(v, data, bytes);
    if (d->type == BETON_IMAGE) {
        bool raw = cell[0] == 1;
        assert_string_equal(raw ? "raw" : "jpg", json_get_str(json_get(v, "mode"), ""));
        assert_int_equal(le16_get(cell + 1), json_get_int(json_get(v, "w"), 0));
        assert_int_equal(le16_get(cell + 3), json_get_int(json_get(v, "h"), 0));
        uint64_t pixels = 3u * le16_get(cell + 1) * le16_get(cell + 3);
        if (raw)
            assert_ok(beton_payload(f, sample, field, ptr, pixels, &data, &bytes));
        assert_fails(ASSAY_E_FORMAT,
                     beton_payload(f, sample, field, ptr, pixels + 1, &data, &bytes));
    }
    if (d->type != BETON_BYTES && d->type != BETON_JSON) {
        assert_fails(ASSAY_E_FORMAT,
                     beton_payload(f, sample, field, ptr + 1, 0, &data, &bytes));
        assert_null(data);
    }
    return 1;
}

static int check_golden(const char *path, const char *json_name) {
    assay_ctx *ctx = test_ctx(1);
    test_path list = test_shared(json_name);
    size_t n;
    int cells = 0;
    uint8_t *text = test_get(ctx, list.text, &n);
    json_doc *doc;
    beton_file *f;
    assert_ok(json_parse(&doc, ctx, (const char *)text, n));
    const json_val *root = json_root(doc), *samples = json_get(root, "samples");
    assert_ok(beton_open(&f, ctx, path));
    assert_string_equal(beton_path(f), path);
    assert_int_equal(beton_samples(f), json_get_int(json_get(root, "num_samples"), -1));
    assert_int_equal(beton_page_size(f), json_get_int(json_get(root, "page_size"), -1));
    assert_int_equal(beton_fields(f), json_get_int(json_get(root, "num_fields"), -1));
    assert_false(beton_has_section(f));
    assert_ok(beton_verify(f));
    for (int i = 0; i < beton_fields(f); i++) {
        const beton_field *d = beton_field_at(f, i);
        assert_string_equal(
            d->name, json_get_str(json_at(json_get(root, "field_names"), (size_t)i), ""));
        assert_int_equal(
            d->type, json_get_int(json_at(json_get(root, "type_ids"), (size_t)i), -1));
        assert_int_equal(
            d->cell_offset,
            json_get_int(json_at(json_get(root, "metadata_offsets"), (size_t)i), -1));
        assert_int_equal(beton_field_find(f, d->name), i);
    }
    assert_int_equal(beton_field_find(f, "no such field"), -1);
    for (uint64_t s = 0; s < beton_samples(f); s++)
        for (int i = 0; i < beton_fields(f); i++)
            cells += check_cell(f, s, i, json_at(samples, (size_t)s));
    beton_close(f);
    json_doc_destroy(doc);
    mem_free(ctx, text);
    assay_ctx_destroy(ctx);
    return cells;
}

static void golden_scalar(void **state) {
    (void)state;
    test_path p = test_shared("golden/scalar.beton");
    assert_int_equal(check_golden(p.text, "golden/scalar.json"), 100);
}

static void golden_all_fields(void **state) {
    (void)state;
    test_path p = test_shared("golden/allfields.beton");
    assert_int_equal(check_golden(p.text, "golden/allfields.json"), 96);
}

/* Written by two processes: the allocation table is not in sample order. */
static void golden_two_writers(void **state) {
    (void)state;
    test_path p = test_shared("golden/jpg2w.beton.gz");
    test_scratch dir = test_scratch_begin();
    test_path plain = test_in(&dir, "jpg2w.beton");
    test_gunzip(&p, &plain);
    assert_int_equal(check_golden(plain.text, "golden/jpg2w.json"), 20);
    test_scratch_end(&dir);
}

/* Opens bytes in a tight block of their own, walks everything that opens. */
static assay_status open_tight(assay_ctx *ctx, const uint8_t *p, size_t n, size_t cut) {
    uint8_t *tight = malloc(cut ? cut : 1);
    beton_file *f;
    (void)n;
    assert_non_null(tight);
    memcpy(tight, p, cut);
    assay_status status = beton_open_memory(&f, ctx, tight, cut, "memory");
    assert_true((f != NULL) == (status == ASSAY_OK));
    for (uint64_t s = 0; f && s < beton_samples(f); s++)
        for (int i = 0; i < beton_fields(f); i++) {
            const beton_field *d = beton_field_at(f, i);
            const uint8_t *data, *cell = beton_cell(f, s, i);
            uint64_t bytes;
            volatile uint8_t sink = cell[d->cell_bytes - 1];
            if (beton_allocates(d->type) &&
                beton_payload(f, s, i, le64_get(cell + beton_ptr_offset(d->type)), 0,
                              &data, &bytes) == ASSAY_OK &&
                bytes > 0)
                sink = data[0] ^ data[bytes - 1];
            (void)sink;
        }
    beton_close(f);
    free(tight);
    return status;
}

/* Every cut of the header, the descriptors, the metadata and the table is refused. */
static void every_cut(void **state) {
    (void)state;
    test_path scalar = test_shared("golden/scalar.beton");
    test_path all = test_shared("golden/allfields.beton");
    assay_ctx *ctx = test_ctx(1);
    size_t n;
    uint8_t *p = test_get(ctx, scalar.text, &n);
    for (size_t cut = 0; cut < n; cut++)
        assert_fails(ASSAY_E_FORMAT, open_tight(ctx, p, n, cut));
    assert_ok(open_tight(ctx, p, n, n));
    mem_free(ctx, p);
    p = test_get(ctx, all.text, &n);
    size_t table = (size_t)le64_get(p + 16);
    for (size_t cut = 0; cut < n; cut += cut < 10000 || cut + 64 >= table ? 1 : 997)
        assert_fails(ASSAY_E_FORMAT, open_tight(ctx, p, n, cut));
    assert_ok(open_tight(ctx, p, n, n));
    mem_free(ctx, p);
    assay_ctx_destroy(ctx);
}

/* Every byte of header, descriptors, metadata and table set to several values: no crash,
 * and what still opens can be walked. */
static void every_byte_bent(void **state) {
    (void)state;
    test_path all = test_shared("golden/allfields.beton");
    assay_ctx *ctx = test_ctx(1);
    static const uint8_t bend[] = {0x01, 0x80, 0xFF};
    size_t n;
    uint8_t *p = test_get(ctx, all.text, &n);
    size_t table = (size_t)le64_get(p + 16), metadata_end = 24 + 1041 * 8 + 12 * 88;
    for (size_t i = 0; i < n; i += i >= 48 && i < 24 + 1041 * 8 ? 13 : 1) {
        if (i == metadata_end)
            i = table;
        for (size_t k = 0; k < sizeof bend; k++) {
            p[i] ^= bend[k];
            assay_status status = open_tight(ctx, p, n, n);
            assert_true(status == ASSAY_OK || status == ASSAY_E_FORMAT ||
                        status == ASSAY_E_VERSION || status == ASSAY_E_UNSUPPORTED);
            if ((i < 4 || (i >= 16 && i < 24)) && status == ASSAY_OK)
                fail_msg("byte %zu with bits %02x changed was accepted", i, bend[k]);
            p[i] ^= bend[k];
        }
    }
    mem_free(ctx, p);
    assay_ctx_destroy(ctx);
}

/* A minimal file: one Int field, one sample. */
static size_t tiny(uint8_t out[24 + 1041 + 8]) {
    memset(out, 0, 24 + 1041 + 8);
    le16_put(out, 2);
    le16_put(out + 2, 1);
    le32_put(out + 4, 4096);
    le64_put(out + 8, 1);
    le64_put(out + 16, 24 + 1041 + 8);
    out[24] = BETON_INT;
    out[25] = 'n';
    return 24 + 1041 + 8;
}

static void named_errors(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    uint8_t p[24 + 1041 + 8];
    size_t n = tiny(p);
    beton_file *f;
    assert_ok(open_tight(ctx, p, n, n));
#define EXPECT(code, place)                                                              \
    do {                                                                                 \
        assert_fails(code, beton_open_memory(&f, ctx, p, n, "x.beton"));                 \
        assert_non_null(strstr(assay_last_error()->where, "x.beton"));                   \
        if (!strstr(assay_last_error()->where, place))                                   \
            fail_msg("'%s' does not name '%s'", assay_last_error()->where, place);       \
        (void)tiny(p);                                                                   \
    } while (0)
    p[0] = 3;
    EXPECT(ASSAY_E_VERSION, "byte 0 (version)");
    le16_put(p + 2, 0);
    EXPECT(ASSAY_E_FORMAT, "num_fields");
    le16_put(p + 2, 300);
    EXPECT(ASSAY_E_UNSUPPORTED, "num_fields");
    le16_put(p + 2, 2);
    EXPECT(ASSAY_E_FORMAT, "field descriptors");
    le32_put(p + 4, 4097);
    EXPECT(ASSAY_E_FORMAT, "page_size");
    le32_put(p + 4, 0);
    EXPECT(ASSAY_E_FORMAT, "page_size");
    le64_put(p + 8, 2);
    EXPECT(ASSAY_E_FORMAT, "num_samples");
    le64_put(p + 8, UINT64_MAX);
    EXPECT(ASSAY_E_FORMAT, "num_samples");
    le64_put(p + 8, UINT64_MAX / 8 + 2);
    EXPECT(ASSAY_E_FORMAT, "num_samples");
    le64_put(p + 16, 0);
    EXPECT(ASSAY_E_FORMAT, "alloc_table_ptr");
    le64_put(p + 16, UINT64_MAX);
    EXPECT(ASSAY_E_FORMAT, "alloc_table_ptr");
    le64_put(p + 16, 100);
    EXPECT(ASSAY_E_FORMAT, "alloc_table_ptr");
    p[24] = BETON_CUSTOM;
    EXPECT(ASSAY_E_UNSUPPORTED, "field 0");
    p[24] = 7;
    EXPECT(ASSAY_E_FORMAT, "field 0");
    p[25] = 0x1B;
    EXPECT(ASSAY_E_FORMAT, "field 0");
#undef EXPECT
    test_scratch dir = test_scratch_begin();
    assert_fails(ASSAY_E_NOTFOUND, beton_open(&f, ctx, test_in(&dir, "none").text));
    test_put(test_in(&dir, "empty").text, "", 0);
    assert_fails(ASSAY_E_FORMAT, beton_open(&f, ctx, test_in(&dir, "empty").text));
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

static void same_names(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    uint8_t p[24 + 2 * 1041] = {2, 0, 2, 0, 0, 16};
    le64_put(p + 16, sizeof p);
    p[24] = p[24 + 1041] = BETON_INT;
    p[25] = 'a';
    p[25 + 1041] = 'b';
    assert_ok(open_tight(ctx, p, sizeof p, sizeof p)); /* no samples */
    p[25 + 1041] = 'a';
    assert_fails(ASSAY_E_FORMAT, open_tight(ctx, p, sizeof p, sizeof p));
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_scalar),      cmocka_unit_test(golden_all_fields),
        cmocka_unit_test(golden_two_writers), cmocka_unit_test(every_cut),
        cmocka_unit_test(every_byte_bent),    cmocka_unit_test(named_errors),
        cmocka_unit_test(same_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

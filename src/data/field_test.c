/* Every field of the registry: values go through our writer and reader unchanged, are
 * shown as the case says, and a column or cell that claims more than there is gets
 * refused. */
#include "data/field.h"

#include "base/le.h"
#include "base/testing.h"
#include "file/npy.h"

enum { SAMPLES = 3, DESCRIPTOR = 1041, HEADER = 24 };

static uint8_t *write_case(assay_ctx *ctx,
                           const data_field *d,
                           const field_case *c,
                           const char *path,
                           size_t *n) {
    beton_writer *w;
    beton_field f[2] = {{.type = d->type, .name = "x"}, {.type = BETON_INT, .name = "n"}};
    if (c->typestr != NULL)
        field_array_args(f[0].args, c->typestr, c->ndim, c->dim);
    if (d->type == BETON_CUSTOM) {
        f[0].cell_bytes = (uint32_t)c->value.bytes;
        f[0].cell_align = 2;
    }
    assert_ok(beton_writer_create(
        &w, ctx, path,
        &(beton_writer_options){
            .page_size = 4096, .samples = SAMPLES, .fields = f, .n_fields = 2}));
    for (int i = 0; i < SAMPLES; i++) {
        uint8_t row[64] = {0};
        const beton_field *x = beton_writer_field(w, 0);
        d->encode(row + x->cell_offset, &c->value);
        le64_put(row + beton_writer_field(w, 1)->cell_offset, (uint64_t)i);
        beton_payload_in payload = {.data = c->value.data,
                                    .bytes = c->value.bytes,
                                    .ptr_offset =
                                        x->cell_offset + beton_ptr_offset(d->type)};
        assert_ok(beton_writer_add(w, row, &payload, x->has_payload ? 1 : 0));
    }
    assert_ok(beton_writer_commit(w));
    beton_writer_destroy(w);
    return test_get(ctx, path, n);
}

static assay_status read_all(assay_ctx *ctx,
                             const data_field *d,
                             const uint8_t *bytes,
                             size_t n,
                             const field_value *want) {
    assay_status status = ASSAY_OK;
    beton_file *f = NULL;
    field_type t;
    ASSAY_TRY(beton_open_memory(&f, ctx, bytes, n, "case.beton"));
    ASSAY_TRY(d->plan(&t, ctx, beton_field_at(f, 0)));
    for (uint64_t i = 0; i < SAMPLES; i++) {
        field_value v;
        ASSAY_TRY(d->read(&v, f, &t, i, 0));
        if (want == NULL)
            continue;
        assert_int_equal(v.bytes, want->bytes);
        assert_memory_equal(v.data, want->data, (size_t)v.bytes);
        assert_int_equal(v.mode, want->mode);
        assert_int_equal(v.width, want->width);
        assert_int_equal(v.height, want->height);
        assert_true(t.bytes == 0 || t.bytes == v.bytes);
        if (d->check != NULL)
            assert_ok(d->check(ctx, &t, &v));
    }
done:
    beton_close(f);
    return status;
}

static void check_forms(assay_ctx *ctx,
                        const data_field *d,
                        const field_case *c,
                        const uint8_t *bytes,
                        size_t n) {
    beton_file *f;
    field_type t;
    field_value v;
    buf b = buf_make(ctx);
    assert_ok(beton_open_memory(&f, ctx, bytes, n, "case.beton"));
    assert_ok(d->plan(&t, ctx, beton_field_at(f, 0)));
    assert_ok(d->read(&v, f, &t, 1, 0));
    if (c->json != NULL) {
        assert_ok(d->dump(&b, ctx, &t, &v, ".json"));
        assert_ok(buf_check(&b));
        assert_string_equal(b.data, c->json);
        json_doc *doc;
        assert_ok(json_parse(&doc, ctx, b.data, b.len));
        json_doc_destroy(doc);
    }
    buf_clear(&b);
    assert_ok(d->dump(&b, ctx, &t, &v, ".bin"));
    assert_int_equal(b.len, c->value.bytes);
    buf_clear(&b);
    assert_ok(d->dump(&b, ctx, &t, &v, ".npy"));
    assert_int_equal((b.len - (size_t)c->value.bytes) % 64, 0); /* NumPy aligns data */
    assert_non_null(strstr(b.data + 10, t.typestr));
    assert_memory_equal(b.data + b.len - c->value.bytes, c->value.data,
                        (size_t)c->value.bytes);
    npy_array a;
    assay_dtype dtype;
    if (dtype_from_typestr(&dtype, t.typestr) == ASSAY_OK) {
        assert_ok(npy_parse(&a, b.data, b.len));
        assert_int_equal(a.dtype, dtype);
        assert_int_equal(a.ndim, t.ndim);
        for (int i = 0; i < t.ndim; i++)
            assert_true(t.dim[i] < 0 || a.dim[i] == t.dim[i]);
    }
    buf_clear(&b);
    assert_fails(ASSAY_E_UNSUPPORTED, d->dump(&b, ctx, &t, &v, ".wav"));
    assert_non_null(strstr(assay_last_error()->help, ".npy"));
    buf_free(&b);
    beton_close(f);
}

/* Damage that a column or a cell can claim. */
static void check_refusals(
    assay_ctx *ctx, const data_field *d, const field_case *c, uint8_t *bytes, size_t n) {
    size_t args = HEADER + 17, cells = HEADER + 2 * DESCRIPTOR;
    if (c->typestr != NULL) {
        bytes[args + 8 * (size_t)(c->ndim - 1)]++; /* a longer array */
        assert_fails(ASSAY_E_FORMAT, read_all(ctx, d, bytes, n, NULL));
        bytes[args + 8 * (size_t)(c->ndim - 1)]--;
        bytes[args + 7] = 0x80; /* a product that would overflow */
        assert_fails(ASSAY_E_FORMAT, read_all(ctx, d, bytes, n, NULL));
        bytes[args + 7] = 0;
        for (size_t i = 0; i < 4; i++) {
            static const uint8_t length[] = {0, 1, 200, 255};
            uint8_t was = bytes[args + 256], high = bytes[args + 257];
            bytes[args + 256] = length[i];
            bytes[args + 257] = length[i];
            assert_true(read_all(ctx, d, bytes, n, NULL) != ASSAY_OK);
            bytes[args + 256] = was;
            bytes[args + 257] = high;
        }
    }
    if (!beton_allocates(d->type) || d->type == BETON_CUSTOM || c->value.bytes == 0)
        return;
    for (uint32_t bit = 13; bit < 64; bit++) { /* pointers that lead out of the file */
        uint8_t *p = bytes + cells + beton_ptr_offset(d->type) + bit / 8;
        *p ^= (uint8_t)(1 << bit % 8);
        assert_true(read_all(ctx, d, bytes, n, NULL) != ASSAY_OK);
        *p ^= (uint8_t)(1 << bit % 8);
    }
    size_t size_at = d->type == BETON_IMAGE ? 1 : 8;
    if (d->type == BETON_IMAGE || d->type == BETON_BYTES || d->type == BETON_JSON) {
        for (uint32_t bit = 7; bit < 16; bit++) { /* more than is there */
            bytes[cells + size_at + bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_fails(ASSAY_E_FORMAT, read_all(ctx, d, bytes, n, NULL));
            bytes[cells + size_at + bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

static void conformance(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    test_scratch s = test_scratch_begin();
    assert_int_equal(field_count(), 8);
    for (size_t i = 0; i < field_count(); i++) {
        const data_field *d = field_at(i);
        assert_ptr_equal(field_for(d->type), d);
        assert_true(d->n_cases > 0 && strlen(d->summary) > 5);
        for (size_t k = 0; k < d->n_cases; k++) {
            size_t n;
            test_path path = test_in(&s, "case.beton");
            uint8_t *bytes = write_case(ctx, d, &d->cases[k], path.text, &n);
            assert_ok(read_all(ctx, d, bytes, n, &d->cases[k].value));
            check_forms(ctx, d, &d->cases[k], bytes, n);
            check_refusals(ctx, d, &d->cases[k], bytes, n);
            for (size_t cut = 0; cut < n; cut += cut < 3000 ? 7 : 97)
                assert_true(read_all(ctx, d, bytes, cut, NULL) != ASSAY_OK);
            mem_free(ctx, bytes);
        }
    }
    assert_null(field_for((beton_type)9));
    test_scratch_end(&s);
    assay_ctx_destroy(ctx);
}

static void descriptors_are_read_strictly(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    static const struct {
        const char *text;
        assay_status status;
        const char *typestr;
        size_t item;
    } known[] = {
        {"[[\"\", \"<f4\"]]", ASSAY_OK, "<f4", 4},
        {"[[\"\",\"=i8\"]]", ASSAY_OK, "<i8", 8},
        {"[[\"\", \">c16\"]]", ASSAY_OK, ">c16", 16},
        {"[[\"\", \"<U12\"]]", ASSAY_OK, "<U12", 48},
        {"[[\"\", \"|V7\"]]", ASSAY_OK, "|V7", 7},
        {"[[\"\", \"<f4\", [2]]]", ASSAY_E_UNSUPPORTED, NULL, 0},
        {"[[\"a\", \"<f4\"], [\"b\", \"<f4\"]]", ASSAY_E_UNSUPPORTED, NULL, 0},
        {"[[\"\", \"|O8\"]]", ASSAY_E_UNSUPPORTED, NULL, 0},
        {"[[\"\", \"<M8[ns]\"]]", ASSAY_E_UNSUPPORTED, NULL, 0},
        {"[[\"\", \"<f-4\"]]", ASSAY_E_UNSUPPORTED, NULL, 0},
        {"[[\"\", \"f4\"]]", ASSAY_E_UNSUPPORTED, NULL, 0},
        {"[[\"\", \"|S0\"]]", ASSAY_E_UNSUPPORTED, NULL, 0},
        {"[[\"\", \"|S99999999\"]]", ASSAY_E_UNSUPPORTED, NULL, 0},
        {"[[\"\", 4]]", ASSAY_E_UNSUPPORTED, NULL, 0},
        {"[]", ASSAY_E_UNSUPPORTED, NULL, 0},
        {"[[", ASSAY_E_FORMAT, NULL, 0},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        beton_field f = {.type = BETON_NDARRAY, .name = "x"};
        field_type t;
        le64_put(f.args, 2);
        le64_put(f.args + 256, strlen(known[i].text));
        memcpy(f.args + 264, known[i].text, strlen(known[i].text));
        assert_fails(known[i].status, field_array_plan(&t, ctx, &f));
        if (known[i].status != ASSAY_OK)
            continue;
        assert_string_equal(t.typestr, known[i].typestr);
        assert_int_equal(t.item, known[i].item);
        assert_int_equal(t.bytes, 2 * known[i].item);
    }
    assay_ctx_destroy(ctx);
}

static void numbers_are_shortest(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    static const struct {
        double v;
        const char *text;
    } known[] = {{0, "0"},
                 {0.1, "0.1"},
                 {1e300, "1e+300"},
                 {-2.5, "-2.5"},
                 {1.0 / 3, "0.3333333333333333"},
                 {5e-324, "5e-324"},
                 {123456789, "123456789"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        buf b = buf_make(ctx);
        field_double(&b, known[i].v);
        assert_string_equal(b.data, known[i].text);
        buf_free(&b);
    }
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(conformance),
                                       cmocka_unit_test(descriptors_are_read_strictly),
                                       cmocka_unit_test(numbers_are_shortest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

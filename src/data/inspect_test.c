/* info, verify and dump on files that FFCV itself wrote, against what those are known to
 * hold; and on damaged ones. */
#include <assay/data.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/le.h"
#include "data/field.h"
#include "data/source/stream.h"
#include "data/testing.h"
#include "file/npy.h"

typedef struct golden {
    assay_ctx *ctx;
    test_scratch scratch;
    test_path beton;
    json_doc *doc;
    const char *name;
} golden;

static golden open_golden(const char *name) {
    char file[64];
    golden g = {.name = name};
    (void)snprintf(file, sizeof file, "golden/%s.json", name);
    test_path json = test_shared(file);
    g.ctx = test_ctx(2);
    g.scratch = test_scratch_begin();
    size_t n;
    uint8_t *text = test_get(g.ctx, json.text, &n);
    assert_ok(json_parse(&g.doc, g.ctx, (const char *)text, n));
    mem_free(g.ctx, text);
    /* unpacked if need be */
    (void)snprintf(file, sizeof file, "golden/%s.beton%s", name,
                   strcmp(name, "jpg2w") == 0 ? ".gz" : "");
    stream *s;
    assert_ok(stream_open(&s, g.ctx, test_shared(file).text));
    assert_ok(stream_rest(s, 1 << 24, &text, &n));
    stream_close(s);
    g.beton = test_in(&g.scratch, "golden.beton");
    test_put(g.beton.text, text, n);
    mem_free(g.ctx, text);
    return g;
}

static void close_golden(golden *g) {
    json_doc_destroy(g->doc);
    test_scratch_end(&g->scratch);
    assay_ctx_destroy(g->ctx);
}

static int64_t get_int(const json_val *v, const char *key) {
    return json_get_int(json_get(v, key), -12345);
}

static const char *get_str(const json_val *v, const char *key) {
    return json_get_str(json_get(v, key), "?");
}

static bool same_json(const json_val *a, const json_val *b) {
    const char *s = json_get_str(a, NULL), *t = json_get_str(b, NULL);
    const json_val *x, *y;
    if (s != NULL || t != NULL)
        return s != NULL && t != NULL && strcmp(s, t) == 0;
    if (json_is_num(a))
        return json_is_num(b) && json_get_num(a, 0) == json_get_num(b, 1);
    if (json_is_obj(a) != json_is_obj(b) || json_is_arr(a) != json_is_arr(b) ||
        json_len(a) != json_len(b))
        return false;
    for (size_t i = 0; json_is_arr(a) && i < json_len(a); i++)
        if (!same_json(json_at(a, i), json_at(b, i)))
            return false;
    for (size_t i = 0; json_is_obj(a) && i < json_len(a); i++) {
        const char *key = json_key_at(a, i, &x);
        y = json_get(b, key);
        if (y == NULL || !same_json(x, y))
            return false;
    }
    return true;
}

/* ---- contents ---- */

static void check_info(const golden *g) {
    const json_val *want = json_root(g->doc);
    char *text;
    json_doc *doc;
    assert_ok(assay_beton_info(g->ctx, g->beton.text, &text));
    assert_ok(json_parse(&doc, g->ctx, text, strlen(text)));
    const json_val *got = json_root(doc), *fields = json_get(got, "fields");
    assert_int_equal(get_int(got, "version"), 2);
    assert_int_equal(get_int(got, "page_size"), get_int(want, "page_size"));
    assert_int_equal(get_int(got, "num_samples"), get_int(want, "num_samples"));
    assert_int_equal(json_len(fields), get_int(want, "num_fields"));
    static const char *const names[] = {"float",   "int",  "image", "bytes",
                                        "ndarray", "json", "tensor"};
    const json_val *first = json_at(json_get(want, "samples"), 0);
    for (size_t i = 0; i < json_len(fields); i++) {
        const json_val *f = json_at(fields, i);
        const char *name = get_str(f, "name");
        assert_string_equal(name,
                            json_get_str(json_at(json_get(want, "field_names"), i), "?"));
        assert_string_equal(
            get_str(f, "type"),
            names[json_get_int(json_at(json_get(want, "type_ids"), i), 0)]);
        const json_val *v = json_get(first, name);
        if (json_get(v, "dtype") != NULL) {
            assert_string_equal(get_str(f, "dtype"), get_str(v, "dtype"));
            assert_true(same_json(json_get(f, "shape"), json_get(v, "shape")));
        }
    }
    json_doc_destroy(doc);
    assay_string_free(g->ctx, text);
}

/* Dumps a cell and hands its bytes out. */
static uint8_t *
dump(const golden *g, uint64_t sample, const char *field, const char *name, size_t *n) {
    test_path out = test_in(&g->scratch, name);
    assert_ok(assay_beton_dump(g->ctx, g->beton.text, sample, field, out.text, 1));
    return test_get(g->ctx, out.text, n);
}

static void
check_sha(const golden *g, uint64_t sample, const char *field, const json_val *want) {
    size_t n;
    hash_sha256 s;
    uint8_t digest[32];
    char hex[65];
    uint8_t *bytes = dump(g, sample, field, "x.bin", &n);
    assert_int_equal(n, get_int(want, "size"));
    hash_sha256_init(&s);
    hash_sha256_add(&s, bytes, n);
    hash_sha256_end(&s, digest);
    hash_hex(hex, digest);
    hex[16] = '\0';
    assert_string_equal(hex, get_str(want, "payload_sha"));
    mem_free(g->ctx, bytes);
}

/* Pixels of a JPEG are those of the accurate transform that OpenCV found. */
static void
check_pixels(const golden *g, uint64_t sample, int field, const npy_array *got) {
    char file[96];
    npy_array want;
    (void)snprintf(file, sizeof file, "golden/%s.%03d.%d.islow.npy", g->name, (int)sample,
                   field);
    assert_ok(npy_open(&want, g->ctx, test_shared(file).text, false));
    assert_int_equal(want.bytes, got->bytes);
    assert_memory_equal(want.data, got->data, want.bytes);
    npy_close(&want);
}

static void check_image(
    const golden *g, uint64_t sample, int field, const char *name, const json_val *want) {
    size_t n;
    npy_array a;
    uint8_t *bytes = dump(g, sample, name, "x.npy", &n);
    assert_ok(npy_parse(&a, bytes, n));
    assert_int_equal(a.dtype, ASSAY_U8);
    assert_int_equal(a.ndim, 3);
    assert_int_equal(a.dim[0], get_int(want, "h"));
    assert_int_equal(a.dim[1], get_int(want, "w"));
    assert_int_equal(a.dim[2], 3);
    if (strcmp(get_str(want, "mode"), "jpg") == 0)
        check_pixels(g, sample, field, &a);
    mem_free(g->ctx, bytes);
    check_sha(g, sample, name, want);
    bytes = dump(g, sample, name, "x.png", &n);
    image im = image_make(g->ctx);
    assert_ok(image_decode(&im, bytes, n, &(image_decode_options){.orient = true}));
    assert_int_equal(im.width, get_int(want, "w"));
    image_free(&im);
    mem_free(g->ctx, bytes);
}

static void check_scalar(const golden *g,
                         uint64_t sample,
                         const char *name,
                         const json_val *want,
                         bool integer) {
    size_t n;
    npy_array a;
    uint8_t *bytes = dump(g, sample, name, "x.npy", &n);
    assert_ok(npy_parse(&a, bytes, n));
    assert_int_equal(a.ndim, 0);
    assert_int_equal(a.dtype, integer ? ASSAY_I64 : ASSAY_F64);
    if (integer)
        assert_int_equal((int64_t)le64_get(a.data), json_get_int(want, 99));
    else
        assert_true(le_f64_get(a.data) == json_get_num(want, 99));
    mem_free(g->ctx, bytes);
}

static void
check_json(const golden *g, uint64_t sample, const char *name, const json_val *want) {
    size_t n;
    json_doc *doc;
    uint8_t *text = dump(g, sample, name, "x.json", &n);
    assert_ok(json_parse(&doc, g->ctx, (const char *)text, n));
    assert_true(same_json(json_get(want, "json"), json_root(doc)));
    json_doc_destroy(doc);
    mem_free(g->ctx, text);
}

static void
check_array(const golden *g, uint64_t sample, const char *name, const json_val *want) {
    size_t n;
    uint8_t *bytes = dump(g, sample, name, "x.npy", &n);
    assert_non_null(strstr((const char *)bytes + 10, get_str(want, "dtype")));
    const json_val *shape = json_get(want, "shape");
    char text[64] = "'shape': (";
    for (size_t i = 0; i < json_len(shape); i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text),
                       i == 0 ? "%d," : " %d,", (int)json_get_int(json_at(shape, i), 0));
    if (json_len(shape) > 1)
        text[strlen(text) - 1] = '\0';
    assert_non_null(strstr((const char *)bytes + 10, text));
    mem_free(g->ctx, bytes);
}

static void check_golden(const char *name) {
    golden g = open_golden(name);
    const json_val *samples = json_get(json_root(g.doc), "samples");
    const json_val *types = json_get(json_root(g.doc), "type_ids");
    check_info(&g);
    for (size_t i = 0; i < json_len(samples); i++)
        for (size_t k = 0; k < json_len(types); k++) {
            const json_val *want;
            const char *field = json_key_at(json_at(samples, i), k, &want);
            switch (json_get_int(json_at(types, k), 99)) {
            case BETON_FLOAT:
                check_scalar(&g, i, field, want, false);
                break;
            case BETON_INT:
                check_scalar(&g, i, field, want, true);
                break;
            case BETON_IMAGE:
                check_image(&g, i, (int)k, field, want);
                break;
            case BETON_JSON:
                check_json(&g, i, field, want);
                check_sha(&g, i, field, want);
                break;
            case BETON_NDARRAY:
            case BETON_TENSOR:
                check_array(&g, i, field, want);
                check_sha(&g, i, field, want);
                break;
            default:
                check_sha(&g, i, field, want);
            }
        }
    char *text;
    assert_ok(assay_beton_verify(g.ctx, g.beton.text, 0, &text));
    assert_non_null(strstr(text, "\"problems\": []"));
    assay_string_free(g.ctx, text);
    assert_ok(assay_beton_verify(g.ctx, g.beton.text, 1, NULL));
    close_golden(&g);
}

static void golden_scalar(void **unused) {
    (void)unused;
    check_golden("scalar");
}

static void golden_all_fields(void **unused) {
    (void)unused;
    check_golden("allfields");
}

static void golden_two_workers(void **unused) {
    (void)unused;
    check_golden("jpg2w");
}

/* ---- what is wrong is said ---- */

static void damage_is_found(void **unused) {
    (void)unused;
    golden g = open_golden("allfields");
    size_t n;
    uint8_t *bytes = test_get(g.ctx, g.beton.text, &n);
    const json_val *samples = json_get(json_root(g.doc), "samples");
    /* a JPEG cut by zeros, a JSON text broken */
    const json_val *jpg = json_get(json_at(samples, 2), "image");
    const json_val *meta = json_get(json_at(samples, 5), "meta");
    memset(bytes + get_int(jpg, "ptr") + get_int(jpg, "size") / 2, 0,
           (size_t)get_int(jpg, "size") / 2);
    bytes[get_int(meta, "ptr")] = '?';
    test_put(g.beton.text, bytes, n);
    for (int quick = 0; quick < 2; quick++) {
        char *text;
        json_doc *doc;
        assert_fails(ASSAY_E_FORMAT,
                     assay_beton_verify(g.ctx, g.beton.text, quick, &text));
        assert_ok(json_parse(&doc, g.ctx, text, strlen(text)));
        const json_val *list = json_get(json_root(doc), "problems");
        assert_int_equal(json_len(list), 2 - quick);
        assert_int_equal(get_int(json_root(doc), "samples"), 12);
        const json_val *last = json_at(list, (size_t)(1 - quick));
        assert_int_equal(get_int(last, "sample"), 5);
        assert_string_equal(get_str(last, "field"), "meta");
        assert_true(strlen(get_str(last, "what")) > 0);
        if (!quick)
            assert_int_equal(get_int(json_at(list, 0), "sample"), 2);
        json_doc_destroy(doc);
        assay_string_free(g.ctx, text);
    }
    test_path out = test_in(&g.scratch, "x.npy");
    assert_fails(ASSAY_E_FORMAT,
                 assay_beton_dump(g.ctx, g.beton.text, 2, "image", out.text, 0));
    assert_non_null(strstr(assay_last_error()->where, "sample 2, field 'image'"));
    assert_false(os_exists(out.text));
    /* of another version: the report holds the one problem */
    bytes[0] = 3;
    test_put(g.beton.text, bytes, n);
    char *text;
    assert_fails(ASSAY_E_VERSION, assay_beton_verify(g.ctx, g.beton.text, 0, &text));
    assert_non_null(strstr(text, "\"samples\": 0, \"count\": 1"));
    assay_string_free(g.ctx, text);
    assert_fails(ASSAY_E_VERSION, assay_beton_info(g.ctx, g.beton.text, &text));
    assert_null(text);
    mem_free(g.ctx, bytes);
    close_golden(&g);
}

static void dump_refuses(void **unused) {
    (void)unused;
    golden g = open_golden("allfields");
    const char *in = g.beton.text;
    test_path npy = test_in(&g.scratch, "x.npy"), jpg = test_in(&g.scratch, "x.JPG");
    assert_fails(ASSAY_E_NOTFOUND, assay_beton_dump(g.ctx, in, 12, "image", npy.text, 0));
    assert_non_null(strstr(assay_last_error()->help, "12, counted from 0"));
    assert_fails(ASSAY_E_NOTFOUND,
                 assay_beton_dump(g.ctx, in, 0, "picture", npy.text, 0));
    assert_non_null(strstr(assay_last_error()->help, "image, label, score"));
    assert_fails(
        ASSAY_E_UNSUPPORTED,
        assay_beton_dump(g.ctx, in, 0, "label", test_in(&g.scratch, "x.png").text, 0));
    assert_fails(ASSAY_E_UNSUPPORTED, assay_beton_dump(g.ctx, in, 0, "label",
                                                       test_in(&g.scratch, "x").text, 0));
    assert_fails(ASSAY_E_UNSUPPORTED,
                 assay_beton_dump(g.ctx, in, 0, "image", jpg.text, 0));
    assert_ok(assay_beton_dump(g.ctx, in, 2, "image", jpg.text, 0));
    assert_fails(ASSAY_E_INVALID, assay_beton_dump(g.ctx, in, 2, "image", jpg.text, 0));
    assert_ok(assay_beton_dump(g.ctx, in, 2, "image", jpg.text, 1));
    assert_fails(ASSAY_E_NOTFOUND,
                 assay_beton_dump(g.ctx, test_in(&g.scratch, "none.beton").text, 0, "x",
                                  npy.text, 0));
    assert_false(os_exists(npy.text));
    close_golden(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_scalar),      cmocka_unit_test(golden_all_fields),
        cmocka_unit_test(golden_two_workers), cmocka_unit_test(damage_is_found),
        cmocka_unit_test(dump_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

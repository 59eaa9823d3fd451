/* .safetensors: round trip, byte-stable writing, and headers that lie. */
#include "base/le.h"
#include "base/testing.h"
#include "file/safetensors.h"

static void round_trip(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch dir = test_scratch_begin();
    test_path p = test_in(&dir, "m.safetensors"), q = test_in(&dir, "n.safetensors");
    float w[6] = {0, 1, 2, 3, 4, 5};
    int64_t steps = 42;
    uint16_t half[3] = {0x3F80, 0x4000, 0x4040};
    const st_tensor in[] = {
        {"layer.weight", ASSAY_F32, 2, {2, 3}, w, sizeof w},
        {"steps", ASSAY_I64, 0, {0}, &steps, sizeof steps},
        {"empty", ASSAY_F32, 1, {0}, NULL, 0},
        {"bf", ASSAY_BF16, 1, {3}, half, sizeof half},
    };
    const st_pair meta[] = {{"model", "cnn"}, {"classes", "[\"a\",\"b \\\"\"]"}};
    st_file *f;
    st_tensor t;
    assert_ok(st_put(ctx, p.text, in, 4, meta, 2));
    assert_ok(st_put(ctx, q.text, in, 4, meta, 2));
    size_t na, nb;
    uint8_t *a = test_get(ctx, p.text, &na), *b = test_get(ctx, q.text, &nb);
    assert_int_equal(na, nb);
    assert_memory_equal(a, b, na);
    assert_int_equal(le64_get(a) % 8, 0);
    mem_free(ctx, a);
    mem_free(ctx, b);
    assert_ok(st_open(&f, ctx, p.text));
    assert_int_equal(st_count(f), 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(st_at(f, i).name, in[i].name);
    assert_ok(st_find(f, "layer.weight", &t));
    assert_int_equal(t.dtype, ASSAY_F32);
    assert_int_equal(t.ndim, 2);
    assert_int_equal(t.dim[1], 3);
    assert_memory_equal(t.data, w, sizeof w);
    assert_ok(st_find(f, "bf", &t));
    assert_memory_equal(t.data, half, sizeof half);
    assert_ok(st_find(f, "steps", &t));
    assert_memory_equal(t.data, &steps, 8);
    assert_string_equal(st_metadata(f, "model"), "cnn");
    assert_string_equal(st_metadata(f, "classes"), meta[1].value);
    assert_null(st_metadata(f, "none"));
    assert_fails(ASSAY_E_NOTFOUND, st_find(f, "absent", &t));
    assert_string_equal(assay_last_error()->where, p.text);
    st_close(f);
    st_close(NULL);
    /* no tensors, no metadata */
    assert_ok(st_put(ctx, p.text, NULL, 0, NULL, 0));
    assert_ok(st_open(&f, ctx, p.text));
    assert_int_equal(st_count(f), 0);
    assert_null(st_metadata(f, "model"));
    st_close(f);
    st_tensor wrong = in[0];
    wrong.bytes = 20;
    assert_fails(ASSAY_E_SHAPE, st_put(ctx, p.text, &wrong, 1, NULL, 0));
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

/* A file in a tight block of its own, so that a read past its end is seen. */
static uint8_t *build(size_t *n, const char *header, size_t data_bytes) {
    size_t text = strlen(header);
    *n = 8 + text + data_bytes;
    uint8_t *p = calloc(*n, 1);
    assert_non_null(p);
    le64_put(p, text);
    memcpy(p + 8, header, text);
    return p;
}

#define ENTRY(name, shape, from, to)                                                     \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":[" shape "],\"data_offsets\":[" from      \
    "," to "]}"

static void hostile_headers(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    static const struct {
        const char *header;
        assay_status status;
    } cases[] = {
        {"{" ENTRY("a", "2,3", "0", "24") "}", ASSAY_OK},
        {"{" ENTRY("b", "3", "12", "24") "," ENTRY("a", "3", "0", "12") "}  ", ASSAY_OK},
        {"{" ENTRY("a", "6", "0", "24") "," ENTRY("e", "0", "24", "24") "}", ASSAY_OK},
        {"", ASSAY_E_FORMAT},
        {"[]", ASSAY_E_FORMAT},
        {"{}", ASSAY_E_FORMAT},
        {"{", ASSAY_E_FORMAT},
        {" {" ENTRY("a", "2,3", "0", "24") "}", ASSAY_E_FORMAT},
        {"{" ENTRY("a", "2,3", "0", "28") "}", ASSAY_E_FORMAT},
        {"{" ENTRY("a", "2,3", "4", "28") "}", ASSAY_E_FORMAT},
        {"{" ENTRY("a", "2,3", "24", "0") "}", ASSAY_E_FORMAT},
        {"{" ENTRY("a", "2,3", "-1", "23") "}", ASSAY_E_FORMAT},
        {"{" ENTRY("a", "2,-3", "0", "24") "}", ASSAY_E_FORMAT},
        {"{" ENTRY("a", "2,3.5", "0", "24") "}", ASSAY_E_FORMAT},
        {"{" ENTRY("a", "2", "0", "8") "}", ASSAY_E_FORMAT},
        {"{" ENTRY("a", "3", "0", "12") "," ENTRY("b", "3", "8", "20") "}",
         ASSAY_E_FORMAT},
        {"{" ENTRY("a", "2", "0", "8") "," ENTRY("b", "2", "16", "24") "}",
         ASSAY_E_FORMAT},
        {"{" ENTRY("a", "6", "0", "24") "," ENTRY("a", "6", "0", "24") "}",
         ASSAY_E_FORMAT},
        {"{" ENTRY("a", "4611686018427387904,4,6", "0", "24") "}", ASSAY_E_FORMAT},
        {"{" ENTRY("a", "99999999999999999999", "0", "24") "}", ASSAY_E_FORMAT},
        {"{" ENTRY("a", "1,1,1,1,1,1,1,1,6", "0", "24") "}", ASSAY_E_UNSUPPORTED},
        {"{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[24],\"data_offsets\":[0,24]}}",
         ASSAY_E_DTYPE},
        {"{\"a\":{\"dtype\":7,\"shape\":[24],\"data_offsets\":[0,24]}}", ASSAY_E_FORMAT},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":24,\"data_offsets\":[0,24]}}",
         ASSAY_E_FORMAT},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[24],\"data_offsets\":[0]}}",
         ASSAY_E_FORMAT},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[24],\"data_offsets\":[0,24],\"x\":1}}",
         ASSAY_E_FORMAT},
        {"{\"a\":3}", ASSAY_E_FORMAT},
        {"{\"__metadata__\":{\"k\":1}," ENTRY("a", "6", "0", "24") "}", ASSAY_E_FORMAT},
        {"{\"__metadata__\":[]," ENTRY("a", "6", "0", "24") "}", ASSAY_E_FORMAT},
        {"{\"__metadata__\":{\"k\":\"v\"}," ENTRY("a", "6", "0", "24") "}", ASSAY_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t n;
        st_file *f;
        uint8_t *p = build(&n, cases[i].header, 24);
        assay_status got = st_open_memory(&f, ctx, p, n, "memory");
        if (got != cases[i].status)
            print_error("%s: %s %s\n", cases[i].header, assay_status_name(got),
                        assay_last_error()->message);
        assert_int_equal(got, cases[i].status);
        assert_true((f != NULL) == (got == ASSAY_OK));
        st_close(f);
        free(p);
    }
    assay_ctx_destroy(ctx);
}

static void every_cut_and_length(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    size_t n;
    st_file *f;
    uint8_t *p = build(&n, "{" ENTRY("a", "2,3", "0", "24") "}", 24);
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *tight = malloc(cut ? cut : 1);
        assert_non_null(tight);
        memcpy(tight, p, cut);
        assert_fails(ASSAY_E_FORMAT, st_open_memory(&f, ctx, tight, cut, "cut"));
        free(tight);
    }
    static const uint64_t lengths[] = {
        0, 1, 1000, 100000001, UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 63};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        le64_put(p, lengths[i]);
        assert_fails(ASSAY_E_FORMAT, st_open_memory(&f, ctx, p, n, "length"));
        assert_null(f);
    }
    free(p);
    assay_ctx_destroy(ctx);
}

static void no_memory(void **state) {
    (void)state;
    long left;
    assay_ctx *ctx = test_ctx_failing(&left);
    test_scratch dir = test_scratch_begin();
    test_path p = test_in(&dir, "m.safetensors");
    const float w[2] = {1, 2};
    const st_tensor t = {"w", ASSAY_F32, 1, {2}, w, sizeof w};
    assay_status status = ASSAY_E_NOMEM;
    for (long k = 0; status != ASSAY_OK; k++) {
        left = k;
        status = st_put(ctx, p.text, &t, 1, NULL, 0);
        left = LONG_MAX;
        assert_true(status == ASSAY_OK || status == ASSAY_E_NOMEM);
        assert_int_equal(test_count_files(ctx, &dir), status == ASSAY_OK);
    }
    status = ASSAY_E_NOMEM;
    for (long k = 0; status != ASSAY_OK; k++) {
        st_file *f;
        left = k;
        status = st_open(&f, ctx, p.text);
        assert_true(status == ASSAY_OK || status == ASSAY_E_NOMEM);
        st_close(f);
        left = LONG_MAX;
    }
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

/* Files that other tools wrote. */
static void real_models(void **state) {
    (void)state;
    static const char *const names[] = {"data/models/mobilenet", "data/models/taef2"};
    const test_path folders[] = {test_shared(names[0]), test_shared(names[1])};
    assay_ctx *ctx = test_ctx(1);
    int seen = 0;
    for (size_t i = 0; i < 2; i++) {
        test_path folder = folders[i];
        os_names files;
        assert_ok(os_list_dir(ctx, folder.text, &files));
        for (size_t k = 0; k < files.count; k++) {
            if (!strstr(files.name[k], ".safetensors"))
                continue;
            char path[1024];
            st_file *f;
            (void)snprintf(path, sizeof path, "%s/%s", folder.text, files.name[k]);
            assert_ok(st_open(&f, ctx, path));
            assert_true(st_count(f) > 10);
            st_close(f);
            seen++;
        }
        os_names_free(&files);
    }
    assert_true(seen >= 2);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),           cmocka_unit_test(hostile_headers),
        cmocka_unit_test(every_cut_and_length), cmocka_unit_test(no_memory),
        cmocka_unit_test(real_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* .npy: what NumPy writes is read, what is written NumPy reads, and damage is named. */
#include "base/testing.h"
#include "file/npy.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

static void round_trip(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch dir = test_scratch_begin();
    test_path p = test_in(&dir, "a.npy");
    float v[6] = {0, 1, -2.5F, 3, 4, 5};
    int64_t dim[2] = {2, 3};
    npy_array a;
    assert_ok(npy_put(ctx, p.text, ASSAY_F32, 2, dim, v));
    assert_ok(npy_open(&a, ctx, p.text, false));
    assert_int_equal(a.dtype, ASSAY_F32);
    assert_int_equal(a.ndim, 2);
    assert_int_equal(a.dim[0], 2);
    assert_int_equal(a.dim[1], 3);
    assert_int_equal(a.bytes, sizeof v);
    assert_memory_equal(a.data, v, sizeof v);
    npy_close(&a);
    npy_close(&a);

    uint8_t scalar = 7;
    int64_t none[1] = {0};
    assert_ok(npy_put(ctx, p.text, ASSAY_U8, 0, NULL, &scalar));
    assert_ok(npy_open(&a, ctx, p.text, false));
    assert_int_equal(a.ndim, 0);
    assert_int_equal(a.bytes, 1);
    assert_int_equal(*a.data, 7);
    npy_close(&a);
    assert_ok(npy_put(ctx, p.text, ASSAY_F64, 1, none, v));
    assert_ok(npy_open(&a, ctx, p.text, false));
    assert_int_equal(a.ndim, 1);
    assert_int_equal(a.bytes, 0);
    npy_close(&a);
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

/* The bytes of numpy.save(numpy.arange(3, dtype="<i8")), numpy 1.24. */
static void as_numpy_writes(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch dir = test_scratch_begin();
    test_path p = test_in(&dir, "a.npy");
    char want[128 + 24];
    const char *text = "{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }";
    memset(want, ' ', 128);
    memcpy(want, "\x93NUMPY\x01\x00\x76\x00", 10);
    memcpy(want + 10, text, strlen(text));
    want[127] = '\n';
    int64_t v[3] = {0, 1, 2}, dim[1] = {3};
    memcpy(want + 128, v, 24);
    assert_ok(npy_put(ctx, p.text, ASSAY_I64, 1, dim, v));
    size_t n;
    uint8_t *got = test_get(ctx, p.text, &n);
    /* NumPy pads further than needed, to leave room for growth; here 64 suffices. */
    npy_array a, b;
    assert_ok(npy_parse(&a, want, sizeof want));
    assert_ok(npy_parse(&b, got, n));
    assert_int_equal(a.bytes, 24);
    assert_int_equal(b.bytes, 24);
    assert_memory_equal(a.data, b.data, 24);
    assert_int_equal((b.data - got) % 64, 0);
    mem_free(ctx, got);
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

static void work_file(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch dir = test_scratch_begin();
    test_path p = test_in(&dir, "w.npy");
    int64_t dim[2] = {100, 10};
    npy_array a;
    assert_ok(npy_create(&a, ctx, p.text, ASSAY_F32, 2, dim));
    assert_int_equal(a.bytes, 4000);
    for (size_t i = 0; i < a.bytes; i++)
        assert_int_equal(a.data[i], 0);
    a.data[3999] = 9;
    assert_ok(npy_sync(&a, p.text));
    npy_close(&a);
    assert_ok(npy_open(&a, ctx, p.text, false));
    assert_int_equal(a.data[3999], 9);
    npy_close(&a);

    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    small = old;
    small.rlim_cur = 2000;
    test_path q = test_in(&dir, "q.npy");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assay_status status = npy_create(&a, ctx, q.text, ASSAY_F32, 2, dim);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, handler);
    assert_int_equal(status, ASSAY_E_NOSPC);
    assert_false(os_exists(q.text));

    int64_t huge[2] = {INT64_MAX, 3};
    assert_fails(ASSAY_E_SHAPE, npy_create(&a, ctx, q.text, ASSAY_F32, 2, huge));
    assert_fails(ASSAY_E_DTYPE, npy_create(&a, ctx, q.text, ASSAY_BF16, 2, dim));
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

/* A version 1.0 file in memory; returns its length. */
static size_t build(uint8_t *out, const char *header, size_t data_bytes) {
    size_t text = strlen(header), total = (10 + text + 63) / 64 * 64;
    memset(out, ' ', total);
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (uint8_t)(total - 10);
    out[9] = (uint8_t)((total - 10) >> 8);
    memcpy(out + 10, header, text);
    out[total - 1] = '\n';
    memset(out + total, 1, data_bytes);
    return total + data_bytes;
}

static void accepted_spellings(void **state) {
    (void)state;
    static const char *const good[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
        "{\"shape\":(2,3),\"fortran_order\":False,\"descr\":\"<f4\"}",
        "{'descr': '<i4', 'fortran_order': False, 'shape': (6,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 4,), }",
        "{'descr': '<u1', 'fortran_order': False, 'shape': (24L,), }",
    };
    uint8_t file[512];
    npy_array a;
    for (size_t i = 0; i < 4; i++) {
        size_t n = build(file, good[i], 24);
        assert_ok(npy_parse(&a, file, n));
        assert_int_equal(a.bytes, 24);
    }
    /* Python 2's long integers are not written any more. */
    assert_fails(ASSAY_E_FORMAT, npy_parse(&a, file, build(file, good[4], 24)));
}

static void hostile_headers(void **state) {
    (void)state;
    static const struct {
        const char *header;
        assay_status status;
    } bad[] = {
        {"", ASSAY_E_FORMAT},
        {"{}", ASSAY_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }", ASSAY_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", ASSAY_E_FORMAT},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }", ASSAY_E_DTYPE},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (3,), }", ASSAY_E_DTYPE},
        {"{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (6,), }",
         ASSAY_E_DTYPE},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }",
         ASSAY_E_UNSUPPORTED},
        {"{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2, 3), }", ASSAY_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3), }", ASSAY_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': 6, }", ASSAY_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, }", ASSAY_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (6,)", ASSAY_E_FORMAT},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (6,)}",
         ASSAY_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (6,), 'more': 1}",
         ASSAY_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (6,)} x", ASSAY_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,6)}",
         ASSAY_E_UNSUPPORTED},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, "
         "4294967296)}",
         ASSAY_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
         ASSAY_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 9223372036854775807, 9)}",
         ASSAY_E_FORMAT},
        {"{'descr': '<f4\\'', 'fortran_order': False, 'shape': (6,)}", ASSAY_E_DTYPE},
    };
    uint8_t file[512];
    npy_array a;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t n = build(file, bad[i].header, 24);
        assay_status got = npy_parse(&a, file, n);
        if (got != bad[i].status)
            print_error("%s: %s\n", bad[i].header, assay_status_name(got));
        assert_int_equal(got, bad[i].status);
        assert_null(a.data);
    }
}

static void every_cut(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    uint8_t file[512];
    size_t n =
        build(file, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 24);
    npy_array a;
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *tight = malloc(cut ? cut : 1); /* a read past the end is seen */
        assert_non_null(tight);
        memcpy(tight, file, cut);
        assert_true(npy_parse(&a, tight, cut) != ASSAY_OK);
        free(tight);
    }
    assert_ok(npy_parse(&a, file, n));
    file[6] = 9;
    assert_fails(ASSAY_E_VERSION, npy_parse(&a, file, n));
    test_scratch dir = test_scratch_begin();
    test_path p = test_in(&dir, "cut.npy");
    test_put(p.text, file, 40);
    assert_true(npy_open(&a, ctx, p.text, false) != ASSAY_OK);
    assert_non_null(strstr(assay_last_error()->where, "cut.npy"));
    assert_fails(ASSAY_E_NOTFOUND, npy_open(&a, ctx, test_in(&dir, "none").text, false));
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

static void golden(void **state) {
    (void)state;
    test_path p = test_shared("golden/jpg2w.000.0.islow.npy");
    assay_ctx *ctx = test_ctx(1);
    npy_array a;
    assert_ok(npy_open(&a, ctx, p.text, false));
    assert_int_equal(a.dtype, ASSAY_U8);
    assert_int_equal(a.ndim, 3);
    assert_int_equal(a.dim[2], 3);
    npy_close(&a);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),      cmocka_unit_test(as_numpy_writes),
        cmocka_unit_test(work_file),       cmocka_unit_test(accepted_spellings),
        cmocka_unit_test(hostile_headers), cmocka_unit_test(every_cut),
        cmocka_unit_test(golden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

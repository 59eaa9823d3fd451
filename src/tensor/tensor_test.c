/* Tensors: shapes, strides, views, references, and what is refused. */
#include "tensor/tensor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int make_ctx(void **state) {
    return assay_ctx_create((assay_ctx **)state, NULL) == ASSAY_OK ? 0 : -1;
}

static int drop_ctx(void **state) {
    assay_ctx_destroy(*state);
    return 0;
}

static void test_layouts(void **state) {
    const int64_t dim[] = {2, 3, 4, 5};
    assay_tensor *t;
    assert_int_equal(assay_tensor_create(&t, *state, ASSAY_F32, 4, dim, ASSAY_ROW_MAJOR),
                     0);
    assert_int_equal(assay_tensor_count(t), 120);
    const int64_t rows[] = {60, 20, 5, 1};
    assert_memory_equal(assay_tensor_strides(t), rows, sizeof rows);
    assert_true(assay_tensor_is_dense(t, ASSAY_ROW_MAJOR));
    assert_false(assay_tensor_is_dense(t, ASSAY_CHANNELS_LAST));
    assert_int_equal((uintptr_t)assay_tensor_data(t) % 64, 0);
    for (int i = 0; i < 120; i++)
        assert_true(((float *)assay_tensor_data(t))[i] == 0);
    assay_tensor_unref(t);

    assert_int_equal(
        assay_tensor_create(&t, *state, ASSAY_U8, 4, dim, ASSAY_CHANNELS_LAST), 0);
    const int64_t last[] = {60, 1, 15, 3};
    assert_memory_equal(assay_tensor_strides(t), last, sizeof last);
    assert_memory_equal(assay_tensor_dims(t), dim, sizeof dim);
    assert_true(assay_tensor_is_dense(t, ASSAY_CHANNELS_LAST));
    assert_false(assay_tensor_is_dense(t, ASSAY_ROW_MAJOR));
    assay_tensor_unref(t);

    /* One channel lies alike in both layouts; a scalar and an empty array are dense. */
    const int64_t grey[] = {2, 1, 4, 5}, none[] = {0, 7};
    assert_int_equal(assay_tensor_create(&t, *state, ASSAY_U8, 4, grey, ASSAY_ROW_MAJOR),
                     0);
    assert_true(assay_tensor_is_dense(t, ASSAY_CHANNELS_LAST));
    assay_tensor_unref(t);
    assert_int_equal(assay_tensor_create(&t, *state, ASSAY_I64, 0, NULL, ASSAY_ROW_MAJOR),
                     0);
    assert_int_equal(assay_tensor_count(t), 1);
    assay_tensor_unref(t);
    assert_int_equal(assay_tensor_create(&t, *state, ASSAY_I64, 2, none, ASSAY_ROW_MAJOR),
                     0);
    assert_int_equal(assay_tensor_count(t), 0);
    assert_true(assay_tensor_is_dense(t, ASSAY_ROW_MAJOR));
    assay_tensor_unref(t);
    assay_tensor_unref(NULL);
}

static void test_views_keep_memory(void **state) {
    const int64_t dim[] = {4, 6}, column[] = {4}, skip[] = {6}, row[] = {6};
    assay_tensor *t, *v, *w;
    assert_int_equal(assay_tensor_create(&t, *state, ASSAY_I32, 2, dim, ASSAY_ROW_MAJOR),
                     0);
    int32_t *data = assay_tensor_data(t);
    for (int i = 0; i < 24; i++)
        data[i] = i;
    assert_int_equal(assay_tensor_view(&v, t, 2, 1, column, skip), 0);
    assert_int_equal(assay_tensor_view(&w, t, 18, 1, row, NULL), 0);
    assay_tensor_unref(t); /* the views hold it */
    const int32_t *c = assay_tensor_data(v), *r = assay_tensor_data(w);
    for (int i = 0; i < 4; i++)
        assert_int_equal(c[i * assay_tensor_strides(v)[0]], 2 + 6 * i);
    assert_int_equal(r[5], 23);
    assert_false(assay_tensor_is_dense(v, ASSAY_ROW_MAJOR));

    assay_tensor *bad;
    const int64_t seven[] = {7}, huge[] = {INT64_MAX / 2}, back[] = {-1};
    assert_int_equal(assay_tensor_view(&bad, w, 0, 1, seven, NULL), ASSAY_E_SHAPE);
    assert_null(bad);
    assert_int_equal(assay_tensor_view(&bad, w, 1, 1, row, NULL), ASSAY_E_SHAPE);
    assert_int_equal(assay_tensor_view(&bad, w, 7, 0, NULL, NULL), ASSAY_E_SHAPE);
    assert_int_equal(assay_tensor_view(&bad, w, 6, 0, NULL, NULL), ASSAY_E_SHAPE);
    assert_int_equal(assay_tensor_view(&bad, w, -1, 0, NULL, NULL), ASSAY_E_SHAPE);
    assert_int_equal(assay_tensor_view(&bad, w, 0, 1, row, huge), ASSAY_E_SHAPE);
    assert_int_equal(assay_tensor_view(&bad, w, 0, 1, row, back), ASSAY_E_INVALID);
    assay_tensor_unref(v);
    assay_tensor_unref(w);
}

static void test_wrap_and_refs(void **state) {
    float mine[6] = {0, 1, 2, 3, 4, 5};
    const int64_t dim[] = {2, 3};
    assay_tensor *t;
    assert_int_equal(assay_tensor_wrap(&t, *state, mine, ASSAY_F32, 2, dim, NULL), 0);
    assert_ptr_equal(assay_tensor_data(t), mine);
    assert_int_equal(assay_tensor_dtype(t), ASSAY_F32);
    assert_int_equal(assay_tensor_ndim(t), 2);
    assert_ptr_equal(assay_tensor_ref(t), t);
    assay_tensor_unref(t);
    assert_int_equal(assay_tensor_count(t), 6);
    assay_tensor_unref(t);
    assert_int_equal(assay_tensor_wrap(&t, *state, NULL, ASSAY_F32, 2, dim, NULL),
                     ASSAY_E_INVALID);
    assert_null(t);
}

static void test_refused(void **state) {
    const int64_t negative[] = {2, -1}, huge[] = {INT64_C(1) << 40, INT64_C(1) << 40},
                  hidden[] = {INT64_C(1) << 40, INT64_C(1) << 40, 0}, nine[9] = {1};
    assay_tensor *t;
    assert_int_equal(
        assay_tensor_create(&t, *state, ASSAY_F32, 2, negative, ASSAY_ROW_MAJOR),
        ASSAY_E_SHAPE);
    assert_int_equal(assay_tensor_create(&t, *state, ASSAY_F32, 2, huge, ASSAY_ROW_MAJOR),
                     ASSAY_E_SHAPE);
    assert_int_equal(assay_tensor_create(&t, *state, ASSAY_F32, 9, nine, ASSAY_ROW_MAJOR),
                     ASSAY_E_SHAPE);
    assert_int_equal(
        assay_tensor_create(&t, *state, ASSAY_F32, 2, nine, ASSAY_CHANNELS_LAST),
        ASSAY_E_SHAPE);
    assert_int_equal(
        assay_tensor_create(&t, *state, (assay_dtype)13, 1, nine, ASSAY_ROW_MAJOR),
        ASSAY_E_DTYPE);
    assert_int_equal(assay_tensor_create(&t, *state, ASSAY_F32, 1, nine, (assay_layout)2),
                     ASSAY_E_INVALID);
    assert_null(t);
    int64_t count;
    size_t bytes;
    assert_int_equal(ten_measure(&count, &bytes, ASSAY_F64, 3, hidden), ASSAY_OK);
    assert_int_equal(count, 0);
}

static void test_dtypes(void **state) {
    (void)state;
    for (int i = 0; i < DTYPE_COUNT; i++) {
        assay_dtype d = (assay_dtype)-1;
        const char *typestr = dtype_typestr((assay_dtype)i);
        assert_int_equal(dtype_from_name(&d, assay_dtype_name((assay_dtype)i)), ASSAY_OK);
        assert_int_equal(d, i);
        if (i == ASSAY_BF16) {
            assert_null(typestr);
            continue;
        }
        assert_int_equal(typestr[2] - '0', assay_dtype_size((assay_dtype)i));
        assert_int_equal(dtype_from_typestr(&d, typestr), ASSAY_OK);
        assert_int_equal(d, i);
    }
    static const char *const bad[] = {"", "<", ">f4", "<f3", "f4", "<f44", "<U8", "|O"};
    assay_dtype d;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(dtype_from_typestr(&d, bad[i]), ASSAY_E_DTYPE);
    assert_int_equal(dtype_from_typestr(&d, "<u1"), ASSAY_OK);
    assert_int_equal(assay_dtype_size((assay_dtype)99), 0);
    assert_string_equal(assay_dtype_name((assay_dtype)99), "unknown");
}

static void test_bf16(void **state) {
    (void)state;
    static const struct {
        uint32_t in;
        uint16_t out;
    } cases[] = {
        {0x3F800000, 0x3F80}, {0x3F808000, 0x3F80}, /* tie to even, down */
        {0x3F818000, 0x3F82},                       /* tie to even, up */
        {0x3F808001, 0x3F81}, {0x7F7FFFFF, 0x7F80}, /* overflows to infinity */
        {0xFF800000, 0xFF80}, {0x7F800001, 0x7FC0}, /* NaN stays NaN */
        {0x80000000, 0x8000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float f;
        memcpy(&f, &cases[i].in, 4);
        assert_int_equal(ten_bf16(f), cases[i].out);
    }
    assert_true(ten_from_bf16(0xC040) == -3.0f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),       cmocka_unit_test(test_views_keep_memory),
        cmocka_unit_test(test_wrap_and_refs), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_dtypes),        cmocka_unit_test(test_bf16),
    };
    return cmocka_run_group_tests(tests, make_ctx, drop_ctx);
}

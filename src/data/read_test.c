/* Single samples through the public reader: every kind of field, what is not there, what
 * is damaged. */
#include <assay/read.h>

#include "data/testing_beton.h"

enum { ROWS = 9 };

typedef struct fixture {
    assay_ctx *ctx;
    test_scratch scratch;
    test_path raw, jpeg;
} fixture;

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    f->ctx = test_ctx(1);
    f->scratch = test_scratch_begin();
    f->raw = test_in(&f->scratch, "raw.beton");
    f->jpeg = test_in(&f->scratch, "jpeg.beton");
    make_beton(f->ctx, f->raw.text, &(test_beton){ROWS, 1, false, true});
    make_beton(f->ctx, f->jpeg.text, &(test_beton){ROWS, 1, true, false});
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    test_scratch_end(&f->scratch);
    assay_ctx_destroy(f->ctx);
    free(f);
    return 0;
}

static assay_reader *open_beton(fixture *f, const test_path *path) {
    assay_reader *r;
    assert_ok(assay_reader_open(&r, f->ctx, path->text));
    return r;
}

static assay_tensor *get(assay_reader *r, uint64_t sample, int field) {
    assay_tensor *t;
    assert_ok(assay_reader_get(&t, r, sample, field));
    return t;
}

static void test_describes_its_fields(void **state) {
    fixture *f = *state;
    assay_reader *r = open_beton(f, &f->raw);
    static const assay_field_type types[] = {ASSAY_FIELD_IMAGE, ASSAY_FIELD_INT,
                                             ASSAY_FIELD_FLOAT, ASSAY_FIELD_NDARRAY,
                                             ASSAY_FIELD_BYTES};
    static const char *const names[] = {"image", "label", "float", "array", "text"};
    assert_int_equal(assay_reader_samples(r), ROWS);
    assert_int_equal(assay_reader_page_size(r), 1 << 16);
    assert_int_equal(assay_reader_fields(r), 5);
    for (int i = 0; i < 5; i++) {
        assay_field d = assay_reader_field(r, i);
        assert_int_equal(d.type, types[i]);
        assert_string_equal(d.name, names[i]);
    }
    assay_field array = assay_reader_field(r, 3);
    assert_string_equal(array.typestr, ">i2");
    assert_int_equal(array.ndim, 2);
    assert_int_equal(array.dim[0], 2);
    assert_int_equal(array.dim[1], 3);
    assay_reader_close(r);
    assay_reader_close(NULL);
}

static void test_values_of_every_kind(void **state) {
    fixture *f = *state;
    assay_reader *r = open_beton(f, &f->raw);
    for (uint64_t k = 0; k < ROWS; k++) {
        assay_tensor *t = get(r, k, 0);
        const uint8_t *pixels = assay_tensor_data(t);
        assert_int_equal(assay_tensor_count(t), SMALL_H * SMALL_W * 3);
        assert_int_equal(assay_tensor_dims(t)[0], SMALL_H);
        for (size_t i = 0; i < SMALL_H * SMALL_W * 3; i++)
            assert_int_equal(pixels[i], beton_pixel(1, k, i));
        assay_tensor_unref(t);
        t = get(r, k, 1);
        assert_int_equal(assay_tensor_ndim(t), 0);
        assert_int_equal(*(int64_t *)assay_tensor_data(t), k % 7);
        assay_tensor_unref(t);
        t = get(r, k, 2);
        assert_int_equal(assay_tensor_dtype(t), ASSAY_F64);
        assay_tensor_unref(t);
        t = get(r, k, 4);
        assert_int_equal(assay_tensor_count(t), beton_text_bytes(k));
        assay_tensor_unref(t);
    }
    assay_reader_close(r);
}

/* Stored big-endian, handed out in this machine's order. */
static void test_numbers_are_turned(void **state) {
    fixture *f = *state;
    assay_reader *r = open_beton(f, &f->raw);
    const void *stored;
    size_t bytes;
    assay_tensor *t = get(r, 4, 3);
    assert_int_equal(assay_tensor_dtype(t), ASSAY_I16);
    assert_ok(assay_reader_stored(r, 4, 3, &stored, &bytes));
    assert_int_equal(bytes, 12);
    for (size_t i = 0; i < 6; i++) {
        const uint8_t *p = (const uint8_t *)stored + 2 * i;
        assert_int_equal(((const uint16_t *)assay_tensor_data(t))[i], p[0] << 8 | p[1]);
    }
    assay_tensor_unref(t);
    assay_reader_close(r);
}

static void test_jpeg_is_decoded_or_as_stored(void **state) {
    fixture *f = *state;
    assay_reader *r = open_beton(f, &f->jpeg);
    const void *stored;
    size_t bytes;
    assay_tensor *t = get(r, 2, 0);
    assert_int_equal(assay_tensor_dims(t)[0], 40);
    assert_int_equal(assay_tensor_dims(t)[1], 46);
    assert_ok(assay_reader_stored(r, 2, 0, &stored, &bytes));
    assert_memory_equal(stored, "\xff\xd8\xff", 3);
    assay_tensor_unref(t);
    assay_reader_close(r);
}

static void test_what_is_not_there(void **state) {
    fixture *f = *state;
    assay_reader *r = open_beton(f, &f->raw);
    assay_tensor *t;
    const void *stored;
    size_t bytes;
    assert_int_equal(assay_reader_get(&t, r, ROWS, 0), ASSAY_E_NOTFOUND);
    assert_null(t);
    assert_int_equal(assay_reader_get(&t, r, 0, 5), ASSAY_E_NOTFOUND);
    assert_int_equal(assay_reader_get(&t, r, 0, -1), ASSAY_E_NOTFOUND);
    assert_int_equal(assay_reader_stored(r, ROWS, 0, &stored, &bytes), ASSAY_E_NOTFOUND);
    assert_null(stored);
    assay_reader_close(r);
    assert_int_equal(assay_reader_open(&r, f->ctx, "absent.beton"), ASSAY_E_NOTFOUND);
    assert_null(r);
}

/* A JPEG cut to its first bytes: opening is fine, the sample is not. */
static void test_damage_names_its_place(void **state) {
    fixture *f = *state;
    size_t n, at = 0;
    uint8_t *bytes = test_get(f->ctx, f->jpeg.text, &n);
    while (at + 3 < n && memcmp(bytes + at, "\xff\xd8\xff", 3) != 0)
        at++;
    assert_true(at + 64 < n);
    memset(bytes + at + 2, 0, 60);
    test_path path = test_in(&f->scratch, "damaged.beton");
    test_put(path.text, bytes, n);
    mem_free(f->ctx, bytes);
    assay_reader *r = open_beton(f, &path);
    assay_tensor *t;
    assert_int_equal(assay_reader_get(&t, r, 0, 0), ASSAY_E_FORMAT);
    assert_null(t);
    assert_non_null(strstr(assay_last_error()->where, "sample 0"));
    t = get(r, 1, 0);
    assay_tensor_unref(t);
    assay_reader_close(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_describes_its_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(test_values_of_every_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numbers_are_turned, setup, teardown),
        cmocka_unit_test_setup_teardown(test_jpeg_is_decoded_or_as_stored, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_is_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage_names_its_place, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The look before parsing: lengths, nesting, endless numbers. */
#include "base/testing.h"
#include "nn/onnx/ir.h"
#include "nn/onnx/wire.h"

/* Field 1 holds messages of the same type. */
static const void *self(const void *type, uint32_t field) {
    return field == 1 ? type : NULL;
}

static assay_status check(const void *bytes, size_t n) {
    return wire_check(bytes, n, "type", self);
}

static void test_sound(void **state) {
    (void)state;
    static const uint8_t bytes[] = {0x10, 0x96, 0x01,          /* field 2: 150 */
                                    0x0a, 0x02, 0x10, 0x01,    /* field 1: a message */
                                    0x1a, 0x01, 0xff,          /* field 3: a byte */
                                    0x25, 1,    2,    3,    4, /* field 4: 32 bits */
                                    0x29, 1,    2,    3,    4, 5, 6, 7, 8};
    assert_ok(check(bytes, sizeof bytes));
    assert_ok(check(bytes, 0));
    for (size_t n = 1; n < sizeof bytes; n++) {
        bool whole = n == 3 || n == 7 || n == 10 || n == 15;
        assert_int_equal(check(bytes, n), whole ? ASSAY_OK : ASSAY_E_FORMAT);
    }
}

static void test_broken(void **state) {
    (void)state;
    static const uint8_t group[] = {0x0b, 0x0c}, zero[] = {0x02, 0x00};
    static const uint8_t endless[] = {0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t huge[] = {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff,
                                   0xff, 0xff, 0xff, 0xff, 0x01, 0x00};
    assert_fails(ASSAY_E_FORMAT, check(group, sizeof group));
    assert_fails(ASSAY_E_FORMAT, check(zero, sizeof zero));
    assert_fails(ASSAY_E_FORMAT, check(endless, sizeof endless));
    assert_fails(ASSAY_E_FORMAT, check(huge, sizeof huge));
    assert_non_null(strstr(assay_last_error()->where, "offset 0"));
}

/* `depth` messages within one another; longest lengths take two bytes here. */
static size_t nested(uint8_t *out, size_t room, int depth) {
    size_t at = room;
    for (int i = 0; i < depth; i++) {
        size_t n = room - at;
        assert_true(at > 4 && n < 16384);
        if (n >= 128)
            out[--at] = (uint8_t)(n >> 7);
        out[--at] = (uint8_t)(n >= 128 ? n | 128 : n);
        out[--at] = 0x0a;
    }
    memmove(out, out + at, room - at);
    return room - at;
}

static void test_nesting(void **state) {
    (void)state;
    static uint8_t bytes[8192];
    assert_ok(check(bytes, nested(bytes, sizeof bytes, WIRE_MAX_DEPTH)));
    assert_fails(ASSAY_E_FORMAT,
                 check(bytes, nested(bytes, sizeof bytes, WIRE_MAX_DEPTH + 1)));
    assert_fails(ASSAY_E_FORMAT, check(bytes, nested(bytes, sizeof bytes, 2000)));
}

/* The same as an ONNX file: graph > node > attribute > graph > ... */
static void test_onnx_bomb(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    static uint8_t bytes[1 << 16];
    const uint8_t tags[3] = {0x0a /* node */, 0x2a /* attribute */, 0x32 /* graph */};
    size_t at = sizeof bytes;
    for (int i = 0; i < 3000; i++) {
        uint8_t head[4];
        size_t n = sizeof bytes - at, k = 0;
        head[k++] = i == 2999 ? 0x3a : tags[(2998 - i) % 3];
        for (; n >= 128; n >>= 7)
            head[k++] = (uint8_t)(n | 128);
        head[k++] = (uint8_t)n;
        at -= k;
        memcpy(bytes + at, head, k);
    }
    onnx_file *f;
    assert_fails(ASSAY_E_FORMAT,
                 onnx_parse(&f, ctx, bytes + at, sizeof bytes - at, "bomb"));
    assert_null(f);
    assert_non_null(strstr(assay_last_error()->message, "nested"));
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound), cmocka_unit_test(test_broken),
        cmocka_unit_test(test_nesting), cmocka_unit_test(test_onnx_bomb)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

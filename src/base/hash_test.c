/* Checksums against published vectors, in one piece and in many. */
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The bit-by-bit definition. */
static uint32_t crc_slow(const uint8_t *p, size_t n) {
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int b = 0; b < 8; b++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
    }
    return ~crc;
}

static void test_crc32c(void **state) {
    (void)state;
    uint8_t zeros[32] = {0}, ones[32], up[32], data[1000];
    memset(ones, 0xFF, sizeof ones);
    for (int i = 0; i < 32; i++)
        up[i] = (uint8_t)i;
    assert_int_equal(hash_crc32c(0, "123456789", 9), 0xE3069283);
    assert_int_equal(hash_crc32c(0, zeros, 32), 0x8A9136AA); /* RFC 3720, B.4 */
    assert_int_equal(hash_crc32c(0, ones, 32), 0x62A8AB43);
    assert_int_equal(hash_crc32c(0, up, 32), 0x46DD794E);
    assert_int_equal(hash_crc32c(0, "", 0), 0);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * i + i / 7);
    for (size_t n = 0; n < 100; n++)
        assert_int_equal(hash_crc32c(0, data + n, n * 9), crc_slow(data + n, n * 9));
    for (size_t cut = 0; cut <= 100; cut++)
        assert_int_equal(hash_crc32c(hash_crc32c(0, data, cut), data + cut, 1000 - cut),
                         crc_slow(data, 1000));
}

static void sha(char hex[65], const void *data, size_t n, size_t step) {
    hash_sha256 s;
    uint8_t digest[32];
    hash_sha256_init(&s);
    for (size_t i = 0; i < n; i += step)
        hash_sha256_add(&s, (const uint8_t *)data + i, n - i < step ? n - i : step);
    hash_sha256_end(&s, digest);
    hash_hex(hex, digest);
}

static void test_sha256(void **state) {
    (void)state;
    char hex[65], other[65];
    sha(hex, "", 0, 1);
    assert_string_equal(
        hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha(hex, "abc", 3, 3);
    assert_string_equal(
        hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha(hex, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, 56);
    assert_string_equal(
        hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    char *million = malloc(1000000);
    assert_non_null(million);
    memset(million, 'a', 1000000);
    sha(hex, million, 1000000, 4097);
    assert_string_equal(
        hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    for (size_t n = 0; n < 200; n++) { /* all ways across the block's end */
        sha(hex, million, n, n + 1);
        sha(other, million, n, 1 + n % 63);
        assert_string_equal(hex, other);
    }
    free(million);
}

static void test_sha256_fields(void **state) {
    (void)state;
    hash_sha256 a, b;
    uint8_t da[32], db[32];
    hash_sha256_init(&a);
    hash_sha256_u64(&a, 0x0102030405060708u);
    hash_sha256_str(&a, "hi");
    hash_sha256_end(&a, da);
    hash_sha256_init(&b);
    hash_sha256_add(&b, "\x08\x07\x06\x05\x04\x03\x02\x01\x02\0\0\0\0\0\0\0hi", 18);
    hash_sha256_end(&b, db);
    assert_memory_equal(da, db, 32);
}

int main(int argc, char **argv) {
    /* Once with the processor's instructions, once without: which are used is settled at
     * first use, hence a process of its own. */
    int failed = 0;
    if (argc == 2) {
        if (setenv("ASSAY_ISA", argv[1], 1) != 0)
            return 1;
    } else {
        char command[4096];
        (void)snprintf(command, sizeof command, "'%s' none", argv[0]);
        failed = system(command) != 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc32c),
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_sha256_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) + failed;
}

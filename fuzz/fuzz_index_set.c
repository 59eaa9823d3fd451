/* The set of JPEG indexes: open, look every sample up, store what was opened. An input is
 * run twice, the second time with the header's checksum set right, so that what lies
 * behind it is reached. */
#include "base/hash.h"
#include "base/le.h"
#include "data/load/jpeg_index.h"
#include "fuzz.h"

#include <string.h>

enum { HEAD = 64, CRC_AT = 60, SAMPLE_LIMIT = 300 };

static void run(const uint8_t *data, size_t n) {
    static const uint8_t jpeg[40] = {0xFF, 0xD8, 0xFF};
    jpeg_index_set *s;
    buf stored = buf_make(fuzz_ctx());
    if (jpeg_index_open_memory(&s, fuzz_ctx(), data, n) != ASSAY_OK)
        return;
    jpeg_index_facts facts = jpeg_index_describe(s);
    for (uint64_t i = 0; i < facts.samples && i < SAMPLE_LIMIT; i++) {
        jpeg_index index;
        if (jpeg_index_at(s, i, &index))
            fuzz_touch(index.data, index.bytes);
        if (jpeg_index_find(s, i, jpeg, sizeof jpeg, &index))
            fuzz_touch(index.data, index.bytes);
    }
    if (jpeg_index_store(s, &stored) == ASSAY_OK && stored.len != facts.bytes)
        abort();
    jpeg_index_close(s);
    buf_free(&stored);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    run(data, n);
    if (n < HEAD)
        return 0;
    uint8_t *copy = malloc(n);
    if (!copy)
        abort();
    memcpy(copy, data, n);
    le32_put(copy + CRC_AT, hash_crc32c(0, copy, CRC_AT));
    run(copy, n);
    free(copy);
    return 0;
}

/* Indexes as image/jpeg/index.c lays them out, of one entry, made of the 40 bytes above.
 */
bool fuzz_seed(buf *out, int i) {
    static const uint64_t samples[] = {0, 1, 5, 40};
    jpeg_index_set *s;
    if (i >= (int)(sizeof samples / sizeof samples[0]))
        return false;
    fuzz_must(jpeg_index_make(&s, fuzz_ctx(), samples[i], "image", 8));
    for (uint64_t k = 0; k < samples[i]; k += 1 + k % 3) {
        uint8_t bytes[42] = "JIX1";
        uint8_t jpeg[40] = {0xFF, 0xD8, 0xFF};
        le64_put(bytes + 8, sizeof jpeg);
        le32_put(bytes + 16, hash_crc32c(0, jpeg, sizeof jpeg));
        le32_put(bytes + 20, 30);
        le32_put(bytes + 24, 1);
        le16_put(bytes + 28, 1);
        bytes[30] = 8;
        bytes[31] = 3;
        bytes[33] = (uint8_t)k;
        le32_put(bytes + 4, hash_crc32c(0, bytes + 8, sizeof bytes - 8));
        jpeg_index index = {bytes, sizeof bytes};
        fuzz_must(jpeg_index_put(s, k, &index));
    }
    fuzz_must(jpeg_index_store(s, out));
    jpeg_index_close(s);
    return true;
}

/* .safetensors headers. */
#include "base/le.h"
#include "file/safetensors.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    st_file *f;
    st_tensor t;
    if (st_open_memory(&f, fuzz_ctx(), data, n, "input") != ASSAY_OK)
        return 0;
    for (size_t i = 0; i < st_count(f); i++) {
        t = st_at(f, i);
        fuzz_touch(t.data, t.bytes);
        fuzz_must(st_find(f, t.name, &t));
    }
    (void)st_metadata(f, "model");
    st_close(f);
    return 0;
}

bool fuzz_seed(buf *out, int i) {
    static const char *const headers[] = {
        "{\"__metadata__\":{\"model\":\"cnn\"},\"w\":{\"dtype\":\"F32\",\"shape\":[2,3],"
        "\"data_offsets\":[0,24]}}",
        "{\"b\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[8,16]},"
        "\"a\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},"
        "\"e\":{\"dtype\":\"U8\",\"shape\":[0,7],\"data_offsets\":[16,16]},"
        "\"c\":{\"dtype\":\"BOOL\",\"shape\":[2,2,2],\"data_offsets\":[16,24]}}   ",
        "{}",
    };
    static const size_t bytes[3] = {24, 24, 0};
    static const uint8_t zeros[24];
    uint8_t length[8];
    if (i >= 3)
        return false;
    le64_put(length, strlen(headers[i]));
    buf_add(out, length, 8);
    buf_str(out, headers[i]);
    buf_add(out, zeros, bytes[i]);
    return true;
}

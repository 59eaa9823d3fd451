/* .npy headers. */
#include "file/npy.h"
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    npy_array a;
    if (npy_parse(&a, data, n) == ASSAY_OK)
        fuzz_touch(a.data, a.bytes);
    return 0;
}

bool fuzz_seed(buf *out, int i) {
    static const char *const headers[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (), }",
        "{\"shape\":(24,),\"fortran_order\":False,\"descr\":\"|b1\"}",
        "{'descr': '>f8', 'fortran_order': True, 'shape': (1, 1, 3), }",
    };
    static const uint8_t bytes[4] = {24, 1, 24, 24};
    char file[512] = "\x93NUMPY\x01";
    if (i >= 4)
        return false;
    size_t text = strlen(headers[i]), start = (10 + text + 64) / 64 * 64;
    memset(file + 8, ' ', sizeof file - 8);
    file[8] = (char)(start - 10);
    file[9] = 0;
    memcpy(file + 10, headers[i], text);
    file[start - 1] = '\n';
    buf_add(out, file, start + bytes[i]);
    return true;
}

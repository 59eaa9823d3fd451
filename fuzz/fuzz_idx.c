/* The idx importer: an input becomes an images file and a labels file in a folder, packed
 * or not. Its first byte says how they are named, the next two how long the labels are.
 */
#include "data/importer.h"
#include "data_source.h"
#include "fuzz.h"

#include <string.h>

enum { HEAD = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static const char *const ends[] = {"", ".gz", ".xz"};
    if (n < HEAD)
        return 0;
    size_t labels = (size_t)(data[1] | data[2] << 8);
    labels = labels < n - HEAD ? labels : n - HEAD;
    char name[64];
    data_source s = data_source_begin();
    (void)snprintf(name, sizeof name, "t10k-labels-idx1-ubyte%s", ends[data[0] / 3 % 3]);
    data_source_put(&s, name, data + HEAD, labels);
    (void)snprintf(name, sizeof name, "t10k-images-idx3-ubyte%s", ends[data[0] % 3]);
    data_source_put(&s, name, data + HEAD + labels, n - HEAD - labels);
    data_source_run(&s, "idx", NULL);
    data_source_end(&s);
    return 0;
}

static void put_be32(buf *b, uint32_t v) {
    const uint8_t p[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),
                          (uint8_t)v};
    buf_add(b, p, 4);
}

/* 5 labels, 5 images of 4 x 3 (and 1 or 3 channels) */
bool fuzz_seed(buf *out, int i) {
    uint8_t head[HEAD] = {0, 13, 0}, zeros[180] = {0};
    if (i > 2)
        return false;
    buf_add(out, head, HEAD);
    put_be32(out, 0x801);
    put_be32(out, 5);
    buf_add(out, "\0\1\2\1\0", 5);
    put_be32(out, i == 0 ? 0x803 : 0x804);
    put_be32(out, 5);
    put_be32(out, 4);
    put_be32(out, 3);
    if (i > 0)
        put_be32(out, i == 1 ? 1 : 3);
    buf_add(out, zeros, i == 2 ? 180 : 60);
    return true;
}

/* The CIFAR-10 importer: an input becomes a batch, packed or not, and the class names
 * beside it. Its first byte says how the batch is named, the second how long the names
 * are. */
#include "data/importer.h"
#include "data_source.h"
#include "fuzz.h"

#include <string.h>

enum { HEAD = 2, RECORD = 3073 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static const char *const ends[] = {"", ".gz", ".xz"};
    if (n < HEAD)
        return 0;
    size_t names = data[1] < n - HEAD ? data[1] : n - HEAD;
    char name[64];
    data_source s = data_source_begin();
    (void)snprintf(name, sizeof name, "data_batch_1.bin%s", ends[data[0] % 3]);
    if (names > 0)
        data_source_put(&s, "batches.meta.txt", data + HEAD, names);
    data_source_put(&s, name, data + HEAD + names, n - HEAD - names);
    data_source_run(&s, "cifar10");
    data_source_end(&s);
    return 0;
}

bool fuzz_seed(buf *out, int i) {
    static const char names[] = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n";
    uint8_t head[HEAD] = {0, i == 1 ? sizeof names - 1 : 0}, record[RECORD] = {3};
    if (i > 1)
        return false;
    buf_add(out, head, HEAD);
    buf_add(out, names, head[1]);
    buf_add(out, record, RECORD);
    record[0] = 9;
    buf_add(out, record, RECORD);
    return true;
}

/* The importers of CIFAR-10 and CIFAR-100: an input becomes a batch, packed or not, and
 * the class names beside it. Its first byte says which and how the batch is named, the
 * second how long the names are. */
#include "data/importer.h"
#include "data_source.h"
#include "fuzz.h"

#include <string.h>

enum { HEAD = 2, RECORD = 3074 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static const char *const ends[] = {"", ".gz", ".xz"};
    if (n < HEAD)
        return 0;
    bool hundred = data[0] / 3 % 2;
    size_t names = data[1] < n - HEAD ? data[1] : n - HEAD;
    char name[64];
    data_source s = data_source_begin();
    (void)snprintf(name, sizeof name, "%s.bin%s", hundred ? "train" : "data_batch_1",
                   ends[data[0] % 3]);
    if (names > 0)
        data_source_put(&s, hundred ? "fine_label_names.txt" : "batches.meta.txt",
                        data + HEAD, names);
    data_source_put(&s, name, data + HEAD + names, n - HEAD - names);
    data_source_run(&s, hundred ? "cifar100" : "cifar10", NULL);
    data_source_end(&s);
    return 0;
}

bool fuzz_seed(buf *out, int i) {
    static const char names[] = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n";
    bool hundred = i == 2;
    uint8_t head[HEAD] = {hundred ? 3 : 0, i == 1 ? sizeof names - 1 : 0};
    uint8_t record[RECORD] = {3, 9};
    if (i > 2)
        return false;
    buf_add(out, head, HEAD);
    buf_add(out, names, head[1]);
    buf_add(out, record, RECORD - !hundred);
    record[0] = 9;
    buf_add(out, record, RECORD - !hundred);
    return true;
}

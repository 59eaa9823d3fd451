/* The importer of WebDataset shards, and the reader of tar below it: an input becomes a
 * shard, packed or not. Its first byte says how it is named; if that is odd, the check
 * sums of headers are set right first, so that what lies behind them is reached. */
#include "data/importer.h"
#include "data_source.h"
#include "fuzz.h"

#include <string.h>

enum { BLOCK = 512, AT_SUM = 148 };

static void set_sum(uint8_t *h) {
    unsigned sum = 0;
    memset(h + AT_SUM, ' ', 8);
    for (size_t i = 0; i < BLOCK; i++)
        sum += h[i];
    (void)snprintf((char *)h + AT_SUM, 8, "%06o", sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static const char *const ends[] = {"", ".gz", ".zst"};
    if (n == 0)
        return 0;
    char name[32];
    uint8_t *tar = malloc(n);
    if (tar == NULL)
        abort();
    memcpy(tar, data + 1, n - 1);
    for (size_t at = 0; data[0] % 2 == 1 && at + BLOCK <= n - 1; at += BLOCK)
        if (memcmp(tar + at + 257, "ustar", 5) == 0)
            set_sum(tar + at);
    data_source s = data_source_begin();
    (void)snprintf(name, sizeof name, "test-0.tar%s", ends[data[0] / 2 % 3]);
    data_source_put(&s, name, tar, n - 1);
    data_source_run(&s, "webdataset", NULL);
    data_source_end(&s);
    free(tar);
    return 0;
}

static void put(buf *out, const char *name, char type, const void *data, size_t n) {
    uint8_t h[BLOCK] = {0}, zeros[BLOCK] = {0};
    (void)snprintf((char *)h, 100, "%s", name);
    (void)snprintf((char *)h + 124, 12, "%011o", (unsigned)n);
    h[156] = (uint8_t)type;
    memcpy(h + 257, "ustar", 6);
    memcpy(h + 263, "00", 2);
    set_sum(h);
    buf_add(out, h, BLOCK);
    buf_add(out, data, n);
    buf_add(out, zeros, (BLOCK - n % BLOCK) % BLOCK);
}

static void put_text(buf *out, const char *name, char type, const char *text) {
    put(out, name, type, text, strlen(text));
}

/* An .npy of one int64, or of two floats. */
static void put_array(buf *out, const char *name, bool whole) {
    char file[144];
    memset(file, ' ', sizeof file);
    memcpy(file, "\x93NUMPY\x01\x00\x76\x00", 10);
    const char *head = whole ? "{'descr': '<i8', 'fortran_order': False, 'shape': (), }"
                             : "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}";
    memcpy(file + 10, head, strlen(head));
    file[127] = '\n';
    memset(file + 128, 1, 8);
    put(out, name, '0', file, 136);
}

bool fuzz_seed(buf *out, int i) {
    static const uint8_t end[2 * BLOCK] = {0};
    uint8_t head = i == 1 ? 1 : 0;
    if (i > 2)
        return false;
    buf_add(out, &head, 1);
    if (i == 0) {
        put_text(out, "a/1.jpg", '0', "x");
        put_text(out, "a/1.cls", '0', "1\n");
        put_text(out, "a/1.json", '0', "{}");
        put_text(out, "a/1.cap.txt", '0', "y");
    } else if (i == 1) {
        put_text(out, "long", 'L', "a-long-name.npy");
        put_array(out, "cut", false);
        put_array(out, "a-long-name.n.npy", true);
        put_text(out, "pax", 'x', "14 path=b.npy\n12 size=136\n");
        put_array(out, "cut", false);
        put_text(out, "pax", 'x', "16 path=b.n.npy\n");
        put_array(out, "cut", true);
    } else {
        put_text(out, "labels.csv", '0',
                 "path,label,name,split\ntrain/1.png,0,a,val\ntrain/2.png,1,b,test\n");
        put_text(out, "link", '2', "");
        put_text(out, "train/1.png", '0', "x");
        put_text(out, "train/2.PNG", '0', "");
    }
    buf_add(out, end, sizeof end);
    return true;
}

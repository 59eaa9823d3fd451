/* The importer of NumPy's arrays: an input becomes an .npz, or an array of images and one
 * of labels. Its first byte says which, and, with the second, where the labels begin. */
#include "base/le.h"
#include "data/importer.h"
#include "data_source.h"
#include "fuzz.h"

#include <string.h>

enum { HEAD = 2 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (n < HEAD)
        return 0;
    data_source s = data_source_begin();
    size_t images = (size_t)(data[0] / 2 << 8 | data[1]);
    images = images < n - HEAD ? images : n - HEAD;
    if (data[0] % 2 == 0) {
        data_source_put(&s, "a.npz", data + HEAD, n - HEAD);
        data_source_run(&s, "npy", "a.npz");
    } else {
        data_source_put(&s, "x_test.npy", data + HEAD, images);
        data_source_put(&s, "y_test.npy", data + HEAD + images, n - HEAD - images);
        data_source_run(&s, "npy", NULL);
    }
    data_source_end(&s);
    return 0;
}

static void put_array(buf *out, const char *type, const char *shape, size_t bytes) {
    char file[192];
    memset(file, ' ', sizeof file);
    memcpy(file, "\x93NUMPY\x01\x00\x76\x00", 10);
    int n =
        snprintf(file + 10, 118, "{'descr': '%s', 'fortran_order': False, 'shape': (%s)}",
                 type, shape);
    file[10 + n] = ' ';
    file[127] = '\n';
    for (size_t i = 0; i < bytes; i++)
        file[128 + i] = (char)(i % 2);
    buf_add(out, file, 128 + bytes);
}

/* One stored member, and its entry in the directory. */
static void
put_member(buf *out, size_t start, buf *directory, const char *name, const buf *data) {
    uint8_t local[30] = {'P', 'K', 3, 4, 20}, entry[46] = {'P', 'K', 1, 2, 20, 0, 20};
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < data->len; i++) {
        crc ^= (uint8_t)data->data[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    le32_put(local + 14, ~crc);
    le32_put(local + 18, (uint32_t)data->len);
    le32_put(local + 22, (uint32_t)data->len);
    le16_put(local + 26, (uint16_t)strlen(name));
    memcpy(entry + 16, local + 14, 12);
    le16_put(entry + 28, (uint16_t)strlen(name));
    le32_put(entry + 42, (uint32_t)(out->len - start));
    buf_add(directory, entry, sizeof entry);
    buf_str(directory, name);
    buf_add(out, local, sizeof local);
    buf_str(out, name);
    buf_add(out, data->data, data->len);
}

static void put_zip(buf *out, const buf *x, const buf *y) {
    uint8_t end[22] = {'P', 'K', 5, 6, 0, 0, 0, 0, 2, 0, 2};
    buf directory = buf_make(fuzz_ctx());
    size_t start = out->len;
    put_member(out, start, &directory, "x_train.npy", x);
    put_member(out, start, &directory, "y_train.npy", y);
    le32_put(end + 12, (uint32_t)directory.len);
    le32_put(end + 16, (uint32_t)(out->len - start));
    buf_add(out, directory.data, directory.len);
    buf_add(out, end, sizeof end);
    buf_free(&directory);
}

bool fuzz_seed(buf *out, int i) {
    uint8_t head[HEAD] = {i == 0 ? 0 : 1, 0};
    buf x = buf_make(fuzz_ctx()), y = buf_make(fuzz_ctx());
    if (i > 2)
        return false;
    if (i == 2)
        put_array(&x, "<f4", "2, 4", 32);
    else
        put_array(&x, "|u1", "2, 3, 2, 4", 48);
    put_array(&y, i == 0 ? "<i2" : "|u1", "2,", i == 0 ? 4 : 2);
    head[1] = (uint8_t)x.len;
    buf_add(out, head, HEAD);
    if (i == 0) {
        put_zip(out, &x, &y);
    } else {
        buf_add(out, x.data, x.len);
        buf_add(out, y.data, y.len);
    }
    buf_free(&x);
    buf_free(&y);
    return true;
}

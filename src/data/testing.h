/* What the tests of this room share: small sources of each kind, written by hand. For
 * *_test.c. */
#ifndef DATA_TESTING_H
#define DATA_TESTING_H

#include "base/testing.h"

#include "base/buf.h"
#include "base/le.h"
#include "data/importer.h"

static inline void put_be32(buf *b, uint32_t v) {
    const uint8_t p[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),
                          (uint8_t)v};
    buf_add(b, p, 4);
}

/* Pixel i of image k, in every source made here. */
static inline uint8_t test_pixel(size_t k, size_t i) {
    return (uint8_t)(k * 31 + i * 7 + (k * i) % 13);
}

static inline uint8_t test_label(size_t k) {
    return (uint8_t)(k % 3);
}

static inline void idx_images(buf *b, uint32_t n, uint32_t h, uint32_t w) {
    put_be32(b, 0x00000803);
    put_be32(b, n);
    put_be32(b, h);
    put_be32(b, w);
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < (size_t)h * w; i++) {
            uint8_t v = test_pixel(k, i);
            buf_add(b, &v, 1);
        }
}

static inline void idx_labels(buf *b, uint32_t n) {
    put_be32(b, 0x00000801);
    put_be32(b, n);
    for (size_t k = 0; k < n; k++) {
        uint8_t v = test_label(k);
        buf_add(b, &v, 1);
    }
}

/* gzip without compression: one stored block per 65535 bytes. */
static inline void gzip_stored(buf *out, const void *data, size_t n) {
    static const uint8_t head[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
    const uint8_t *p = data;
    uint32_t crc = 0xffffffff;
    uint8_t word[4];
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    buf_add(out, head, sizeof head);
    for (size_t at = 0; at < n || at == 0; at += 65535) {
        size_t len = n - at < 65535 ? n - at : 65535;
        uint8_t block[5] = {at + len == n};
        le16_put(block + 1, (uint16_t)len);
        le16_put(block + 3, (uint16_t)~len);
        buf_add(out, block, 5);
        buf_add(out, p + at, len);
    }
    le32_put(word, ~crc);
    buf_add(out, word, 4);
    le32_put(word, (uint32_t)n);
    buf_add(out, word, 4);
}

static inline void cifar_records(buf *b, size_t n, size_t first) {
    for (size_t k = first; k < first + n; k++) {
        uint8_t label = (uint8_t)(k % 10);
        buf_add(b, &label, 1);
        for (size_t i = 0; i < 3072; i++) {
            uint8_t v = test_pixel(k, i);
            buf_add(b, &v, 1);
        }
    }
}

static inline void cifar100_records(buf *b, size_t n, size_t first) {
    for (size_t k = first; k < first + n; k++) {
        uint8_t labels[2] = {(uint8_t)(k % 20), (uint8_t)(k * 7 % 100)};
        buf_add(b, labels, 2);
        for (size_t i = 0; i < 3072; i++) {
            uint8_t v = test_pixel(k, i);
            buf_add(b, &v, 1);
        }
    }
}

static inline void
put_in(const test_scratch *s, const char *name, const void *data, size_t n) {
    test_path p = test_in(s, name);
    char *slash = strrchr(p.text, '/');
    *slash = '\0';
    assert_ok(os_mkdirs(p.text));
    *slash = '/';
    test_put(p.text, data, n);
}

static inline void put_buf(const test_scratch *s, const char *name, buf *b) {
    assert_ok(buf_check(b));
    put_in(s, name, b->data, b->len);
    buf_free(b);
}

/* A member's header, by ustar. */
static inline void test_tar_header(buf *b, const char *name, char type, uint64_t bytes) {
    uint8_t h[512] = {0};
    unsigned sum = 0;
    memcpy(h, name, strlen(name) < 100 ? strlen(name) : 100);
    snprintf((char *)h + 100, 8, "0000644");
    snprintf((char *)h + 108, 8, "0000000");
    snprintf((char *)h + 116, 8, "0000000");
    for (int i = 0; i < 11; i++)
        h[124 + i] = (uint8_t)('0' + (bytes >> 3 * (10 - i) & 7));
    snprintf((char *)h + 136, 12, "00000000000");
    h[156] = (uint8_t)type;
    memcpy(h + 257,
           "ustar\0"
           "00",
           8);
    memset(h + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++)
        sum += h[i];
    snprintf((char *)h + 148, 8, "%06o", sum);
    buf_add(b, h, 512);
}

static inline void tar_member_put(buf *b, const char *name, const void *data, size_t n) {
    static const uint8_t zeros[512] = {0};
    size_t long_name = strlen(name) + 1;
    if (long_name > 101) { /* as GNU tar writes it */
        test_tar_header(b, "././@LongLink", 'L', long_name);
        buf_add(b, name, long_name);
        buf_add(b, zeros, (512 - long_name % 512) % 512);
    }
    test_tar_header(b, name, '0', n);
    buf_add(b, data, n);
    buf_add(b, zeros, (512 - n % 512) % 512);
}

static inline void test_tar_text(buf *b, const char *name, const char *text) {
    tar_member_put(b, name, text, strlen(text));
}

static inline void test_tar_end(buf *b) {
    static const uint8_t zeros[1024] = {0};
    buf_add(b, zeros, sizeof zeros);
}

/* A source that is open. */
typedef struct test_source {
    const data_importer *importer;
    void *state;
    import_list list;
} test_source;

static inline assay_status
test_source_open(test_source *o, assay_ctx *ctx, const char *path) {
    assay_status status = importer_detect(&o->importer, ctx, path);
    o->list = import_list_make(ctx);
    o->state = NULL;
    if (status == ASSAY_OK)
        status = o->importer->open(&o->state, &o->list, ctx, path);
    if (status == ASSAY_OK)
        status = import_list_check(&o->list, path);
    return status;
}

static inline void test_source_close(test_source *o) {
    if (o->importer != NULL)
        o->importer->close(o->state);
    import_list_free(&o->list);
}

/* Opening must fail with this status, these words and this place. */
static inline void assert_refused(assay_ctx *ctx,
                                  const char *path,
                                  assay_status code,
                                  const char *what,
                                  const char *where) {
    test_source o;
    assert_fails(code, test_source_open(&o, ctx, path));
    const assay_error *e = assay_last_error();
    if (strstr(e->message, what) == NULL || strstr(e->where, where) == NULL)
        fail_msg("'%s' at '%s', expected '%s' at '%s'", e->message, e->where, what,
                 where);
    test_source_close(&o);
}

/* train and t10k of so many 5 x 4 images. */
static inline void
put_idx_set(assay_ctx *ctx, const test_scratch *s, uint32_t train, uint32_t test) {
    buf b = buf_make(ctx);
    idx_images(&b, train, 5, 4);
    put_buf(s, "train-images-idx3-ubyte", &b);
    idx_labels(&b, train);
    put_buf(s, "train-labels-idx1-ubyte", &b);
    if (test == 0)
        return;
    idx_images(&b, test, 5, 4);
    put_buf(s, "t10k-images-idx3-ubyte", &b);
    idx_labels(&b, test);
    put_buf(s, "t10k-labels-idx1-ubyte", &b);
}

#endif

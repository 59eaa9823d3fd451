/* The toy set as files, for tests that begin with a source on disk. */
#ifndef TRAIN_TESTING_SOURCE_H
#define TRAIN_TESTING_SOURCE_H

#include "train/testing.h"

enum { SIDE = TOY_SIDE, TRAIN = 120, TEST = 40, IMAGE = SIDE * SIDE };

static inline void be32(uint8_t *p, uint32_t v) {
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static inline void
put_split(const char *folder, const char *split, const toy *t, size_t first, size_t n) {
    char path[600];
    uint8_t *bytes = calloc(16 + n, IMAGE);
    assert_non_null(bytes);
    be32(bytes, 0x803);
    be32(bytes + 4, (uint32_t)n);
    be32(bytes + 8, SIDE);
    be32(bytes + 12, SIDE);
    memcpy(bytes + 16, t->pixels.data + first * IMAGE, n * IMAGE);
    (void)snprintf(path, sizeof path, "%s/%s-images-idx3-ubyte", folder, split);
    test_put(path, bytes, 16 + n * IMAGE);
    be32(bytes, 0x801);
    for (size_t i = 0; i < n; i++)
        bytes[8 + i] = (uint8_t)t->labels[first + i];
    (void)snprintf(path, sizeof path, "%s/%s-labels-idx1-ubyte", folder, split);
    test_put(path, bytes, 8 + n);
    free(bytes);
}

/* A folder of idx files, as MNIST's. */
static inline test_path
source_make(const test_scratch *s, const char *name, size_t train) {
    test_path p = test_in(s, name);
    assert_ok(os_mkdirs(p.text));
    toy *t = toy_make(NULL, TRAIN + TEST, "mlp");
    put_split(p.text, "train", t, 0, train);
    put_split(p.text, "t10k", t, TRAIN, TEST);
    toy_free(t);
    return p;
}

#endif

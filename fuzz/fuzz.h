/* What a fuzz target gives: one input's run, and seeds made by the library's own writers.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include "base/buf.h"

#include <stdlib.h>

/* Runs one input. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Appends seed number `i` (from 0) to `out`; false when there are no more. */
bool fuzz_seed(buf *out, int i);

/* One context for all runs, single-threaded. */
static inline assay_ctx *fuzz_ctx(void) {
    static assay_ctx *ctx;
    assay_ctx_options options = ASSAY_CTX_OPTIONS_INIT;
    options.threads = 1;
    if (!ctx && assay_ctx_create(&ctx, &options) != ASSAY_OK)
        abort();
    return ctx;
}

/* Reads every byte, so that the sanitizer sees ranges that reach too far. */
static inline void fuzz_touch(const void *data, size_t n) {
    static volatile uint8_t sink;
    const uint8_t *p = data;
    uint8_t x = 0;
    for (size_t i = 0; i < n; i++)
        x ^= p[i];
    sink = x;
    (void)sink;
}

/* A seed that can't be made is a bug of the target. */
static inline void fuzz_must(assay_status status) {
    if (status != ASSAY_OK)
        abort();
}

#endif

/* A growing byte buffer: text is built in it. Failure sticks: append freely, check once.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/ctx.h"

typedef struct buf {
    assay_ctx *ctx;
    char *data; /* always NUL-terminated once something was added */
    size_t len, cap;
    bool failed;
} buf;

buf buf_make(assay_ctx *ctx);
void buf_free(buf *b);
void buf_add(buf *b, const void *bytes, size_t n);
void buf_str(buf *b, const char *text);
void buf_fmt(buf *b, const char *fmt, ...) ASSAY_PRINTF(2, 3);
void buf_clear(buf *b); /* keeps the memory */
/* NOMEM if any append failed. */
ASSAY_MUST_CHECK assay_status buf_check(const buf *b);

#endif

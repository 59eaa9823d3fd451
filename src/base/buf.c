/* The growing byte buffer. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

buf buf_make(assay_ctx *ctx) {
    return (buf){.ctx = ctx};
}

void buf_free(buf *b) {
    if (b->ctx)
        mem_free(b->ctx, b->data);
    *b = (buf){.ctx = b->ctx};
}

void buf_clear(buf *b) {
    b->len = 0;
    b->failed = false;
    if (b->data)
        b->data[0] = '\0';
}

/* Makes room for n bytes and a NUL behind them. */
static bool buf_room(buf *b, size_t n) {
    if (b->failed)
        return false;
    if (n < b->cap - b->len) /* strictly: the NUL */
        return true;
    if (n > SIZE_MAX / 2 - b->len - 1 ||
        mem_grow(b->ctx, &b->data, b->len, &b->cap, b->len + n + 1, 1) != ASSAY_OK)
        b->failed = true;
    return !b->failed;
}

void buf_add(buf *b, const void *bytes, size_t n) {
    if (!buf_room(b, n))
        return;
    if (n)
        memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void buf_str(buf *b, const char *text) {
    buf_add(b, text, strlen(text));
}

void buf_fmt(buf *b, const char *fmt, ...) {
    char small[256];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    if (n < 0) {
        b->failed = true;
    } else if ((size_t)n < sizeof small) {
        buf_add(b, small, (size_t)n);
    } else if (buf_room(b, (size_t)n)) {
        va_start(args, fmt);
        (void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, args);
        va_end(args);
        b->len += (size_t)n;
    }
}

assay_status buf_check(const buf *b) {
    if (b->failed)
        return err_set(ASSAY_E_NOMEM, "no memory for %zu bytes of text", b->len);
    return ASSAY_OK;
}

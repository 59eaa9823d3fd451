/* Bytes of a file, unpacked on the way if it is gzip, xz or zstd. One-way reading; what
 * it says of its own length is not believed: the reader asks for what it wants. Adapter:
 * libarchive.c. */
#ifndef DATA_STREAM_H
#define DATA_STREAM_H

#include "base/ctx.h"

typedef struct stream stream;

/* NOTFOUND, IO, FORMAT, NOMEM. */
ASSAY_MUST_CHECK assay_status stream_open(stream **out, assay_ctx *ctx, const char *path);
/* The same over bytes in memory (borrowed), called `name` in errors. */
ASSAY_MUST_CHECK assay_status stream_open_memory(
    stream **out, assay_ctx *ctx, const void *bytes, size_t n, const char *name);
/* Fills `dst`; *got < n at the end of the data only. FORMAT, naming file and byte, when
 * the packed data are damaged or end early. */
ASSAY_MUST_CHECK assay_status stream_read(stream *s, void *dst, size_t n, size_t *got);
/* All that is left, up to `limit` bytes (FORMAT above): *out is the caller's, *bytes its
 * length. Memory grows with what arrives. */
ASSAY_MUST_CHECK assay_status stream_rest(stream *s,
                                          size_t limit,
                                          uint8_t **out,
                                          size_t *bytes);
uint64_t stream_at(const stream *s); /* bytes handed out so far */
const char *stream_name(const stream *s);
void stream_close(stream *s); /* accepts NULL */

#endif

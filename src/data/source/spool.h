/* A source file as bytes in memory that is not ours to count: mapped where it lies, or,
 * if it is packed, unpacked into a nameless temporary file first (base/os.h) and mapped
 * from there. */
#ifndef DATA_SPOOL_H
#define DATA_SPOOL_H

#include "base/os.h"

typedef struct spool {
    const uint8_t *data; /* NULL when bytes is 0 */
    size_t bytes;
    bool packed;
    os_map map;
} spool;

/* Whether the name's end says gzip, xz or zstd (".gz", ".tgz", ".xz", ".zst"). */
bool spool_is_packed(const char *name);
/* By the name's end. Unpacked data are refused (FORMAT) beyond 1,100 times the packed
 * size, which no gzip reaches, and 16 MB. Where packed data are damaged or end early,
 * `out` holds what came before that and is to be closed all the same. */
ASSAY_MUST_CHECK assay_status spool_open(spool *out, assay_ctx *ctx, const char *path);
/* From bytes that `read` hands out (`got` 0: the end), `limit` of them at most. */
typedef assay_status (*spool_read)(void *from, void *dst, size_t n, size_t *got);
ASSAY_MUST_CHECK assay_status
spool_fill(spool *out, spool_read read, void *from, uint64_t limit, const char *name);
void spool_close(spool *s); /* accepts a zeroed one */

#endif

/* Where a payload's bytes come from: the mapped file (the system's page cache), or pieces
 * of pages read by threads of our own into a bounded cache, by a schedule over the epoch.
 * One interface; other kinds (remote files) come as another reader. */
#ifndef DATA_PAGES_H
#define DATA_PAGES_H

#include "file/beton.h"

typedef struct page_source page_source;

/* "map" or "read". `cache_bytes` and `threads` are of "read": 0 chooses (256 MB at most;
 * 4), -1 threads reads only when asked. The file stays open as long as the source.
 *
 * "map" looks at the file's size when it opens it. When somebody cuts the file short
 * later, touching what is gone ends the process with SIGBUS, as with any mapped file;
 * "read" gives an error. */
ASSAY_MUST_CHECK assay_status page_source_create(page_source **out,
                                                 assay_ctx *ctx,
                                                 beton_file *f,
                                                 const char *kind,
                                                 uint64_t cache_bytes,
                                                 int threads);

/* What "read" reads from, and tests put in between. Called from several threads. */
typedef struct page_reader {
    /* Like pread: bytes read, perhaps fewer than n; 0: the end; -errno: an error. */
    int64_t (*read_at)(void *arg, void *buf, uint64_t n, uint64_t offset);
    void (*close)(void *arg); /* by page_source_destroy, and if creating fails; or NULL */
    void *arg;
    const char *name; /* for errors; borrowed */
    uint64_t bytes;   /* of the file */
} page_reader;
/* "read" over any reader. `f` tells where payloads lie: its metadata stays mapped. */
ASSAY_MUST_CHECK assay_status page_source_create_on(page_source **out,
                                                    assay_ctx *ctx,
                                                    beton_file *f,
                                                    const page_reader *reader,
                                                    uint64_t cache_bytes,
                                                    int threads);
void page_source_destroy(page_source *p); /* accepts NULL; stops reading threads */

/* Where a sample's payload lies, whatever the kind. FORMAT as beton_payload; 0 bytes for
 * a field without payload. @threads safe */
ASSAY_MUST_CHECK assay_status page_locate(
    const beton_file *f, uint64_t sample, int field, uint64_t *offset, uint64_t *bytes);

/* The epoch's schedule: samples will be asked for in about this order. `row_at(arg, i)`
 * is the sample at place i of n, or UINT64_MAX for none (a row of another file); the
 * reading threads ask it until the next call of this function or of destroy: call it with
 * NULL before what it looks at changes. `fields` [n_fields] are those whose payloads will
 * be acquired, for every place once; twice, if listed twice. (Else reading ahead only
 * loses its way.) NULL: all, once. The schedule is worked out as reading goes on, a
 * bounded way ahead. NULL row_at: none. */
ASSAY_MUST_CHECK assay_status page_source_epoch(page_source *p,
                                                uint64_t (*row_at)(const void *arg,
                                                                   uint64_t i),
                                                const void *arg,
                                                uint64_t n,
                                                const int *fields,
                                                int n_fields);

/* The bytes [offset, offset + bytes) of the file, held until released. Blocks until they
 * are there. IO names offset and file (also for a file cut short or an error of the
 * disk).
 * @threads safe */
typedef struct page_hold {
    const uint8_t *data;
    void *slot;   /* of the cache; NULL: nothing to release */
    uint8_t *own; /* a payload that crosses pieces, copied */
} page_hold;
ASSAY_MUST_CHECK assay_status page_acquire(page_source *p,
                                           uint64_t offset,
                                           uint64_t bytes,
                                           page_hold *out);
void page_release(page_source *p, page_hold *h); /* accepts a zeroed one */

typedef struct page_stats {
    uint64_t bytes_read, pages_read; /* pages: pieces of the cache */
    uint64_t waits;                  /* acquisitions that had to wait */
    uint64_t cache_bytes;            /* the cache's memory now, which is its most */
    double read_seconds;             /* of all threads, in the reader */
} page_stats;
page_stats page_source_stats(page_source *p);

#endif

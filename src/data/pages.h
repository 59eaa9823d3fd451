/* Where a payload's bytes come from: the mapped file (the system's page cache), or pages
 * read by threads of our own into a bounded cache, by a schedule over the epoch. One
 * interface; other kinds (remote files) can be added. */
#ifndef DATA_PAGES_H
#define DATA_PAGES_H

#include "file/beton.h"

typedef struct page_source page_source;

/* "map" or "read". `cache_bytes` and `threads` are of "read"; 0: chosen. The file stays
 * open as long as the source. */
ASSAY_MUST_CHECK assay_status page_source_create(page_source **out,
                                                 assay_ctx *ctx,
                                                 beton_file *f,
                                                 const char *kind,
                                                 uint64_t cache_bytes,
                                                 int threads);
void page_source_destroy(page_source *p); /* accepts NULL; stops reading threads */

/* The epoch's schedule: samples will be asked for in about this order. `row_at(arg, i)`
 * is the sample at place i of n. The schedule is worked out as reading goes on, a bounded
 * way ahead. NULL row_at: none. */
ASSAY_MUST_CHECK assay_status page_source_epoch(page_source *p,
                                                uint64_t (*row_at)(const void *arg,
                                                                   uint64_t i),
                                                const void *arg,
                                                uint64_t n);

/* The bytes [offset, offset + bytes) of the file, held until released. Blocks until they
 * are there. IO names offset and file (also for a file cut short or an error of the
 * disk).
 * @threads safe */
typedef struct page_hold {
    const uint8_t *data;
    void *slot;   /* of the cache; NULL: nothing to release */
    uint8_t *own; /* a payload that crosses pages, copied */
} page_hold;
ASSAY_MUST_CHECK assay_status page_acquire(page_source *p,
                                           uint64_t offset,
                                           uint64_t bytes,
                                           page_hold *out);
void page_release(page_source *p, page_hold *h);

typedef struct page_stats {
    uint64_t bytes_read, pages_read, waits;
    double read_seconds;
} page_stats;
page_stats page_source_stats(page_source *p);

#endif

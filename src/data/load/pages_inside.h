/* Inside of the source of pages: what pages.c and page_ahead.c share. */
#ifndef DATA_PAGES_INSIDE_H
#define DATA_PAGES_INSIDE_H

#include "data/load/page_cache.h"
#include "data/load/pages.h"

#include <pthread.h>

enum { PAGES_MOST_THREADS = 256, PAGES_RING = 1 << 16 /* uses planned ahead */ };

/* Memory for a payload in one piece; the bytes follow. */
typedef struct own_buffer {
    struct own_buffer *next;
    uint64_t bytes;
    uint8_t pad[48]; /* so that the bytes are aligned to 64 */
} own_buffer;

struct page_source {
    assay_ctx *ctx;
    beton_file *f;
    os_map map;     /* of "map" all, of "read" the descriptor */
    bool cached;    /* "read" */
    page_reader in; /* of "read" */
    int threads, started;
    pthread_t thread[PAGES_MOST_THREADS];
    bool sync_made;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t work;  /* there may be something to read or to plan */
    pthread_cond_t ready; /* a piece came or failed; planning came to a pause */
    bool closing, planning, changing; /* changing: the epoch, when planning paused */
    page_cache cache;
    uint64_t (*row_at)(const void *arg, uint64_t i);
    const void *arg;
    uint64_t places, next_place;         /* of the epoch */
    uint64_t next_turn, acquired;        /* payloads found by planning; acquired */
    int field[BETON_MAX_FIELDS], fields; /* that are acquired for each place */
    own_buffer *own;
    int own_kept;
    page_stats stats;
};

/* All n bytes through the reader, with its errors put into words. Takes no lock. */
ASSAY_MUST_CHECK assay_status
pages_read(page_source *p, uint8_t *to, uint64_t n, uint64_t offset, double *seconds);
/* Fills a slot that was taken, or frees it. Lock held, but not while reading. */
assay_status pages_fill_slot(page_source *p, int s);

/* ---- page_ahead.c ---- */
ASSAY_MUST_CHECK assay_status pages_start_threads(page_source *p);
void pages_stop_threads(page_source *p);
/* Wakes one if there is something to do. Lock held. */
void pages_call_threads(page_source *p);

#endif

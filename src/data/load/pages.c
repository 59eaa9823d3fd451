/* The source of pages: a mapped file, or a cache filled by threads that read ahead of the
 * consumer, and by the consumer itself where they are not fast enough.
 *
 * A thread that fails to read something drops it; the one who needs it reads it again and
 * has the error. So no error is lost, and none is told to the wrong one. */
#include "base/le.h"
#include "data/load/pages_inside.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PIECE_BYTES = 1 << 15,
    LEAST_PIECE_BYTES = 1 << 12,
    LEAST_SLOTS = 16, /* pieces get smaller until there are as many */
    CACHE_BYTES = 1 << 28,
    THREADS = 4,
    LAG = 1 << 14,       /* turns so long ago were left out */
    OWN_KEPT = 64,       /* buffers kept for reuse */
    OWN_ROUND = 1 << 15, /* their sizes */
};

/* ---- reading ---- */

static int64_t read_file(void *arg, void *buf, uint64_t n, uint64_t offset) {
    const page_source *p = arg;
    ssize_t got = pread(p->map.fd, buf, n, (off_t)offset);
    return got < 0 ? -errno : got;
}

assay_status
pages_read(page_source *p, uint8_t *to, uint64_t n, uint64_t offset, double *seconds) {
    assay_status status = ASSAY_OK;
    uint64_t began = os_now_ns(), had = 0;
    while (had < n && status == ASSAY_OK) {
        int64_t got = p->in.read_at(p->in.arg, to + had, n - had, offset + had);
        if (got > 0)
            had += (uint64_t)got <= n - had ? (uint64_t)got : n - had;
        else if (got == 0)
            status = err_set(ASSAY_E_IO,
                             "the file ends here, but had %" PRIu64
                             " bytes when it was opened",
                             p->in.bytes);
        else if (got != -EINTR)
            status =
                err_errno(ASSAY_E_IO, (int)-got, "can't read %" PRIu64 " bytes", n - had);
    }
    if (status != ASSAY_OK)
        err_where("%s: byte %" PRIu64, p->in.name, offset + had);
    *seconds = (double)(os_now_ns() - began) * 1e-9;
    return status;
}

assay_status pages_fill_slot(page_source *p, int s) {
    page_slot *slot = &p->cache.slot[s];
    uint64_t offset = slot->piece * p->cache.piece_bytes;
    uint64_t left = p->in.bytes - offset;
    uint64_t n = left < p->cache.piece_bytes ? left : p->cache.piece_bytes;
    double seconds;
    pthread_mutex_unlock(&p->lock);
    assay_status status = pages_read(p, slot->data, n, offset, &seconds);
    pthread_mutex_lock(&p->lock);
    p->stats.read_seconds += seconds;
    if (status == ASSAY_OK) {
        p->stats.bytes_read += n;
        p->stats.pages_read++;
    }
    page_cache_filled(&p->cache, s, status == ASSAY_OK);
    pthread_cond_broadcast(&p->ready);
    return status;
}

/* ---- acquiring ---- */

static uint8_t *own_bytes(own_buffer *b) {
    return (uint8_t *)b + sizeof *b;
}

/* Lock held. */
static assay_status own_take(page_source *p, uint64_t bytes, uint8_t **out) {
    own_buffer **link = &p->own, *b;
    while (*link && (*link)->bytes < bytes)
        link = &(*link)->next;
    if (*link == NULL && p->own_kept == OWN_KEPT) { /* all too small: one goes */
        b = p->own;
        p->own = b->next;
        p->own_kept--;
        mem_free(p->ctx, b);
        link = &p->own;
        while (*link)
            link = &(*link)->next;
    }
    b = *link;
    if (b) {
        *link = b->next;
        p->own_kept--;
    } else {
        uint64_t room = (bytes + OWN_ROUND - 1) / OWN_ROUND * OWN_ROUND;
        b = mem_alloc(p->ctx, sizeof *b + room);
        if (b == NULL)
            return err_set(ASSAY_E_NOMEM, "no memory for a payload of %" PRIu64 " bytes",
                           bytes);
        b->bytes = room;
    }
    *out = own_bytes(b);
    return ASSAY_OK;
}

/* Lock held. */
static void own_give(page_source *p, uint8_t *bytes) {
    own_buffer *b = (own_buffer *)(void *)(bytes - sizeof *b);
    if (p->own_kept == OWN_KEPT) {
        mem_free(p->ctx, b);
        return;
    }
    b->next = p->own;
    p->own = b;
    p->own_kept++;
}

/* The slot with a piece, pinned; *s = -1 if every slot is held by others, so that waiting
 * might never end. Lock held. */
static assay_status pin_piece(page_source *p, uint64_t piece, int *s, bool *waited) {
    assay_status status = ASSAY_OK;
    for (;;) {
        *s = page_cache_find(&p->cache, piece);
        if (*s >= 0 && p->cache.slot[*s].state == PAGE_READY)
            break;
        *waited = true;
        if (*s >= 0) {
            pthread_cond_wait(&p->ready, &p->lock);
            continue;
        }
        *s = page_cache_take(&p->cache, piece, true);
        if (*s == -2)
            return err_set(ASSAY_E_NOMEM, "no memory for the cache of pages");
        if (*s < 0)
            return ASSAY_OK;
        status = pages_fill_slot(p, *s);
        if (status != ASSAY_OK)
            return status;
    }
    page_cache_pin(&p->cache, *s);
    page_cache_used(&p->cache, piece);
    return ASSAY_OK;
}

/* The part of a payload that lies in a piece. Lock held, but not while copying. */
static assay_status copy_piece(page_source *p,
                               uint64_t piece,
                               uint64_t offset,
                               uint64_t bytes,
                               uint8_t *to,
                               bool *waited) {
    int s;
    uint64_t at = piece * p->cache.piece_bytes, end = at + p->cache.piece_bytes;
    uint64_t from = offset > at ? offset : at;
    uint64_t n = (offset + bytes < end ? offset + bytes : end) - from;
    assay_status status = pin_piece(p, piece, &s, waited);
    if (status != ASSAY_OK)
        return status;
    if (s >= 0) {
        const uint8_t *data = p->cache.slot[s].data;
        pthread_mutex_unlock(&p->lock);
        memcpy(to + (from - offset), data + (from - at), n);
        pthread_mutex_lock(&p->lock);
        page_cache_unpin(&p->cache, s);
        return ASSAY_OK;
    }
    double seconds;
    page_cache_used(&p->cache, piece);
    pthread_mutex_unlock(&p->lock);
    status = pages_read(p, to + (from - offset), n, from, &seconds);
    pthread_mutex_lock(&p->lock);
    p->stats.read_seconds += seconds;
    p->stats.bytes_read += status == ASSAY_OK ? n : 0;
    return status;
}

static assay_status
acquire_cached(page_source *p, uint64_t offset, uint64_t bytes, page_hold *out) {
    assay_status status = ASSAY_OK;
    uint64_t first = offset / p->cache.piece_bytes;
    uint64_t last = (offset + bytes - 1) / p->cache.piece_bytes;
    bool waited = false;
    int s = -1;
    if (first == last) {
        ASSAY_TRY(pin_piece(p, first, &s, &waited));
        if (s >= 0) {
            out->slot = &p->cache.slot[s];
            out->data = p->cache.slot[s].data + (offset - first * p->cache.piece_bytes);
            goto done;
        }
    }
    ASSAY_TRY(own_take(p, bytes, &out->own));
    for (uint64_t k = first; k <= last; k++)
        ASSAY_TRY(copy_piece(p, k, offset, bytes, out->own, &waited));
    out->data = out->own;
done:
    p->stats.waits += waited;
    if (status != ASSAY_OK && out->own) {
        own_give(p, out->own);
        *out = (page_hold){0};
    }
    return status;
}

assay_status
page_acquire(page_source *p, uint64_t offset, uint64_t bytes, page_hold *out) {
    static const uint8_t nothing[1];
    uint64_t end = p->cached ? p->in.bytes : p->map.bytes;
    *out = (page_hold){0};
    if (offset > end || bytes > end - offset) {
        assay_status status =
            err_set(ASSAY_E_IO, "%" PRIu64 " bytes are behind the file's end at %" PRIu64,
                    bytes, end);
        err_where("%s: byte %" PRIu64, beton_path(p->f), offset);
        return status;
    }
    if (bytes == 0 || !p->cached) {
        out->data = bytes == 0 ? nothing : p->map.data + offset;
        return ASSAY_OK;
    }
    pthread_mutex_lock(&p->lock);
    assay_status status = acquire_cached(p, offset, bytes, out);
    p->acquired++;
    page_cache_trim(&p->cache, p->acquired > LAG ? p->acquired - LAG : 0);
    pages_call_threads(p);
    pthread_mutex_unlock(&p->lock);
    return status;
}

void page_release(page_source *p, page_hold *h) {
    if (h->slot || h->own) {
        pthread_mutex_lock(&p->lock);
        if (h->slot)
            page_cache_unpin(&p->cache, (int)((page_slot *)h->slot - p->cache.slot));
        if (h->own)
            own_give(p, h->own);
        pages_call_threads(p);
        pthread_mutex_unlock(&p->lock);
    }
    *h = (page_hold){0};
}

/* ---- life ---- */

static assay_status make_sync(page_source *p) {
    if (pthread_mutex_init(&p->lock, NULL) != 0)
        return err_set(ASSAY_E_NOMEM, "no lock for reading pages");
    if (pthread_cond_init(&p->work, NULL) != 0) {
        pthread_mutex_destroy(&p->lock);
        return err_set(ASSAY_E_NOMEM, "no condition for reading pages");
    }
    if (pthread_cond_init(&p->ready, NULL) != 0) {
        pthread_cond_destroy(&p->work);
        pthread_mutex_destroy(&p->lock);
        return err_set(ASSAY_E_NOMEM, "no condition for reading pages");
    }
    p->sync_made = true;
    return ASSAY_OK;
}

/* Takes over p->in. */
static assay_status start_cache(page_source *p, uint64_t cache_bytes, int threads) {
    assay_status status = ASSAY_OK;
    uint64_t bytes = cache_bytes > 0 ? cache_bytes : CACHE_BYTES, piece = PIECE_BYTES;
    if (threads < -1 || threads > PAGES_MOST_THREADS)
        ASSAY_FAIL(ASSAY_E_INVALID, "%d threads to read pages", threads);
    uint64_t all = (p->in.bytes / piece + 1) * piece;
    bytes = bytes < all ? bytes : all;
    while (bytes / piece < LEAST_SLOTS && piece > LEAST_PIECE_BYTES)
        piece /= 2;
    p->threads = threads == 0 ? THREADS : threads < 0 ? 0 : threads;
    ASSAY_TRY(page_cache_make(&p->cache, p->ctx, bytes, piece, PAGES_RING));
    ASSAY_TRY(make_sync(p));
    ASSAY_TRY(pages_start_threads(p));
done:
    return status;
}

assay_status page_source_create(page_source **out,
                                assay_ctx *ctx,
                                beton_file *f,
                                const char *kind,
                                uint64_t cache_bytes,
                                int threads) {
    assay_status status = ASSAY_OK;
    page_source *p = NULL;
    *out = NULL;
    bool cached = strcmp(kind, "read") == 0;
    if (!cached && strcmp(kind, "map") != 0) {
        status = err_set(ASSAY_E_INVALID, "there is no cache '%s'", kind);
        err_help("caches are map and read");
        goto done;
    }
    ASSAY_TRY(mem_new(ctx, &p, 1, sizeof *p));
    p->ctx = ctx;
    p->f = f;
    p->cached = cached;
    p->map.fd = -1;
    ASSAY_TRY(os_map_file(&p->map, beton_path(f), false));
    if (cached) {
        p->in = (page_reader){
            .read_at = read_file, .arg = p, .name = beton_path(f), .bytes = p->map.bytes};
        ASSAY_TRY(start_cache(p, cache_bytes, threads));
    }
    *out = p;
    p = NULL;
done:
    page_source_destroy(p);
    return status;
}

assay_status page_source_create_on(page_source **out,
                                   assay_ctx *ctx,
                                   beton_file *f,
                                   const page_reader *reader,
                                   uint64_t cache_bytes,
                                   int threads) {
    assay_status status = ASSAY_OK;
    page_source *p = NULL;
    *out = NULL;
    status = mem_new(ctx, &p, 1, sizeof *p);
    if (status != ASSAY_OK) {
        if (reader->close)
            reader->close(reader->arg);
        goto done;
    }
    p->ctx = ctx;
    p->f = f;
    p->cached = true;
    p->map.fd = -1;
    p->in = *reader;
    ASSAY_TRY(start_cache(p, cache_bytes, threads));
    *out = p;
    p = NULL;
done:
    page_source_destroy(p);
    return status;
}

void page_source_destroy(page_source *p) {
    if (p == NULL)
        return;
    if (p->sync_made) {
        pages_stop_threads(p);
        pthread_cond_destroy(&p->ready);
        pthread_cond_destroy(&p->work);
        pthread_mutex_destroy(&p->lock);
    }
    while (p->own) {
        own_buffer *b = p->own;
        p->own = b->next;
        mem_free(p->ctx, b);
    }
    page_cache_free(&p->cache);
    if (p->in.close)
        p->in.close(p->in.arg);
    os_unmap(&p->map);
    mem_free(p->ctx, p);
}

/* ---- asking ---- */

assay_status page_locate(
    const beton_file *f, uint64_t sample, int field, uint64_t *offset, uint64_t *bytes) {
    const beton_field *d = beton_field_at(f, field);
    const uint8_t *data;
    *offset = *bytes = 0;
    if (!d->has_payload)
        return ASSAY_OK;
    *offset = le64_get(beton_cell(f, sample, field) + d->ptr_offset);
    return beton_payload(f, sample, field, *offset, 0, &data, bytes);
}

page_stats page_source_stats(page_source *p) {
    page_stats stats = {0};
    if (p->cached) {
        pthread_mutex_lock(&p->lock);
        stats = p->stats;
        stats.cache_bytes = (uint64_t)p->cache.allocated * p->cache.piece_bytes;
        pthread_mutex_unlock(&p->lock);
    }
    return stats;
}

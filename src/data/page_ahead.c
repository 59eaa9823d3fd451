/* Reading ahead: threads that turn the epoch's order into pieces, a bounded way ahead of
 * the consumer, and fill slots with them. */
#include "data/pages_inside.h"

#include <signal.h>

enum { PLAN_EXTENTS = 256 /* worked out in one go; at least as many as fields */ };

typedef struct extent {
    uint64_t place, first, last; /* pieces */
} extent;

static bool can_plan(const page_source *p) {
    return p->row_at && !p->planning && !p->changing && p->fields > 0 &&
           p->next_place < p->places && page_cache_room(&p->cache) >= PAGES_RING / 8;
}

static bool has_work(const page_source *p) {
    return can_plan(p) || (p->cache.unread < p->cache.tail && p->cache.idle_first >= 0);
}

void pages_call_threads(page_source *p) {
    if (p->threads > 0 && has_work(p))
        pthread_cond_signal(&p->work);
}

/* Pieces of the payloads of places from `place` on; how many places, in *places. What
 * can't be found, or is too large to be read ahead, is left out: acquiring it tells. */
static int
find_extents(const page_source *p, extent *out, uint64_t place, uint64_t *places) {
    uint64_t largest = (uint64_t)p->cache.slots / 2, size = p->cache.piece_bytes;
    int n = 0;
    if (largest > PAGES_RING / 16)
        largest = PAGES_RING / 16;
    for (*places = 0; place + *places < p->places && n + p->fields <= PLAN_EXTENTS;
         ++*places) {
        uint64_t row = p->row_at(p->arg, place + *places);
        for (int i = 0; i < p->fields; i++) {
            uint64_t offset, bytes;
            if (row >= beton_samples(p->f) ||
                page_locate(p->f, row, p->field[i], &offset, &bytes) != ASSAY_OK ||
                bytes == 0 || offset >= p->in.bytes || bytes > p->in.bytes - offset)
                continue;
            extent e = {place + *places, offset / size, (offset + bytes - 1) / size};
            if (e.last - e.first < largest)
                out[n++] = e;
        }
    }
    return n;
}

/* A few more places of the schedule. Lock held, but not while working them out: the next
 * epoch waits for it. Places that the consumer has passed are skipped. */
static void plan_some(page_source *p) {
    extent e[PLAN_EXTENTS];
    uint64_t passed = p->acquired / (uint64_t)p->fields, places;
    if (p->next_place < passed)
        p->next_place = passed < p->places ? passed : p->places;
    uint64_t place = p->next_place;
    p->planning = true;
    pthread_mutex_unlock(&p->lock);
    int n = find_extents(p, e, place, &places);
    pthread_mutex_lock(&p->lock);
    p->next_place = place + places;
    passed = p->acquired / (uint64_t)p->fields;
    for (int i = 0; i < n; i++) {
        if (e[i].place < passed)
            continue;
        if (e[i].last - e[i].first >= page_cache_room(&p->cache)) {
            p->next_place = e[i].place;
            break;
        }
        for (uint64_t k = e[i].first; k <= e[i].last; k++)
            page_cache_plan(&p->cache, k, e[i].place);
    }
    p->planning = false;
    pthread_cond_broadcast(&p->ready);
    pages_call_threads(p);
}

static void *run_reader(void *arg) {
    page_source *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->closing) {
        int s;
        if (can_plan(p))
            plan_some(p);
        else if ((s = page_cache_take_next(&p->cache)) >= 0)
            (void)pages_fill_slot(p, s); /* who needs it reads it again and is told */
        else
            pthread_cond_wait(&p->work, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

assay_status page_source_epoch(page_source *p,
                               uint64_t (*row_at)(const void *arg, uint64_t i),
                               const void *arg,
                               uint64_t n,
                               const int *fields,
                               int n_fields) {
    int all[BETON_MAX_FIELDS], found = 0;
    if (!p->cached)
        return ASSAY_OK;
    for (int i = 0; i < beton_fields(p->f); i++)
        all[found++] = i;
    if (fields == NULL) {
        fields = all;
        n_fields = found;
    }
    if (n_fields > BETON_MAX_FIELDS)
        return err_set(ASSAY_E_INVALID, "%d payloads for each place", n_fields);
    for (int i = 0; i < n_fields; i++)
        if (fields[i] < 0 || fields[i] >= found)
            return err_set(ASSAY_E_INVALID, "there is no field %d", fields[i]);
    pthread_mutex_lock(&p->lock);
    p->changing = true;
    while (p->planning)
        pthread_cond_wait(&p->ready, &p->lock);
    page_cache_forget_plan(&p->cache);
    p->fields = 0;
    for (int i = 0; i < n_fields; i++)
        if (beton_allocates(beton_field_at(p->f, fields[i])->type))
            p->field[p->fields++] = fields[i];
    p->row_at = row_at;
    p->arg = arg;
    p->places = n;
    p->next_place = p->acquired = 0;
    p->changing = false;
    pages_call_threads(p);
    pthread_mutex_unlock(&p->lock);
    return ASSAY_OK;
}

/* ---- threads ---- */

/* Signals go to the program's own threads. */
assay_status pages_start_threads(page_source *p) {
    sigset_t every, before;
    int err = 0;
    (void)sigfillset(&every);
    (void)pthread_sigmask(SIG_SETMASK, &every, &before);
    while (p->started < p->threads && err == 0) {
        err = pthread_create(&p->thread[p->started], NULL, run_reader, p);
        p->started += err == 0;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err == 0 ? ASSAY_OK
                    : err_errno(ASSAY_E_NOMEM, err,
                                "can't start thread %d of %d that "
                                "read pages",
                                p->started + 1, p->threads);
}

void pages_stop_threads(page_source *p) {
    pthread_mutex_lock(&p->lock);
    p->closing = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->started; i++)
        (void)pthread_join(p->thread[i], NULL);
}

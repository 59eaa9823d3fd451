/* Reading ahead: threads that turn the epoch's order into pieces, a bounded way ahead of
 * the consumer, and fill slots with them. */
#include "data/load/pages_inside.h"

#include <signal.h>

enum {
    PLAN_EXTENTS = 256, /* worked out in one go; at least as many as fields */
    PLAN_PLACES = 1024,
};

/* A payload: the how-manieth to be acquired in this epoch, and its pieces. */
typedef struct extent {
    uint64_t turn, first, last;
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

/* The payloads of a place that there are; how many. What can't be found will be told to
 * who needs it. */
static int find_place(const page_source *p, extent *out, uint64_t place) {
    uint64_t row = p->row_at(p->arg, place), size = p->cache.piece_bytes;
    int n = 0;
    for (int i = 0; i < p->fields && row < beton_samples(p->f); i++) {
        uint64_t offset, bytes;
        if (page_locate(p->f, row, p->field[i], &offset, &bytes) == ASSAY_OK &&
            bytes > 0 && offset < p->in.bytes && bytes <= p->in.bytes - offset)
            out[n++] =
                (extent){.first = offset / size, .last = (offset + bytes - 1) / size};
    }
    return n;
}

/* Payloads of places from `place` on, with turns from *turn on: as many as there is sure
 * to be room for. A place too large to be read ahead only takes its turns. */
static int find_extents(
    const page_source *p, extent *out, uint64_t place, uint64_t *places, uint64_t *turn) {
    uint64_t room = PAGES_RING / 8, most = (uint64_t)p->cache.slots / 2;
    int n = 0;
    for (*places = 0; place + *places < p->places && *places < PLAN_PLACES &&
                      n + p->fields <= PLAN_EXTENTS;
         ++*places) {
        uint64_t pieces = 0;
        int found = find_place(p, out + n, place + *places);
        for (int i = 0; i < found; i++)
            pieces += out[n + i].last - out[n + i].first + 1;
        if (pieces <= most && pieces > room && n > 0)
            break;
        for (int i = 0; i < found; i++)
            out[n + i].turn = (*turn)++;
        if (pieces <= most && pieces <= room) {
            n += found;
            room -= pieces;
        }
    }
    return n;
}

/* A few more places of the schedule. Lock held, but not while working them out: the next
 * epoch waits for it. Payloads whose turn the consumer has passed are left out. */
static void plan_some(page_source *p) {
    extent e[PLAN_EXTENTS];
    uint64_t places, turn = p->next_turn;
    p->planning = true;
    pthread_mutex_unlock(&p->lock);
    int n = find_extents(p, e, p->next_place, &places, &turn);
    pthread_mutex_lock(&p->lock);
    p->next_place += places;
    p->next_turn = turn;
    for (int i = 0; i < n; i++)
        for (uint64_t k = e[i].first; k <= e[i].last && e[i].turn >= p->acquired; k++)
            page_cache_plan(&p->cache, k, e[i].turn);
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
        if (beton_field_at(p->f, fields[i])->has_payload)
            p->field[p->fields++] = fields[i];
    p->row_at = row_at;
    p->arg = arg;
    p->places = n;
    p->next_place = p->next_turn = p->acquired = 0;
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

/* The loader's threads. Workers take chunks in order; the consumer takes batches in
 * order. One lock, held for a few instructions at a time. */
#include "data/load/load_inside.h"

/* ---- what to make next ---- */

static void open_slot(assay_loader *l, uint64_t b) {
    load_slot *s = &l->ring[b % (uint64_t)l->slots];
    sampler_span span = sampler_batch(l->sampler, l->handed, b);
    s->batch = b;
    s->place = span.place;
    s->n = span.n;
    s->chunks = (span.n + l->chunk - 1) / l->chunk;
    s->next_chunk = s->done_chunks = 0;
    s->ready = false;
    s->status = ASSAY_OK;
    atomic_store(&s->bad_count, 0);
    l->open = s;
    l->next_open = b + 1;
}

/* Takes the next chunk; NULL: nothing to do. The slot that the consumer reads is not
 * free. Lock held. */
static load_slot *take_chunk(assay_loader *l, int *chunk) {
    if (!l->running)
        return NULL;
    if (l->open == NULL) {
        uint64_t kept = l->next_take - (l->holding ? 1 : 0);
        if (l->next_open >= l->batches || l->next_open - kept >= (uint64_t)l->slots)
            return NULL;
        open_slot(l, l->next_open);
    }
    load_slot *s = l->open;
    *chunk = s->next_chunk++;
    if (s->next_chunk >= s->chunks)
        l->open = NULL;
    return s;
}

/* Keeps the failure of the lowest chunk, so that it is the same for any number of
 * threads. Lock held. */
static void note(load_slot *s, assay_status status, int chunk) {
    if (status == ASSAY_OK || (s->status != ASSAY_OK && s->failed_chunk <= chunk))
        return;
    s->status = status;
    s->failed_chunk = chunk;
    err_save(&s->error);
}

/* ---- workers ---- */

/* A chunk, and the end of the batch if it was the last. Lock held before and after. */
static void work_on(load_worker *w, load_slot *s, int chunk) {
    assay_loader *l = w->l;
    l->busy++;
    pthread_mutex_unlock(&l->lock);
    uint64_t began = os_thread_cpu_ns();
    assay_status status = load_make_chunk(w, s, chunk);
    pthread_mutex_lock(&l->lock);
    note(s, status, chunk);
    bool last = ++s->done_chunks >= s->chunks;
    if (last && s->status == ASSAY_OK) {
        pthread_mutex_unlock(&l->lock);
        status = load_finish(w, s);
        pthread_mutex_lock(&l->lock);
        note(s, status, s->chunks);
    }
    w->now.total += 1e-9 * (double)(os_thread_cpu_ns() - began);
    w->shown = w->now;
    l->busy--;
    if (last)
        s->ready = true;
    if (last && s->status != ASSAY_OK) { /* nothing behind it will be wanted */
        l->running = false;
        pthread_cond_broadcast(&l->work);
    }
    if (last || (l->busy == 0 && !l->running))
        pthread_cond_broadcast(&l->ready);
}

static void *run_worker(void *arg) {
    load_worker *w = arg;
    assay_loader *l = w->l;
    int chunk = 0;
    pthread_mutex_lock(&l->lock);
    while (!l->closing) {
        load_slot *s = take_chunk(l, &chunk);
        if (s != NULL) {
            work_on(w, s, chunk);
            continue;
        }
        bool full = l->running && l->next_open < l->batches;
        uint64_t began = full ? os_now_ns() : 0;
        pthread_cond_wait(&l->work, &l->lock);
        if (full)
            l->wait_workers_ns += os_now_ns() - began;
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* ---- life ---- */

static assay_status make_sync(assay_loader *l) {
    if (pthread_mutex_init(&l->lock, NULL) != 0)
        return err_set(ASSAY_E_NOMEM, "no lock for the loader's threads");
    if (pthread_cond_init(&l->work, NULL) != 0) {
        pthread_mutex_destroy(&l->lock);
        return err_set(ASSAY_E_NOMEM, "no condition for the loader's threads");
    }
    pthread_condattr_t monotonic; /* the clock of os_now_ns */
    int made = pthread_condattr_init(&monotonic);
    if (made == 0) {
        (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        made = pthread_cond_init(&l->ready, &monotonic);
        (void)pthread_condattr_destroy(&monotonic);
    }
    if (made != 0) {
        pthread_cond_destroy(&l->work);
        pthread_mutex_destroy(&l->lock);
        return err_set(ASSAY_E_NOMEM, "no condition for the loader's threads");
    }
    l->sync_made = true;
    return ASSAY_OK;
}

static assay_status start_threads(assay_loader *l) {
    for (int i = 0; i < l->threads; i++) {
        int err = pthread_create(&l->worker[i].thread, NULL, run_worker, &l->worker[i]);
        if (err != 0)
            return err_errno(ASSAY_E_NOMEM, err, "can't start thread %d of the loader",
                             i);
        l->worker[i].started = true;
    }
    return ASSAY_OK;
}

assay_status load_start(assay_loader *l) {
    assay_status status = ASSAY_OK;
    ASSAY_TRY(mem_new(l->ctx, &l->ring, (size_t)l->slots, sizeof *l->ring));
    for (int i = 0; i < l->slots; i++)
        ASSAY_TRY(load_slot_fit(l, &l->ring[i]));
    l->workers = l->threads > 0 ? l->threads : 1;
    ASSAY_TRY(mem_new(l->ctx, &l->worker, (size_t)l->workers, sizeof *l->worker));
    for (int i = 0; i < l->workers; i++) {
        l->worker[i].l = l;
        l->worker[i].index_bytes = buf_make(l->ctx);
        for (int o = 0; o < l->outputs; o++)
            ASSAY_TRY(plan_scratch_fit(&l->worker[i].scratch, l->ctx, &l->plan[o]));
        if (l->build_index)
            ASSAY_TRY(jpeg_decoder_create(&l->worker[i].decoder, l->ctx));
    }
    if (l->threads == 0)
        goto done;
    ASSAY_TRY(make_sync(l));
    ASSAY_TRY(start_threads(l));
done:
    return status;
}

void load_stop(assay_loader *l) {
    if (l->sync_made) {
        pthread_mutex_lock(&l->lock);
        l->closing = true;
        pthread_cond_broadcast(&l->work);
        pthread_mutex_unlock(&l->lock);
    }
    for (int i = 0; l->worker != NULL && i < l->workers; i++) {
        load_worker *w = &l->worker[i];
        if (w->started)
            pthread_join(w->thread, NULL);
        plan_scratch_free(&w->scratch);
        jpeg_decoder_destroy(w->decoder);
        if (w->l != NULL)
            buf_free(&w->index_bytes);
    }
    if (l->sync_made) {
        pthread_cond_destroy(&l->ready);
        pthread_cond_destroy(&l->work);
        pthread_mutex_destroy(&l->lock);
        l->sync_made = false;
    }
    for (int i = 0; l->ring != NULL && i < l->slots; i++)
        load_slot_free(l->ctx, l->outputs, &l->ring[i]);
    mem_free(l->ctx, l->ring);
    mem_free(l->ctx, l->worker);
    l->ring = NULL;
    l->worker = NULL;
}

/* ---- epochs ---- */

void load_halt(assay_loader *l) {
    if (l->threads == 0) {
        l->running = false;
        return;
    }
    pthread_mutex_lock(&l->lock);
    l->running = false;
    while (l->busy > 0)
        pthread_cond_wait(&l->ready, &l->lock);
    pthread_mutex_unlock(&l->lock);
}

void load_run(assay_loader *l, uint32_t epoch) {
    if (l->threads > 0)
        pthread_mutex_lock(&l->lock);
    l->epoch = epoch;
    l->batches = sampler_batches(l->sampler, l->handed);
    l->next_open = l->next_take = 0;
    l->open = NULL;
    l->holding = false;
    l->failed = ASSAY_OK;
    l->running = true;
    for (int i = 0; i < l->slots; i++)
        l->ring[i].ready = false;
    for (int o = 0; o < l->outputs; o++)
        plan_epoch(&l->plan[o], epoch);
    if (l->threads > 0) {
        pthread_cond_broadcast(&l->work);
        pthread_mutex_unlock(&l->lock);
    }
}

static load_slot *take_inline(assay_loader *l) {
    load_worker *w = &l->worker[0];
    uint64_t began = os_thread_cpu_ns();
    open_slot(l, l->next_take++);
    load_slot *s = l->open;
    for (int c = 0; c < s->chunks && s->status == ASSAY_OK; c++)
        note(s, load_make_chunk(w, s, c), c);
    if (s->status == ASSAY_OK)
        note(s, load_finish(w, s), s->chunks);
    l->open = NULL;
    w->now.total += 1e-9 * (double)(os_thread_cpu_ns() - began);
    w->shown = w->now;
    return s;
}

/* Gives the slot back that the consumer read. Lock held. */
static void let_go(assay_loader *l) {
    if (!l->holding)
        return;
    l->ring[(l->next_take - 1) % (uint64_t)l->slots].ready = false;
    l->holding = false;
    pthread_cond_broadcast(&l->work);
}

static load_slot *take_made(assay_loader *l) {
    pthread_mutex_lock(&l->lock);
    load_slot *s = &l->ring[l->next_take % (uint64_t)l->slots];
    let_go(l);
    if (!s->ready) {
        uint64_t began = os_now_ns();
        while (!s->ready)
            pthread_cond_wait(&l->ready, &l->lock);
        l->wait_consumer_ns += os_now_ns() - began;
    }
    l->next_take++;
    l->holding = true;
    pthread_mutex_unlock(&l->lock);
    return s;
}

load_slot *load_take(assay_loader *l) {
    if (l->next_take >= l->batches)
        return NULL;
    return l->threads > 0 ? take_made(l) : take_inline(l);
}

bool load_wait(assay_loader *l, uint64_t ns) {
    if (l->threads == 0 || l->next_take >= l->batches)
        return true;
    pthread_mutex_lock(&l->lock);
    load_slot *s = &l->ring[l->next_take % (uint64_t)l->slots];
    let_go(l);
    if (!s->ready && ns > 0) {
        uint64_t began = os_now_ns(), end = began + ns, now = began;
        while (!s->ready && now < end) {
            struct timespec at = {(time_t)(end / 1000000000u), (long)(end % 1000000000u)};
            (void)pthread_cond_timedwait(&l->ready, &l->lock, &at);
            now = os_now_ns();
        }
        l->wait_consumer_ns += now - began;
    }
    bool ready = s->ready;
    pthread_mutex_unlock(&l->lock);
    return ready;
}

/* The feeder's threads: whole batches are made ahead by workers of its own, in a ring of
 * slots that the consumer empties in order; or inline, without threads. */
#include "data/load/feeder.h"

#include "data/load/make.h"

#include <pthread.h>
#include <string.h>

enum { MAX_THREADS = 256, MAX_AHEAD = 1024 };

typedef enum slot_state { SLOT_EMPTY, SLOT_FILLING, SLOT_READY } slot_state;

typedef struct slot {
    slot_state state;
    int n;
    float *images;
    int32_t *labels;
    uint32_t *rows;
    assay_status status;
    err_record error;
} slot;

typedef struct worker {
    feeder *l;
    pthread_t thread;
    bool started;
    maker_scratch scratch;
} worker;

struct feeder {
    assay_ctx *ctx;
    maker m;
    const data_order *order;
    bool drop_last;
    slot *ring;
    size_t slots;
    worker *workers;
    int threads; /* 0: inline, with workers[0].scratch */
    bool sync_made;
    pthread_mutex_t lock;
    pthread_cond_t work,
        ready; /* for workers: a slot is free; for the consumer: a batch is done */
    /* of the epoch; with threads, behind the lock */
    order_state state;
    uint32_t epoch;
    bool running, closing;
    uint64_t batches, next_make, next_take; /* batch b lies in slot b % slots */
    int busy;                               /* workers that are making a batch */
    bool holding;                           /* the consumer reads batch next_take - 1 */
    assay_status failed; /* of this epoch: said again until the next one */
    err_record failure;
};

size_t feeder_batches(const feeder *l) {
    uint64_t n = l->m.n_rows, batch = (uint64_t)l->m.batch;
    return (size_t)(l->drop_last ? n / batch : (n + batch - 1) / batch);
}

static void make_batch(feeder *l, maker_scratch *scratch, slot *s, uint64_t b) {
    uint64_t first = b * (uint64_t)l->m.batch, left = l->m.n_rows - first;
    s->n = left < (uint64_t)l->m.batch ? (int)left : l->m.batch;
    s->status = maker_fill(&l->m, scratch, l->order, &l->state, l->epoch, first, s->n,
                           s->images, s->labels, s->rows);
    if (s->status != ASSAY_OK)
        err_save(&s->error);
}

/* ---- workers ---- */

/* Whether there is a batch to make and a slot for it. The slot that the consumer reads is
 * not free. */
static bool can_make(const feeder *l) {
    uint64_t kept = l->next_take - (l->holding ? 1 : 0);
    return l->running && l->next_make < l->batches && l->next_make - kept < l->slots;
}

static void *run_worker(void *arg) {
    worker *w = arg;
    feeder *l = w->l;
    pthread_mutex_lock(&l->lock);
    for (;;) {
        while (!l->closing && !can_make(l))
            pthread_cond_wait(&l->work, &l->lock);
        if (l->closing)
            break;
        uint64_t b = l->next_make++;
        slot *s = &l->ring[b % l->slots];
        s->state = SLOT_FILLING;
        l->busy++;
        pthread_mutex_unlock(&l->lock);
        make_batch(l, &w->scratch, s, b);
        pthread_mutex_lock(&l->lock);
        s->state = SLOT_READY;
        l->busy--;
        pthread_cond_broadcast(&l->ready);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* No batch is being made when this returns, and none is begun. Lock held. */
static void halt(feeder *l) {
    l->running = false;
    while (l->busy > 0)
        pthread_cond_wait(&l->ready, &l->lock);
}

/* ---- life ---- */

static assay_status make_slots(feeder *l) {
    assay_status status = ASSAY_OK;
    size_t n = (size_t)l->m.batch;
    size_t each =
        (size_t)l->m.out.height * (size_t)l->m.out.width * (size_t)l->m.out.channels;
    ASSAY_TRY(mem_new(l->ctx, &l->ring, l->slots, sizeof *l->ring));
    for (size_t i = 0; i < l->slots; i++) {
        ASSAY_TRY(mem_new(l->ctx, &l->ring[i].images, n, each * sizeof(float)));
        ASSAY_TRY(mem_new(l->ctx, &l->ring[i].labels, n, sizeof(int32_t)));
        ASSAY_TRY(mem_new(l->ctx, &l->ring[i].rows, n, sizeof(uint32_t)));
    }
done:
    return status;
}

static assay_status make_workers(feeder *l) {
    assay_status status = ASSAY_OK;
    int n = l->threads > 0 ? l->threads : 1;
    ASSAY_TRY(mem_new(l->ctx, &l->workers, (size_t)n, sizeof *l->workers));
    for (int i = 0; i < n; i++) {
        l->workers[i].l = l;
        ASSAY_TRY(maker_scratch_make(&l->workers[i].scratch, &l->m));
    }
    if (l->threads == 0)
        goto done;
    if (pthread_mutex_init(&l->lock, NULL) != 0)
        ASSAY_FAIL(ASSAY_E_NOMEM, "no lock for the feeder's threads");
    if (pthread_cond_init(&l->work, NULL) != 0) {
        pthread_mutex_destroy(&l->lock);
        ASSAY_FAIL(ASSAY_E_NOMEM, "no condition for the feeder's threads");
    }
    if (pthread_cond_init(&l->ready, NULL) != 0) {
        pthread_cond_destroy(&l->work);
        pthread_mutex_destroy(&l->lock);
        ASSAY_FAIL(ASSAY_E_NOMEM, "no condition for the feeder's threads");
    }
    l->sync_made = true;
    for (int i = 0; i < n; i++) {
        int err = pthread_create(&l->workers[i].thread, NULL, run_worker, &l->workers[i]);
        if (err != 0) {
            status =
                err_errno(ASSAY_E_NOMEM, err, "can't start thread %d of the feeder", i);
            goto done;
        }
        l->workers[i].started = true;
    }
done:
    return status;
}

assay_status feeder_create(feeder **out,
                           assay_ctx *ctx,
                           const feeder_source *source,
                           const feeder_options *options) {
    static const char *const orders[] = {"sequential", "random"};
    assay_status status = ASSAY_OK;
    feeder *l = NULL;
    *out = NULL;
    if (options->threads < 0 || options->threads > MAX_THREADS || options->ahead < 0 ||
        options->ahead > MAX_AHEAD)
        ASSAY_FAIL(ASSAY_E_INVALID, "%d threads, %d batches ahead", options->threads,
                   options->ahead);
    if (options->order != FEEDER_SEQUENTIAL && options->order != FEEDER_RANDOM)
        ASSAY_FAIL(ASSAY_E_INVALID, "no order has the number %d", (int)options->order);
    ASSAY_TRY(mem_new(ctx, &l, 1, sizeof *l));
    l->ctx = ctx;
    l->order = order_find(orders[options->order]);
    l->drop_last = options->drop_last;
    l->threads = options->threads;
    int ahead = options->ahead > 0 ? options->ahead : 2 * l->threads;
    l->slots = l->threads == 0 ? 1 : (size_t)ahead + 1; /* one is with the consumer */
    ASSAY_TRY(maker_plan(&l->m, ctx, source, options));
    ASSAY_TRY(make_slots(l));
    ASSAY_TRY(make_workers(l));
    *out = l;
    l = NULL;
done:
    feeder_destroy(l);
    return status;
}

void feeder_destroy(feeder *l) {
    if (l == NULL)
        return;
    if (l->sync_made) {
        pthread_mutex_lock(&l->lock);
        l->closing = true;
        pthread_cond_broadcast(&l->work);
        pthread_mutex_unlock(&l->lock);
    }
    for (int i = 0; l->workers != NULL && i < (l->threads > 0 ? l->threads : 1); i++) {
        if (l->workers[i].started)
            pthread_join(l->workers[i].thread, NULL);
        maker_scratch_free(&l->workers[i].scratch, &l->m);
    }
    if (l->sync_made) {
        pthread_cond_destroy(&l->ready);
        pthread_cond_destroy(&l->work);
        pthread_mutex_destroy(&l->lock);
    }
    for (size_t i = 0; l->ring != NULL && i < l->slots; i++) {
        mem_free(l->ctx, l->ring[i].images);
        mem_free(l->ctx, l->ring[i].labels);
        mem_free(l->ctx, l->ring[i].rows);
    }
    maker_unplan(&l->m);
    mem_free(l->ctx, l->ring);
    mem_free(l->ctx, l->workers);
    mem_free(l->ctx, l);
}

/* ---- epochs ---- */

assay_status feeder_epoch(feeder *l, uint32_t epoch) {
    assay_status status = ctx_check(l->ctx);
    if (status != ASSAY_OK)
        return status;
    if (l->threads > 0) {
        pthread_mutex_lock(&l->lock);
        halt(l);
    }
    l->epoch = epoch;
    l->order->begin(&l->state, &(order_setup){.n = l->m.n_rows, .seed = l->m.seed},
                    epoch);
    l->batches = feeder_batches(l);
    l->next_make = l->next_take = 0;
    l->holding = false;
    l->failed = ASSAY_OK;
    l->running = true;
    for (size_t i = 0; i < l->slots; i++)
        l->ring[i].state = SLOT_EMPTY;
    if (l->threads > 0) {
        pthread_cond_broadcast(&l->work);
        pthread_mutex_unlock(&l->lock);
    }
    return ASSAY_OK;
}

static slot *take_inline(feeder *l) {
    slot *s = &l->ring[0];
    make_batch(l, &l->workers[0].scratch, s, l->next_take++);
    return s;
}

static slot *take_made(feeder *l) {
    pthread_mutex_lock(&l->lock);
    slot *s = &l->ring[l->next_take % l->slots];
    if (l->holding) {
        l->ring[(l->next_take - 1) % l->slots].state = SLOT_EMPTY;
        l->holding = false;
        pthread_cond_signal(&l->work);
    }
    while (s->state != SLOT_READY)
        pthread_cond_wait(&l->ready, &l->lock);
    l->next_take++;
    l->holding = true;
    pthread_mutex_unlock(&l->lock);
    return s;
}

assay_status feeder_next(feeder *l, feeder_batch *out) {
    *out = (feeder_batch){0};
    if (l->failed != ASSAY_OK) {
        err_restore(&l->failure);
        return l->failed;
    }
    if (!l->running || l->next_take == l->batches)
        return ASSAY_OK;
    assay_status status = ctx_check(l->ctx);
    if (status != ASSAY_OK)
        return status;
    slot *s = l->threads > 0 ? take_made(l) : take_inline(l);
    if (s->status != ASSAY_OK) {
        l->failed = s->status;
        l->failure = s->error;
        err_restore(&l->failure);
        return l->failed;
    }
    *out = (feeder_batch){
        .n = s->n, .images = s->images, .labels = s->labels, .rows = s->rows};
    return ASSAY_OK;
}

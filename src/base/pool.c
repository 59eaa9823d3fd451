/* Workers that sleep until there is a loop, and the handing out of its chunks. */
#include "base/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

typedef struct loop {
    assay_ctx *ctx;
    pool_fn fn;
    void *arg;
    size_t n, grain, chunks;
    atomic_size_t next;
    atomic_bool stop;
    pthread_mutex_t lock; /* guards what follows */
    size_t failed_chunk;
    assay_status status;
    err_record record;
} loop;

typedef struct pool_worker {
    struct pool *pool;
    int index;
    pthread_t thread;
} pool_worker;

struct pool {
    int threads;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;  /* a loop was put up, or the end has come */
    pthread_cond_t idle;  /* the last worker left the loop */
    loop *current;        /* NULL: nothing to join */
    uint64_t generation;  /* counts loops: a worker joins each at most once */
    int inside;           /* workers in the current loop */
    bool busy, closing;
    int started; /* workers that run; -1 before the first loop */
    void (*on_thread)(void);
    pool_worker *workers; /* threads - 1 of them: the caller is worker 0 */
};

/* Where this thread stands: the pool whose chunk it runs, and as which worker. */
static _Thread_local struct {
    pool *pool;
    int worker;
} pool_here;

static void loop_fail(loop *l, size_t chunk, assay_status status) {
    atomic_store(&l->stop, true);
    (void)pthread_mutex_lock(&l->lock);
    if (l->status == ASSAY_OK || chunk < l->failed_chunk) {
        if (assay_last_error()->status != status) /* the job did not say why */
            err_set(status, "a job failed with %s", assay_status_name(status));
        l->failed_chunk = chunk;
        l->status = status;
        err_save(&l->record);
    }
    (void)pthread_mutex_unlock(&l->lock);
}

/* A chunk that was handed out is always run. So when chunk k fails, all before it run to
 * their end, and the lowest failure is found whatever the number of threads. */
static void loop_work(loop *l, int worker) {
    while (!atomic_load(&l->stop)) {
        size_t chunk = atomic_fetch_add(&l->next, 1);
        if (chunk >= l->chunks)
            break;
        assay_status status = ctx_check(l->ctx);
        if (status == ASSAY_OK) {
            size_t begin = chunk * l->grain;
            size_t end = l->n - begin < l->grain ? l->n : begin + l->grain;
            status = l->fn(l->arg, worker, begin, end);
        }
        if (status != ASSAY_OK)
            loop_fail(l, chunk, status);
    }
}

static void *worker_main(void *arg) {
    pool_worker *w = arg;
    pool *p = w->pool;
    void (*told)(void) = NULL;
    uint64_t seen = 0;
    pool_here.pool = p;
    pool_here.worker = w->index;
    (void)pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->closing && (!p->current || p->generation == seen))
            (void)pthread_cond_wait(&p->wake, &p->lock);
        if (p->closing)
            break;
        loop *l = p->current;
        seen = p->generation;
        p->inside++;
        void (*tell)(void) = p->on_thread;
        (void)pthread_mutex_unlock(&p->lock);
        if (tell && tell != told) {
            tell();
            told = tell;
        }
        loop_work(l, w->index);
        (void)pthread_mutex_lock(&p->lock);
        if (--p->inside == 0)
            (void)pthread_cond_signal(&p->idle);
    }
    (void)pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* With the lock held. Signals go to the program's own threads: workers block them all. A
 * thread that can't be had only makes the pool smaller. */
static void pool_start(pool *p) {
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    for (p->started = 0; p->started < p->threads - 1; p->started++) {
        pool_worker *w = &p->workers[p->started];
        *w = (pool_worker){.pool = p, .index = p->started + 1};
        if (pthread_create(&w->thread, NULL, worker_main, w) != 0)
            break;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

assay_status pool_create(pool **out, assay_ctx *ctx, int threads) {
    *out = NULL;
    pool *p;
    assay_status status = mem_new(ctx, &p, 1, sizeof *p);
    if (status != ASSAY_OK)
        return status;
    status = mem_new(ctx, &p->workers, (size_t)threads, sizeof *p->workers);
    if (status != ASSAY_OK) {
        mem_free(ctx, p);
        return status;
    }
    p->threads = threads;
    p->started = -1;
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->wake, NULL);
    (void)pthread_cond_init(&p->idle, NULL);
    *out = p;
    return ASSAY_OK;
}

void pool_destroy(pool *p, assay_ctx *ctx) {
    if (!p)
        return;
    (void)pthread_mutex_lock(&p->lock);
    p->closing = true;
    (void)pthread_cond_broadcast(&p->wake);
    (void)pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->started; i++)
        (void)pthread_join(p->workers[i].thread, NULL);
    (void)pthread_mutex_destroy(&p->lock);
    (void)pthread_cond_destroy(&p->wake);
    (void)pthread_cond_destroy(&p->idle);
    mem_free(ctx, p->workers);
    mem_free(ctx, p);
}

void pool_on_thread(assay_ctx *ctx, void (*fn)(void)) {
    pool *p = ctx_pool(ctx);
    (void)pthread_mutex_lock(&p->lock);
    p->on_thread = fn;
    (void)pthread_mutex_unlock(&p->lock);
}

/* Puts the loop up for the workers. False when another thread's loop is up. */
static bool pool_put_up(pool *p, loop *l) {
    (void)pthread_mutex_lock(&p->lock);
    bool free_now = !p->busy;
    if (free_now) {
        p->busy = true;
        if (p->started < 0)
            pool_start(p);
        p->current = l;
        p->generation++;
        (void)pthread_cond_broadcast(&p->wake);
    }
    (void)pthread_mutex_unlock(&p->lock);
    return free_now;
}

/* Takes the loop down and waits for those inside; a worker that comes later finds
 * nothing. */
static void pool_take_down(pool *p) {
    (void)pthread_mutex_lock(&p->lock);
    p->current = NULL;
    while (p->inside > 0)
        (void)pthread_cond_wait(&p->idle, &p->lock);
    p->busy = false;
    (void)pthread_mutex_unlock(&p->lock);
}

assay_status
assay_parallel_for(assay_ctx *ctx, size_t n, size_t grain, pool_fn fn, void *arg) {
    if (n == 0)
        return ctx_check(ctx);
    if (grain == 0)
        grain = 1;
    pool *p = ctx_pool(ctx);
    loop l = {.ctx = ctx,
              .fn = fn,
              .arg = arg,
              .n = n,
              .grain = grain,
              .chunks = (n - 1) / grain + 1};
    (void)pthread_mutex_init(&l.lock, NULL);
    if (pool_here.pool) { /* inside a job */
        loop_work(&l, pool_here.pool == p ? pool_here.worker : 0);
    } else {
        (void)pthread_mutex_lock(&p->lock);
        void (*tell)(void) = p->on_thread;
        (void)pthread_mutex_unlock(&p->lock);
        if (tell)
            tell();
        bool shared = p->threads > 1 && l.chunks > 1 && pool_put_up(p, &l);
        pool_here.pool = p;
        pool_here.worker = 0;
        loop_work(&l, 0);
        pool_here.pool = NULL;
        if (shared)
            pool_take_down(p);
    }
    (void)pthread_mutex_destroy(&l.lock);
    if (l.status != ASSAY_OK)
        err_restore(&l.record);
    return l.status;
}

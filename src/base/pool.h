/* The pool: the context's threads, and loops over them.
 *
 * Chunk boundaries depend on n and grain only, never on the number of threads, so that a
 * reduction in chunk order gives the same bytes on any machine. Calls from inside a job
 * run inline. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/ctx.h"

/* One chunk [begin, end). `worker` is in [0, assay_ctx_threads) and unique among running
 * chunks of one loop: index scratch with it. */
typedef assay_status (*pool_fn)(void *arg, int worker, size_t begin, size_t end);

/* Runs fn over [0, n) in chunks of `grain` (>= 1), handed out in order as workers become
 * free; the calling thread works too. A failure stops the rest and comes back with its
 * record; of several, the one of the lowest chunk, so that it is the same for any number
 * of threads. Cancellation is checked between chunks. Inside a job, `worker` of an inner
 * loop is that of the job. When the pool is busy with another thread's loop, the loop
 * runs on the calling thread alone. */
ASSAY_MUST_CHECK assay_status
assay_parallel_for(assay_ctx *ctx, size_t n, size_t grain, pool_fn fn, void *arg);

/* Has fn run on every thread that works for the pool, before its first chunk: once on
 * each worker, and on the calling thread at the start of each outermost loop. For
 * libraries with threads of their own, which are to be told that one is enough here. fn
 * must be cheap and idempotent. */
void pool_on_thread(assay_ctx *ctx, void (*fn)(void));

/* For ctx.c. */
typedef struct pool pool;
ASSAY_MUST_CHECK assay_status pool_create(pool **out, assay_ctx *ctx, int threads);
void pool_destroy(pool *p, assay_ctx *ctx); /* joins the workers; accepts NULL */

#endif

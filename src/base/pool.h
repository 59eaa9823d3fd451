/* The pool: the context's threads, and loops over them.
 *
 * Chunk boundaries depend on n and grain only, never on the number of threads, so that a reduction
 * in chunk order gives the same bytes on any machine. Calls from inside a job run inline. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/ctx.h"

/* One chunk [begin, end). `worker` is in [0, assay_ctx_threads) and unique among running chunks
 * of one loop: index scratch with it. */
typedef assay_status (*pool_fn)(void *arg, int worker, size_t begin, size_t end);

/* Runs fn over [0, n) in chunks of `grain` (>= 1), handed out in order as workers become free; the
 * calling thread works too. The first failure (lowest chunk among those run) stops the rest and
 * comes back with its record. Cancellation is checked between chunks. */
ASSAY_MUST_CHECK assay_status
assay_parallel_for(assay_ctx *ctx, size_t n, size_t grain, pool_fn fn, void *arg);

#endif

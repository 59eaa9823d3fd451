/* The context's inside: memory, log, progress, cancellation. Threads are in pool.h. */
#ifndef BASE_CTX_H
#define BASE_CTX_H

#include "base/status.h"

#include <stdbool.h>

/* 64-byte aligned, not cleared. NULL on failure *without* an error record; prefer
 * mem_new. */
void *mem_alloc(assay_ctx *ctx, size_t bytes);
void mem_free(assay_ctx *ctx, void *memory); /* accepts NULL */
/* *out = cleared array of count x size bytes; overflow-safe; NOMEM with a record. */
ASSAY_MUST_CHECK assay_status mem_new(assay_ctx *ctx,
                                      void *out,
                                      size_t count,
                                      size_t size);
/* Grows an array to hold at least `need` elements, keeping the first `used`; *cap is
 * updated. */
ASSAY_MUST_CHECK assay_status
mem_grow(assay_ctx *ctx, void *array, size_t used, size_t *cap, size_t need, size_t size);
/* Copy of a string, owned by the caller. */
ASSAY_MUST_CHECK assay_status mem_strdup(assay_ctx *ctx, char **out, const char *text);
/* Number of mem_alloc calls so far; a steady state must not move it. */
uint64_t mem_alloc_count(const assay_ctx *ctx);

bool log_on(const assay_ctx *ctx, assay_log_level level);
void log_line(assay_ctx *ctx, assay_log_level level, const char *fmt, ...)
    ASSAY_PRINTF(3, 4);
/* True when ASSAY_VERBOSE holds `word` ("dispatch", "profile", ...); prints go to
 * log_verbose. */
bool log_verbose_on(const assay_ctx *ctx, const char *word);
void log_verbose(assay_ctx *ctx, const char *word, const char *fmt, ...)
    ASSAY_PRINTF(3, 4);

/* OK, or CANCELLED with a record. Call at safe points. */
ASSAY_MUST_CHECK assay_status ctx_check(assay_ctx *ctx);
/* Whether cancellation was asked for (no record). */
bool ctx_cancelled(const assay_ctx *ctx);

/* Which of how many phases the next progress_begin belongs to; (0, 0) = one only. */
void progress_phase(assay_ctx *ctx, int index, int count);
/* Starts a phase. `phase` and `unit` are borrowed until the next begin. */
void progress_begin(assay_ctx *ctx, const char *phase, int64_t total, const char *unit);
/* Adds to what is done; from any thread. A callback that returns nonzero cancels the
 * context. */
void progress_add(assay_ctx *ctx, int64_t done);
/* Reports the end of the phase, whatever is done. */
void progress_end(assay_ctx *ctx);

/* The context's pool; for pool.c. */
struct pool *ctx_pool(const assay_ctx *ctx);

#endif

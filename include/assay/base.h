/* base: status codes, the error detail, the context, logging and progress.
 *
 * Every other public header includes this one. Nothing here does work; it is what work is
 * done with. */
#ifndef ASSAY_BASE_H
#define ASSAY_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ASSAY_API               __attribute__((visibility("default")))
#define ASSAY_MUST_CHECK        __attribute__((warn_unused_result))
#define ASSAY_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define ASSAY_API
#define ASSAY_MUST_CHECK
#define ASSAY_PRINTF(fmt, args)
#endif

/** What every fallible function returns: 0, or one negative reason. The words belonging
 * to it are in assay_last_error(). */
typedef enum assay_status {
    ASSAY_OK = 0,
    ASSAY_E_NOMEM = -1,        /**< memory could not be had */
    ASSAY_E_NOSPC = -2,        /**< the disk is full */
    ASSAY_E_INVALID = -3,      /**< a wrong argument or option; an unwritable output */
    ASSAY_E_SHAPE = -4,        /**< sizes that do not fit together */
    ASSAY_E_DTYPE = -5,        /**< an element type that is not accepted here */
    ASSAY_E_IO = -6,           /**< reading failed below us */
    ASSAY_E_FORMAT = -7,       /**< bytes that are not what they should be */
    ASSAY_E_VERSION = -8,      /**< a file of another version */
    ASSAY_E_NOTFOUND = -9,     /**< a named thing does not exist */
    ASSAY_E_UNSUPPORTED = -10, /**< legal, but not done here */
    ASSAY_E_CANCELLED = -11,   /**< by assay_ctx_cancel() or a progress callback */
    ASSAY_E_NUMERIC = -12,     /**< NaN, infinity, a singular matrix */
    ASSAY_E_INTERNAL = -13     /**< a bug of ours */
} assay_status;

/** Short name of a status, "FORMAT" for ASSAY_E_FORMAT. Never NULL. @threads safe */
ASSAY_API const char *assay_status_name(assay_status status);

/** The detail of the last failure on this thread. Strings may be empty. */
typedef struct assay_error {
    assay_status status;
    const char *message; /**< what went wrong, without a full stop */
    const char *where;   /**< file, offset, sample, field */
    const char *help;    /**< the next step */
} assay_error;

/** Borrowed until this thread's next failing call. Never NULL. @threads per thread */
ASSAY_API const assay_error *assay_last_error(void);

/** The library's version, "0.1.0". @threads safe */
ASSAY_API const char *assay_version(void);

/* ---- context ---- */

typedef struct assay_ctx assay_ctx;

/** Replacement for malloc. `alloc` returns 64-byte aligned memory or NULL. @threads must
 * be safe */
typedef struct assay_allocator {
    void *(*alloc)(void *cookie, size_t bytes);
    void (*release)(void *cookie, void *memory); /**< accepts NULL */
    void *cookie;
} assay_allocator;

typedef enum assay_log_level {
    ASSAY_LOG_ERROR = 0,
    ASSAY_LOG_WARN = 1,
    ASSAY_LOG_INFO = 2,
    ASSAY_LOG_DEBUG = 3
} assay_log_level;

/** Receives one line without a newline. @threads called from any thread, one at a time */
typedef void (*assay_log_fn)(void *cookie, assay_log_level level, const char *line);

/** Where a long job is. */
typedef struct assay_progress {
    const char *phase; /**< "training" */
    int phase_index;   /**< 1-based, 0 when the job has one phase only */
    int phase_count;
    int64_t done, total; /**< in `unit`; total 0 = unknown */
    const char *unit;    /**< "images" */
    uint64_t elapsed_ns; /**< since the phase began */
} assay_progress;

/** At most ten times a second, and once at a phase's end; nonzero cancels the job.
 *  @threads called from any thread, one at a time */
typedef int (*assay_progress_fn)(void *cookie, const assay_progress *progress);

typedef struct assay_ctx_options {
    size_t struct_size;
    int threads; /**< 0: ASSAY_THREADS, else the processors allowed */
    const assay_allocator *allocator; /**< NULL: the system's; copied */
    assay_log_fn log;                 /**< NULL: silent unless ASSAY_VERBOSE is set */
    void *log_cookie;
    assay_log_level log_level;  /**< lines above this level are not made */
    assay_progress_fn progress; /**< NULL: none */
    void *progress_cookie;
} assay_ctx_options;
#define ASSAY_CTX_OPTIONS_INIT                                                           \
    { .struct_size = sizeof(assay_ctx_options), .log_level = ASSAY_LOG_WARN }

/** Makes a context: the thread budget, its pool, the allocator, the log.
 *  @param out  set to NULL on failure   @param options  NULL: defaults
 *  @errors NOMEM, INVALID   @threads safe */
ASSAY_API ASSAY_MUST_CHECK assay_status
assay_ctx_create(assay_ctx **out, const assay_ctx_options *options);

/** Joins the workers. Everything made with the context must be gone. Accepts NULL. */
ASSAY_API void assay_ctx_destroy(assay_ctx *ctx);

/** Asks running work to end at its next safe point with CANCELLED.
 *  @threads safe, also from a signal handler */
ASSAY_API void assay_ctx_cancel(assay_ctx *ctx);

/** Clears a cancellation, so that the context can be used again. */
ASSAY_API void assay_ctx_resume(assay_ctx *ctx);

/** The thread budget. */
ASSAY_API int assay_ctx_threads(const assay_ctx *ctx);

/** The instruction set in use: "none", "avx2", "avx512", "avx512v". ASSAY_ISA lowers it. @threads
 * safe */
ASSAY_API const char *assay_isa_name(void);

/** Peak of this process's own memory (RssAnon + RssShmem; mapped files do not count), in
 * bytes, as far as it was sampled by the contexts that lived. @threads safe */
ASSAY_API uint64_t assay_peak_bytes(void);

#ifdef __cplusplus
}
#endif
#endif

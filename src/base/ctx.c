/* The context: memory, log, progress and cancellation. */
#include "base/ctx.h"

#include "base/cpu.h"
#include "base/options.h"
#include "base/os.h"
#include "base/pool.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CTX_MAX_THREADS  1024
#define PROGRESS_TICK_NS UINT64_C(100000000)

struct assay_ctx {
    assay_allocator allocator;
    atomic_uint_least64_t alloc_count;
    int threads;
    struct pool *pool;
    atomic_int cancelled;

    pthread_mutex_t log_lock;
    assay_log_fn log;
    void *log_cookie;
    assay_log_level log_level;
    char verbose[256]; /* ASSAY_VERBOSE: words between commas */

    pthread_mutex_t progress_lock;
    assay_progress_fn progress;
    void *progress_cookie;
    assay_progress now; /* `done` is kept in the atomic below */
    uint64_t began_ns;
    atomic_int_least64_t done;
    atomic_uint_least64_t next_tick_ns;
};

/* ---- memory ---- */

static void *system_alloc(void *cookie, size_t bytes) {
    (void)cookie;
    void *memory = NULL;
    return posix_memalign(&memory, 64, bytes) == 0 ? memory : NULL;
}

static void system_release(void *cookie, void *memory) {
    (void)cookie;
    free(memory);
}

void *mem_alloc(assay_ctx *ctx, size_t bytes) {
    atomic_fetch_add_explicit(&ctx->alloc_count, 1, memory_order_relaxed);
    return ctx->allocator.alloc(ctx->allocator.cookie, bytes ? bytes : 1);
}

void mem_free(assay_ctx *ctx, void *memory) {
    if (memory)
        ctx->allocator.release(ctx->allocator.cookie, memory);
}

static assay_status mem_fail(size_t count, size_t size) {
    return err_set(ASSAY_E_NOMEM, "no memory for %zu x %zu bytes", count, size);
}

assay_status mem_new(assay_ctx *ctx, void *out, size_t count, size_t size) {
    void *memory = NULL;
    memcpy(out, &memory,
           sizeof memory); /* `out` is the address of a pointer of any type */
    if (size && count > SIZE_MAX / 2 / size)
        return mem_fail(count, size);
    memory = mem_alloc(ctx, count * size);
    if (!memory)
        return mem_fail(count, size);
    memset(memory, 0, count * size);
    memcpy(out, &memory, sizeof memory);
    return ASSAY_OK;
}

assay_status mem_grow(
    assay_ctx *ctx, void *array, size_t used, size_t *cap, size_t need, size_t size) {
    if (need <= *cap)
        return ASSAY_OK;
    size_t grown = *cap + *cap / 2;
    if (grown < need)
        grown = need;
    if (grown < 16)
        grown = 16;
    if (grown > SIZE_MAX / 2 / size)
        return mem_fail(grown, size);
    void *old;
    memcpy(&old, array, sizeof old);
    void *memory = mem_alloc(ctx, grown * size);
    if (!memory)
        return mem_fail(grown, size);
    if (used)
        memcpy(memory, old, used * size);
    mem_free(ctx, old);
    memcpy(array, &memory, sizeof memory);
    *cap = grown;
    return ASSAY_OK;
}

assay_status mem_strdup(assay_ctx *ctx, char **out, const char *text) {
    size_t n = strlen(text) + 1;
    *out = mem_alloc(ctx, n);
    if (!*out)
        return mem_fail(n, 1);
    memcpy(*out, text, n);
    return ASSAY_OK;
}

uint64_t mem_alloc_count(const assay_ctx *ctx) {
    return atomic_load_explicit(&ctx->alloc_count, memory_order_relaxed);
}

/* ---- creation ---- */

static assay_status threads_wanted(int *out, int given) {
    *out = given;
    if (given == 0) {
        const char *text = getenv("ASSAY_THREADS");
        if (!text || !*text) {
            *out = os_processors();
        } else {
            char *end;
            long v = strtol(text, &end, 10);
            if (*end || v < 1 || v > CTX_MAX_THREADS) {
                err_set(ASSAY_E_INVALID, "ASSAY_THREADS is \"%s\"", text);
                err_help("set it to a number from 1 to %d, or unset it", CTX_MAX_THREADS);
                return ASSAY_E_INVALID;
            }
            *out = (int)v;
        }
    }
    if (*out < 1)
        return err_set(ASSAY_E_INVALID, "%d threads were asked for", given);
    if (*out > CTX_MAX_THREADS)
        *out = CTX_MAX_THREADS;
    return ASSAY_OK;
}

assay_status assay_ctx_create(assay_ctx **out, const assay_ctx_options *options) {
    assay_status status = ASSAY_OK;
    assay_ctx *ctx = NULL;
    *out = NULL;
    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    ASSAY_TRY(options_take(&o, sizeof o, options, "assay_ctx_options"));
    const assay_allocator system = {.alloc = system_alloc, .release = system_release};
    const assay_allocator *allocator = o.allocator ? o.allocator : &system;
    if (!allocator->alloc || !allocator->release)
        ASSAY_FAIL(ASSAY_E_INVALID, "the allocator lacks a function");
    if (o.log_level < ASSAY_LOG_ERROR || o.log_level > ASSAY_LOG_DEBUG)
        ASSAY_FAIL(ASSAY_E_INVALID, "there is no log level %d", (int)o.log_level);
    const char *isa = getenv("ASSAY_ISA");
    cpu_isa cap;
    if (isa && *isa && !cpu_isa_parse(&cap, isa)) {
        status = err_set(ASSAY_E_INVALID, "ASSAY_ISA is \"%s\"", isa);
        err_help("set it to none, avx2 or avx512, or unset it");
        goto done;
    }
    int threads;
    ASSAY_TRY(threads_wanted(&threads, o.threads));

    ctx = allocator->alloc(allocator->cookie, sizeof *ctx);
    if (!ctx)
        ASSAY_FAIL(ASSAY_E_NOMEM, "no memory for a context");
    memset(ctx, 0, sizeof *ctx);
    ctx->allocator = *allocator;
    ctx->threads = threads;
    ctx->log = o.log;
    ctx->log_cookie = o.log_cookie;
    ctx->log_level = o.log_level;
    ctx->progress = o.progress;
    ctx->progress_cookie = o.progress_cookie;
    const char *words = getenv("ASSAY_VERBOSE");
    if (words)
        (void)snprintf(ctx->verbose, sizeof ctx->verbose, "%s", words);
    (void)pthread_mutex_init(&ctx->log_lock,
                             NULL); /* can't fail with default attributes here */
    (void)pthread_mutex_init(&ctx->progress_lock, NULL);
    ASSAY_TRY(pool_create(&ctx->pool, ctx, threads));
    *out = ctx;
    ctx = NULL;
done:
    assay_ctx_destroy(ctx);
    return status;
}

void assay_ctx_destroy(assay_ctx *ctx) {
    if (!ctx)
        return;
    os_sample_memory();
    pool_destroy(ctx->pool, ctx);
    (void)pthread_mutex_destroy(&ctx->log_lock);
    (void)pthread_mutex_destroy(&ctx->progress_lock);
    assay_allocator allocator = ctx->allocator;
    allocator.release(allocator.cookie, ctx);
}

int assay_ctx_threads(const assay_ctx *ctx) {
    return ctx->threads;
}

struct pool *ctx_pool(const assay_ctx *ctx) {
    return ctx->pool;
}

/* ---- cancellation ---- */

void assay_ctx_cancel(assay_ctx *ctx) {
    atomic_store(&ctx->cancelled, 1);
}

void assay_ctx_resume(assay_ctx *ctx) {
    atomic_store(&ctx->cancelled, 0);
}

bool ctx_cancelled(const assay_ctx *ctx) {
    return atomic_load(&ctx->cancelled) != 0;
}

assay_status ctx_check(assay_ctx *ctx) {
    if (ctx_cancelled(ctx))
        return err_set(ASSAY_E_CANCELLED, "interrupted");
    return ASSAY_OK;
}

/* ---- log ---- */

static void log_emit(assay_ctx *ctx, assay_log_level level, const char *line) {
    (void)pthread_mutex_lock(&ctx->log_lock);
    if (ctx->log)
        ctx->log(ctx->log_cookie, level, line);
    else if (ctx->verbose[0])
        (void)fprintf(stderr, "assay: %s\n", line);
    (void)pthread_mutex_unlock(&ctx->log_lock);
}

bool log_on(const assay_ctx *ctx, assay_log_level level) {
    return level <= ctx->log_level && (ctx->log || ctx->verbose[0]);
}

void log_line(assay_ctx *ctx, assay_log_level level, const char *fmt, ...) {
    if (!log_on(ctx, level))
        return;
    char line[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    log_emit(ctx, level, line);
}

bool log_verbose_on(const assay_ctx *ctx, const char *word) {
    size_t n = strlen(word);
    for (const char *p = ctx->verbose; *p;) {
        size_t len = strcspn(p, ",");
        if ((len == n && memcmp(p, word, n) == 0) ||
            (len == 3 && memcmp(p, "all", 3) == 0))
            return true;
        p += len;
        p += *p == ',';
    }
    return false;
}

void log_verbose(assay_ctx *ctx, const char *word, const char *fmt, ...) {
    if (!log_verbose_on(ctx, word))
        return;
    char line[1024];
    int n = snprintf(line, sizeof line, "%s: ", word);
    size_t used = n < 0 ? 0 : (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(line + used, sizeof line - used, fmt, args);
    va_end(args);
    log_emit(ctx, ASSAY_LOG_INFO, line);
}

/* ---- progress ---- */

/* With progress_lock held. */
static void progress_tell(assay_ctx *ctx, uint64_t now_ns) {
    if (!ctx->progress || !ctx->now.phase)
        return;
    assay_progress p = ctx->now;
    p.done = atomic_load(&ctx->done);
    p.elapsed_ns = now_ns - ctx->began_ns;
    if (ctx->progress(ctx->progress_cookie, &p) != 0)
        assay_ctx_cancel(ctx);
}

void progress_phase(assay_ctx *ctx, int index, int count) {
    (void)pthread_mutex_lock(&ctx->progress_lock);
    ctx->now.phase_index = index;
    ctx->now.phase_count = count;
    (void)pthread_mutex_unlock(&ctx->progress_lock);
}

void progress_begin(assay_ctx *ctx, const char *phase, int64_t total, const char *unit) {
    (void)pthread_mutex_lock(&ctx->progress_lock);
    ctx->now.phase = phase;
    ctx->now.unit = unit;
    ctx->now.total = total;
    ctx->began_ns = os_now_ns();
    atomic_store(&ctx->done, 0);
    (void)pthread_mutex_unlock(&ctx->progress_lock);
}

void progress_add(assay_ctx *ctx, int64_t done) {
    atomic_fetch_add(&ctx->done, done);
    uint64_t now_ns = os_now_ns();
    if (now_ns < atomic_load_explicit(&ctx->next_tick_ns, memory_order_relaxed) ||
        pthread_mutex_trylock(&ctx->progress_lock) != 0) /* someone else is telling */
        return;
    if (now_ns >= atomic_load_explicit(&ctx->next_tick_ns, memory_order_relaxed)) {
        atomic_store_explicit(&ctx->next_tick_ns, now_ns + PROGRESS_TICK_NS,
                              memory_order_relaxed);
        os_sample_memory();
        progress_tell(ctx, now_ns);
    }
    (void)pthread_mutex_unlock(&ctx->progress_lock);
}

void progress_end(assay_ctx *ctx) {
    os_sample_memory();
    (void)pthread_mutex_lock(&ctx->progress_lock);
    progress_tell(ctx, os_now_ns());
    ctx->now.phase = NULL;
    (void)pthread_mutex_unlock(&ctx->progress_lock);
}

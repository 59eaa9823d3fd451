/* The context: creation, memory, log, progress, cancellation. */
#include "base/ctx.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/os.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct counting {
    int live, calls, fail_at;
} counting;

static void *counting_alloc(void *cookie, size_t bytes) {
    counting *c = cookie;
    if (++c->calls == c->fail_at)
        return NULL;
    void *memory = NULL;
    if (posix_memalign(&memory, 64, bytes) != 0)
        return NULL;
    memset(memory, 0xA5, bytes);
    c->live++;
    return memory;
}

static void counting_release(void *cookie, void *memory) {
    counting *c = cookie;
    c->live -= memory != NULL;
    free(memory);
}

static void test_create(void **state) {
    (void)state;
    assay_ctx *ctx;
    assert_int_equal(assay_ctx_create(&ctx, NULL), ASSAY_OK);
    assert_true(assay_ctx_threads(ctx) >= 1);
    assay_ctx_destroy(ctx);
    assay_ctx_destroy(NULL);

    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    o.threads = 3;
    assert_int_equal(assay_ctx_create(&ctx, &o), ASSAY_OK);
    assert_int_equal(assay_ctx_threads(ctx), 3);
    assay_ctx_destroy(ctx);

    o.threads = -1;
    assert_int_equal(assay_ctx_create(&ctx, &o), ASSAY_E_INVALID);
    assert_null(ctx);
    o.threads = 0;
    o.log_level = (assay_log_level)9;
    assert_int_equal(assay_ctx_create(&ctx, &o), ASSAY_E_INVALID);
    o.log_level = ASSAY_LOG_WARN;
    o.struct_size = 1;
    assert_int_equal(assay_ctx_create(&ctx, &o), ASSAY_E_INVALID);
}

static void test_environment(void **state) {
    (void)state;
    assay_ctx *ctx;
    static const char *const bad[] = {"x", "0", "-3", "2x", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(setenv("ASSAY_THREADS", bad[i], 1), 0);
        assert_int_equal(assay_ctx_create(&ctx, NULL), ASSAY_E_INVALID);
        assert_null(ctx);
        assert_string_not_equal(assay_last_error()->help, "");
    }
    assert_int_equal(setenv("ASSAY_THREADS", "5", 1), 0);
    assert_int_equal(assay_ctx_create(&ctx, NULL), ASSAY_OK);
    assert_int_equal(assay_ctx_threads(ctx), 5);
    assay_ctx_destroy(ctx);
    assert_int_equal(unsetenv("ASSAY_THREADS"), 0);

    const char *was = getenv("ASSAY_ISA");
    char kept[32] = "";
    if (was)
        (void)snprintf(kept, sizeof kept, "%s", was);
    assert_int_equal(setenv("ASSAY_ISA", "sse9", 1), 0);
    assert_int_equal(assay_ctx_create(&ctx, NULL), ASSAY_E_INVALID);
    assert_int_equal(was ? setenv("ASSAY_ISA", kept, 1) : unsetenv("ASSAY_ISA"), 0);
}

static void test_memory(void **state) {
    (void)state;
    counting c = {0};
    assay_allocator allocator = {counting_alloc, counting_release, &c};
    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    o.allocator = &allocator;
    assay_ctx *ctx;
    assert_int_equal(assay_ctx_create(&ctx, &o), ASSAY_OK);
    uint64_t before = mem_alloc_count(ctx);
    int *a;
    assert_int_equal(mem_new(ctx, &a, 100, sizeof *a), ASSAY_OK);
    assert_int_equal((uintptr_t)a % 64, 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(a[i], 0);
    assert_int_equal(mem_alloc_count(ctx), before + 1);
    char *none;
    assert_int_equal(mem_new(ctx, &none, SIZE_MAX / 2, 4), ASSAY_E_NOMEM);
    assert_null(none);

    size_t cap = 0, used = 0;
    for (; used < 1000; used++) {
        assert_int_equal(mem_grow(ctx, &a, used, &cap, used + 1, sizeof *a), ASSAY_OK);
        a[used] = (int)used;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(a[i], i);
    assert_true(mem_alloc_count(ctx) < before + 20); /* it grows by more than one */
    assert_int_equal(mem_grow(ctx, &a, used, &cap, SIZE_MAX / 2, sizeof *a),
                     ASSAY_E_NOMEM);
    assert_int_equal(a[999], 999);
    char *s;
    assert_int_equal(mem_strdup(ctx, &s, "text"), ASSAY_OK);
    assert_string_equal(s, "text");
    mem_free(ctx, s);
    mem_free(ctx, a);
    mem_free(ctx, NULL);
    assay_ctx_destroy(ctx);
    assert_int_equal(c.live, 0);

    /* Creation fails cleanly at every allocation. */
    int calls = 1;
    for (;; calls++) {
        c = (counting){.fail_at = calls};
        assay_status status = assay_ctx_create(&ctx, &o);
        if (status == ASSAY_OK)
            break;
        assert_int_equal(status, ASSAY_E_NOMEM);
        assert_null(ctx);
        assert_int_equal(c.live, 0);
    }
    assert_true(calls > 2);
    assay_ctx_destroy(ctx);
    assert_int_equal(c.live, 0);
}

typedef struct lines {
    int count;
    assay_log_level level;
    char last[2000];
} lines;

static void keep_line(void *cookie, assay_log_level level, const char *line) {
    lines *l = cookie;
    l->count++;
    l->level = level;
    (void)snprintf(l->last, sizeof l->last, "%s", line);
}

static void test_log(void **state) {
    (void)state;
    lines l = {0};
    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    o.log = keep_line;
    o.log_cookie = &l;
    assay_ctx *ctx;
    assert_int_equal(setenv("ASSAY_VERBOSE", "dispatch,profile", 1), 0);
    assert_int_equal(assay_ctx_create(&ctx, &o), ASSAY_OK);
    assert_int_equal(unsetenv("ASSAY_VERBOSE"), 0);
    log_line(ctx, ASSAY_LOG_INFO, "too quiet");
    assert_int_equal(l.count, 0);
    log_line(ctx, ASSAY_LOG_WARN, "%d files", 3);
    assert_string_equal(l.last, "3 files");
    assert_true(log_verbose_on(ctx, "dispatch"));
    assert_true(log_verbose_on(ctx, "profile"));
    assert_false(log_verbose_on(ctx, "prof"));
    assert_false(log_verbose_on(ctx, "loader"));
    log_verbose(ctx, "loader", "no");
    assert_int_equal(l.count, 1);
    log_verbose(ctx, "dispatch", "conv by %s", "hand");
    assert_string_equal(l.last, "dispatch: conv by hand");
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    log_line(ctx, ASSAY_LOG_ERROR, "%s", text);
    assert_int_equal(strlen(l.last), 1023);
    assay_ctx_destroy(ctx);

    assert_int_equal(assay_ctx_create(&ctx, NULL), ASSAY_OK); /* silent */
    assert_false(log_on(ctx, ASSAY_LOG_ERROR));
    assay_ctx_destroy(ctx);
}

typedef struct heard {
    int count, answer;
    assay_progress last;
} heard;

static int hear(void *cookie, const assay_progress *p) {
    heard *h = cookie;
    h->count++;
    h->last = *p;
    return h->answer;
}

static void test_progress(void **state) {
    (void)state;
    heard h = {0};
    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    o.progress = hear;
    o.progress_cookie = &h;
    assay_ctx *ctx;
    assert_int_equal(assay_ctx_create(&ctx, &o), ASSAY_OK);
    progress_phase(ctx, 2, 5);
    progress_begin(ctx, "training", 100000, "images");
    uint64_t start = os_now_ns();
    for (int i = 0; i < 100000; i++)
        progress_add(ctx, 1);
    uint64_t ticks = (os_now_ns() - start) / 100000000u;
    assert_true(h.count >= 1 && (uint64_t)h.count <= ticks + 1);
    progress_end(ctx);
    assert_string_equal(h.last.phase, "training");
    assert_string_equal(h.last.unit, "images");
    assert_int_equal(h.last.done, 100000);
    assert_int_equal(h.last.total, 100000);
    assert_int_equal(h.last.phase_index, 2);
    assert_int_equal(h.last.phase_count, 5);
    assert_true(h.last.elapsed_ns > 0);
    progress_add(ctx, 1); /* between phases: nothing to tell */
    int count = h.count;
    progress_end(ctx);
    assert_int_equal(h.count, count);

    assert_int_equal(ctx_check(ctx), ASSAY_OK);
    h.answer = 1;
    progress_phase(ctx, 0, 0);
    progress_begin(ctx, "next", 0, "rows");
    progress_end(ctx);
    assert_true(ctx_cancelled(ctx));
    assert_int_equal(ctx_check(ctx), ASSAY_E_CANCELLED);
    assert_int_equal(assay_last_error()->status, ASSAY_E_CANCELLED);
    assay_ctx_resume(ctx);
    assert_int_equal(ctx_check(ctx), ASSAY_OK);
    assay_ctx_cancel(ctx);
    assert_true(ctx_cancelled(ctx));
    assay_ctx_destroy(ctx);
}

static void test_arena(void **state) {
    (void)state;
    assay_ctx *ctx;
    assert_int_equal(assay_ctx_create(&ctx, NULL), ASSAY_OK);
    arena a;
    assert_int_equal(arena_init(&a, ctx, 200), ASSAY_OK); /* becomes 256 */
    uint64_t before = mem_alloc_count(ctx);
    for (int round = 0; round < 3; round++) {
        uint8_t *p = arena_take(&a, 1), *q = arena_take(&a, 65), *r = arena_take(&a, 64);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
        assert_ptr_equal(q, p + 64);
        assert_ptr_equal(r, p + 192);
        assert_null(arena_take(&a, 1));
        assert_null(arena_take(&a, SIZE_MAX));
        arena_reset(&a);
    }
    assert_int_equal(mem_alloc_count(ctx), before);
    arena_free(&a);
    assert_null(arena_take(&a, 0));
    arena_free(&a);
    assert_int_equal(arena_init(&a, ctx, SIZE_MAX), ASSAY_E_NOMEM);
    arena_free(&a);
    assay_ctx_destroy(ctx);
}

static void test_buf(void **state) {
    (void)state;
    counting c = {0};
    assay_allocator allocator = {counting_alloc, counting_release, &c};
    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    o.allocator = &allocator;
    assay_ctx *ctx;
    assert_int_equal(assay_ctx_create(&ctx, &o), ASSAY_OK);
    buf b = buf_make(ctx);
    assert_int_equal(buf_check(&b), ASSAY_OK);
    buf_fmt(&b, "%s", "");
    assert_string_equal(b.data, "");
    for (int i = 0; i < 1000; i++)
        buf_fmt(&b, "%d,", i);
    assert_int_equal(b.len, 10 * 2 + 90 * 3 + 900 * 4);
    assert_memory_equal(b.data + b.len - 8, "998,999,", 9);
    char text[2000];
    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    buf_clear(&b);
    buf_fmt(&b, "<%s>", text); /* more than fits the small buffer */
    assert_int_equal(b.len, 2001);
    assert_int_equal(b.data[2000], '>');
    assert_int_equal(b.data[2001], '\0');
    /* Failure sticks until cleared. */
    c.fail_at = c.calls + 1;
    for (int i = 0; i < 10; i++)
        buf_str(&b, text);
    assert_int_equal(buf_check(&b), ASSAY_E_NOMEM);
    size_t len = b.len;
    buf_str(&b, "more");
    assert_int_equal(b.len, len);
    buf_clear(&b);
    buf_str(&b, "again");
    assert_int_equal(buf_check(&b), ASSAY_OK);
    assert_string_equal(b.data, "again");
    buf_free(&b);
    buf_free(&b);
    assay_ctx_destroy(ctx);
    assert_int_equal(c.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),   cmocka_unit_test(test_environment),
        cmocka_unit_test(test_memory),   cmocka_unit_test(test_log),
        cmocka_unit_test(test_progress), cmocka_unit_test(test_arena),
        cmocka_unit_test(test_buf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

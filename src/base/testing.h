/* What test programs share: cmocka in the order it needs, a context, a scratch folder,
 * the folder of golden files. For *_test.c only. */
#ifndef BASE_TESTING_H
#define BASE_TESTING_H

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/os.h"

#define assert_ok(expr)          test_status(ASSAY_OK, expr, #expr, __FILE__, __LINE__)
#define assert_fails(code, expr) test_status(code, expr, #expr, __FILE__, __LINE__)

static inline void test_status(
    assay_status want, assay_status got, const char *what, const char *file, int line) {
    if (want == got)
        return;
    const assay_error *e = assay_last_error();
    print_error("%s: want %s, got %s (%s; %s)\n", what, assay_status_name(want),
                assay_status_name(got), e->message, e->where);
    _fail(file, line);
}

static inline assay_ctx *test_ctx(int threads) {
    assay_ctx_options options = ASSAY_CTX_OPTIONS_INIT;
    assay_ctx *ctx = NULL;
    options.threads = threads;
    assert_ok(assay_ctx_create(&ctx, &options));
    return ctx;
}

/* An allocator that fails from the `left`-th allocation on; the rest is left to the
 * sanitizer. */
static inline void *test_failing_alloc(void *cookie, size_t bytes) {
    long *left = cookie;
    if (*left == 0)
        return NULL;
    --*left;
    return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

static inline void test_failing_release(void *cookie, void *memory) {
    (void)cookie;
    free(memory);
}

/* A context over it, single-threaded; set *left when the test begins. */
static inline assay_ctx *test_ctx_failing(long *left) {
    assay_allocator allocator = {test_failing_alloc, test_failing_release, left};
    assay_ctx_options options = ASSAY_CTX_OPTIONS_INIT;
    assay_ctx *ctx = NULL;
    *left = LONG_MAX;
    options.threads = 1;
    options.allocator = &allocator;
    assert_ok(assay_ctx_create(&ctx, &options));
    return ctx;
}

/* Paths in an empty folder, which test_scratch_end removes. One at a time. */
typedef struct test_scratch {
    char folder[256];
} test_scratch;

static inline test_scratch test_scratch_begin(void) {
    test_scratch s;
    const char *base = getenv("TMPDIR");
    (void)snprintf(s.folder, sizeof s.folder, "%s/assay-test-XXXXXX",
                   base && base[0] ? base : "/tmp");
    assert_non_null(mkdtemp(s.folder));
    return s;
}

static inline void test_scratch_end(test_scratch *s) {
    assert_ok(os_remove_tree(s->folder));
}

typedef struct test_path {
    char text[512];
} test_path;

static inline test_path test_in(const test_scratch *s, const char *name) {
    test_path p;
    (void)snprintf(p.text, sizeof p.text, "%s/%s", s->folder, name);
    return p;
}

/* Number of files in the scratch folder: to see that nothing half-written stays. */
static inline size_t test_count_files(assay_ctx *ctx, const test_scratch *s) {
    os_names names;
    assert_ok(os_list_dir(ctx, s->folder, &names));
    size_t n = names.count;
    os_names_free(&names);
    return n;
}

static inline void test_put(const char *path, const void *data, size_t bytes) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
}

static inline uint8_t *test_get(assay_ctx *ctx, const char *path, size_t *bytes) {
    uint8_t *data = NULL;
    assert_ok(os_read_file(ctx, path, SIZE_MAX / 2, &data, bytes));
    return data;
}

/* That two folders have the same bytes in a file of that name. */
static inline void
test_same_file(assay_ctx *ctx, const char *a, const char *b, const char *name) {
    char x[700], y[700];
    (void)snprintf(x, sizeof x, "%.600s/%s", a, name);
    (void)snprintf(y, sizeof y, "%.600s/%s", b, name);
    size_t n, m;
    uint8_t *p = test_get(ctx, x, &n), *q = test_get(ctx, y, &m);
    assert_int_equal(n, m);
    assert_memory_equal(p, q, n);
    mem_free(ctx, p);
    mem_free(ctx, q);
}

/* A path in the folder of golden files and data sets (ASSAY_SHARED, or beside the
 * checkout). Skips the test, saying so, where it is absent. */
static inline test_path test_shared(const char *name) {
    test_path p;
    const char *shared = getenv("ASSAY_SHARED");
    (void)snprintf(p.text, sizeof p.text, "%s/%s",
                   shared && shared[0] ? shared : ASSAY_SOURCE_DIR "/../shared", name);
    if (!os_exists(p.text)) {
        print_message("skipped: %s is absent (set ASSAY_SHARED)\n", p.text);
        skip();
    }
    return p;
}

/* Unpacks a .gz with the gzip program, which every system has. */
static inline void test_gunzip(const test_path *from, const test_path *to) {
    char command[2 * sizeof from->text + 32];
    (void)snprintf(command, sizeof command, "gzip -dc '%s' > '%s'", from->text, to->text);
    assert_int_equal(system(command), 0);
}

#endif

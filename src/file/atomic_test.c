/* Files appear whole or not at all, also when the disk is full. */
#include "base/testing.h"
#include "file/atomic.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void put_and_replace(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch dir = test_scratch_begin();
    test_path p = test_in(&dir, "a.bin");
    size_t n;
    assert_ok(atomic_put(ctx, p.text, "one", 3));
    assert_ok(atomic_put(ctx, p.text, "two!", 4));
    uint8_t *data = test_get(ctx, p.text, &n);
    assert_int_equal(n, 4);
    assert_memory_equal(data, "two!", 4);
    mem_free(ctx, data);
    assert_int_equal(test_count_files(ctx, &dir), 1);
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

static void write_at_and_abandon(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch dir = test_scratch_begin();
    test_path p = test_in(&dir, "a.bin");
    atomic_file f;
    size_t n;
    assert_ok(atomic_open(&f, ctx, p.text));
    assert_ok(atomic_write(&f, "0123", 4));
    assert_ok(atomic_write_at(&f, 8, "89", 2));
    assert_ok(atomic_write(&f, "45", 2));
    assert_false(os_exists(p.text));
    assert_ok(atomic_commit(&f));
    atomic_abandon(&f); /* closed: nothing happens */
    uint8_t *data = test_get(ctx, p.text, &n);
    assert_int_equal(n, 10);
    assert_memory_equal(data, "012345\0\089", 10);
    mem_free(ctx, data);
    assert_ok(atomic_open(&f, ctx, p.text));
    assert_ok(atomic_write(&f, "zzz", 3));
    atomic_abandon(&f);
    assert_int_equal(test_count_files(ctx, &dir), 1);
    f = (atomic_file){0};
    atomic_abandon(&f); /* never opened */
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

static void unwritable(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch dir = test_scratch_begin();
    test_path p = test_in(&dir, "no/such/folder.bin");
    assert_fails(ASSAY_E_INVALID, atomic_put(ctx, p.text, "x", 1));
    assert_string_equal(assay_last_error()->where, p.text);
    assert_fails(ASSAY_E_INVALID, atomic_put(ctx, dir.folder, "x", 1));
    assert_fails(ASSAY_E_INVALID, append_line(ctx, p.text, "x\n", 2));
    assert_int_equal(test_count_files(ctx, &dir), 0);
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

static void two_at_once(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch dir = test_scratch_begin();
    test_path p = test_in(&dir, "a.bin");
    atomic_file a, b;
    size_t n;
    assert_ok(atomic_open(&a, ctx, p.text));
    assert_ok(atomic_open(&b, ctx, p.text));
    assert_ok(atomic_write(&a, "a", 1));
    assert_ok(atomic_write(&b, "bb", 2));
    assert_ok(atomic_commit(&a));
    assert_ok(atomic_commit(&b));
    uint8_t *data = test_get(ctx, p.text, &n);
    assert_int_equal(n, 2);
    mem_free(ctx, data);
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

static void append(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch dir = test_scratch_begin();
    test_path p = test_in(&dir, "log.jsonl");
    size_t n;
    assert_ok(append_line(ctx, p.text, "{}\n", 3));
    assert_ok(append_line(ctx, p.text, "[]\n", 3));
    uint8_t *data = test_get(ctx, p.text, &n);
    assert_string_equal((const char *)data, "{}\n[]\n");
    mem_free(ctx, data);
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

/* A file size limit stands in for a full disk where a small one can't be mounted. */
static void size_limit(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch dir = test_scratch_begin();
    test_path p = test_in(&dir, "a.bin"), q = test_in(&dir, "log");
    struct rlimit old, small;
    static const uint8_t zeros[5000];
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    small = old;
    small.rlim_cur = 4096;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assay_status put = atomic_put(ctx, p.text, zeros, sizeof zeros);
    assay_status first = append_line(ctx, q.text, (const char *)zeros, 4000);
    assay_status second = append_line(ctx, q.text, (const char *)zeros, 4000);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, handler);
    assert_int_equal(put, ASSAY_E_NOSPC);
    assert_false(os_exists(p.text));
    assert_int_equal(first, ASSAY_OK);
    assert_int_equal(second, ASSAY_E_NOSPC);
    struct stat st;
    assert_int_equal(stat(q.text, &st), 0);
    assert_int_equal(st.st_size, 4000); /* no half line */
    assert_int_equal(test_count_files(ctx, &dir), 1);
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

static int shell(const char *fmt, const char *folder) {
    char command[600];
    (void)snprintf(command, sizeof command, fmt, folder);
    int rc = system(command);
    return WIFEXITED(rc) ? WEXITSTATUS(rc) : -1;
}

static void full_disk(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch dir = test_scratch_begin();
    if (geteuid() != 0 ||
        shell("mount -t tmpfs -o size=64k tmpfs %s 2>/dev/null", dir.folder) != 0) {
        print_message("skipped: a small file system can't be mounted here\n");
        test_scratch_end(&dir);
        assay_ctx_destroy(ctx);
        skip();
    }
    test_path p = test_in(&dir, "a.bin");
    static const uint8_t zeros[100000];
    assay_status small = atomic_put(ctx, p.text, "old", 3);
    assay_status big = atomic_put(ctx, p.text, zeros, sizeof zeros);
    size_t files = test_count_files(ctx, &dir);
    struct stat st = {0};
    int there = stat(p.text, &st);
    assert_int_equal(shell("umount %s", dir.folder), 0);
    assert_int_equal(small, ASSAY_OK);
    assert_int_equal(big, ASSAY_E_NOSPC);
    assert_int_equal(there, 0);
    assert_int_equal(st.st_size, 3); /* the old file is still the whole old file */
    assert_int_equal(files, 1);
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

/* What killed writers left goes, what only looks like it stays. */
static void leftovers_are_swept(void **state) {
    (void)state;
    static const char *const name[] = {"a.json.tmp-123-0", "b.tmp-9-14",  "c.json",
                                       "d.tmp-x-0",        "e.tmp-12",    "f.tmp-1-2.npy",
                                       ".tmp-1-2"};
    assay_ctx *ctx = test_ctx(1);
    char folder[] = "/tmp/assay-sweep-XXXXXX", path[128];
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < 7; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, name[i]);
        assert_ok(atomic_put(ctx, path, "x", 1));
    }
    assert_ok(atomic_sweep(ctx, folder));
    for (size_t i = 0; i < 7; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, name[i]);
        assert_int_equal(os_exists(path), i >= 2);
    }
    assert_ok(os_remove_tree(folder));
    assert_ok(atomic_sweep(ctx, folder)); /* there is none */
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(put_and_replace), cmocka_unit_test(write_at_and_abandon),
        cmocka_unit_test(unwritable),      cmocka_unit_test(two_at_once),
        cmocka_unit_test(append),          cmocka_unit_test(size_limit),
        cmocka_unit_test(leftovers_are_swept),
        cmocka_unit_test(full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

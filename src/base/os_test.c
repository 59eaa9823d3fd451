/* Files, folders, clocks and memory, in a folder of the test's own. */
#include "base/os.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char home[64];

static int set_up(void **state) {
    (void)snprintf(home, sizeof home, "os_test.XXXXXX");
    if (!mkdtemp(home))
        return -1;
    return assay_ctx_create((assay_ctx **)state, NULL) == ASSAY_OK ? 0 : -1;
}

static int tear_down(void **state) {
    assay_ctx_destroy(*state);
    return os_remove_tree(home) == ASSAY_OK && !os_exists(home) ? 0 : -1;
}

static const char *in_home(char path[256], const char *name) {
    (void)snprintf(path, 256, "%s/%s", home, name);
    return path;
}

static void put(const char *path, const char *bytes, size_t n) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void test_clocks(void **state) {
    (void)state;
    uint64_t now = os_now_ns(), cpu = os_cpu_ns(), mine = os_thread_cpu_ns();
    for (volatile int i = 0; i < 1000000; i++)
        ;
    assert_true(os_now_ns() > now);
    assert_true(os_cpu_ns() > cpu);
    assert_true(os_thread_cpu_ns() > mine);
    assert_true(os_processors() >= 1);
}

static void test_memory_is_sampled(void **state) {
    assay_ctx *ctx = *state;
    uint64_t before = assay_peak_bytes();
    assert_true(before > 100000);
    enum { BIG = 64 << 20 };
    char *m = mem_alloc(ctx, BIG);
    assert_non_null(m);
    memset(m, 1, BIG);
    os_sample_memory();
    mem_free(ctx, m);
    assert_true(assay_peak_bytes() >= before + (BIG >> 1));
}

static void test_read_file(void **state) {
    char path[256];
    uint8_t *data;
    size_t n;
    put(in_home(path, "f"), "hello\0there", 11);
    assert_int_equal(os_read_file(*state, path, 11, &data, &n), ASSAY_OK);
    assert_int_equal(n, 11);
    assert_memory_equal(data, "hello\0there", 12);
    mem_free(*state, data);
    assert_int_equal(os_read_file(*state, path, 10, &data, &n), ASSAY_E_FORMAT);
    assert_null(data);
    assert_non_null(strstr(assay_last_error()->where, "/f"));
    put(in_home(path, "empty"), "", 0);
    assert_int_equal(os_read_file(*state, path, 0, &data, &n), ASSAY_OK);
    assert_int_equal(n, 0);
    assert_int_equal(data[0], 0);
    mem_free(*state, data);
    assert_int_equal(os_read_file(*state, in_home(path, "no"), 9, &data, &n),
                     ASSAY_E_NOTFOUND);
    assert_int_equal(os_read_file(*state, home, 9, &data, &n), ASSAY_E_IO);
    /* Files that don't tell their size. */
    assert_int_equal(os_read_file(*state, "/proc/self/status", 1 << 20, &data, &n),
                     ASSAY_OK);
    assert_true(n > 100);
    mem_free(*state, data);
    assert_int_equal(os_read_file(*state, "/dev/zero", 1 << 20, &data, &n),
                     ASSAY_E_FORMAT);
}

static void test_map(void **state) {
    (void)state;
    char path[256];
    os_map m, other;
    char *bytes = malloc(100000);
    assert_non_null(bytes);
    memset(bytes, 'q', 100000);
    put(in_home(path, "map"), bytes, 100000);
    assert_int_equal(os_map_file(&m, path, false), ASSAY_OK);
    assert_int_equal(m.bytes, 100000);
    assert_memory_equal(m.data, bytes, 100000);
    os_map_forget(&m, 0, SIZE_MAX);
    os_map_forget(&m, 5000, 4000);
    os_map_forget(&m, 200000, 1);
    assert_memory_equal(m.data, bytes, 100000);
    os_unmap(&m);
    os_unmap(&m);
    assert_int_equal(os_map_file(&m, path, true), ASSAY_OK);
    m.data[99999] = 'z';
    assert_int_equal(os_map_sync(&m, path), ASSAY_OK);
    assert_int_equal(os_map_file(&other, path, false), ASSAY_OK);
    assert_int_equal(other.data[99999], 'z');
    os_unmap(&other);
    os_unmap(&m);
    put(in_home(path, "nothing"), "", 0);
    assert_int_equal(os_map_file(&m, path, false), ASSAY_OK);
    assert_null(m.data);
    assert_int_equal(m.bytes, 0);
    os_unmap(&m);
    assert_int_equal(os_map_file(&m, in_home(path, "no"), false), ASSAY_E_NOTFOUND);
    assert_int_equal(os_map_file(&m, home, false), ASSAY_E_IO);
    assert_int_equal(os_map_file(&m, "/dev/null", false), ASSAY_E_IO);
    os_unmap(&m);
    os_map zero = {0};
    os_unmap(&zero);
    assert_true(fcntl(0, F_GETFD) != -1); /* file 0 was not closed on the way */
    free(bytes);
}

static void test_folders(void **state) {
    char path[256], link_path[256], outside[256];
    assert_int_equal(os_mkdirs(in_home(path, "a/b/c/")), ASSAY_OK);
    assert_int_equal(os_mkdirs(in_home(path, "a/b/c")), ASSAY_OK);
    assert_true(os_is_dir(path));
    put(in_home(path, "a/file"), "x", 1);
    assert_false(os_is_dir(path));
    assert_true(os_exists(path));
    assert_int_equal(os_mkdirs(in_home(path, "a/file/d")), ASSAY_E_INVALID);
    assert_non_null(strstr(assay_last_error()->where, "a/file"));
    assert_int_equal(os_mkdirs(""), ASSAY_E_INVALID);

    static const char *const names[] = {"zeta", "Beta", "alpha", ".hidden", "10", "9"};
    for (size_t i = 0; i < 6; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "a/b/c/%s", names[i]);
        put(in_home(path, name), "", 0);
    }
    os_names list;
    assert_int_equal(os_list_dir(*state, in_home(path, "a/b/c"), &list), ASSAY_OK);
    static const char *const sorted[] = {".hidden", "10", "9", "Beta", "alpha", "zeta"};
    assert_int_equal(list.count, 6);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(list.name[i], sorted[i]);
    os_names_free(&list);
    os_names_free(&list);
    assert_int_equal(os_list_dir(*state, in_home(path, "no"), &list), ASSAY_E_NOTFOUND);
    os_names_free(&list);

    /* Removing a tree removes links, not what they point at. */
    assert_int_equal(os_mkdirs(in_home(outside, "outside")), ASSAY_OK);
    put(in_home(path, "outside/kept"), "k", 1);
    assert_int_equal(symlink("../outside", in_home(link_path, "a/link")), 0);
    assert_int_equal(os_remove_tree(in_home(path, "a")), ASSAY_OK);
    assert_false(os_exists(path));
    assert_true(os_exists(in_home(path, "outside/kept")));
    assert_int_equal(os_remove_tree(in_home(path, "a")), ASSAY_OK);
    assert_int_equal(os_remove_tree(in_home(path, "outside/kept")), ASSAY_OK);
    assert_false(os_exists(path));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clocks),    cmocka_unit_test(test_memory_is_sampled),
        cmocka_unit_test(test_read_file), cmocka_unit_test(test_map),
        cmocka_unit_test(test_folders),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

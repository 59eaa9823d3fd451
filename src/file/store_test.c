/* The row store: made, killed, reopened, damaged. */
#include "base/pool.h"
#include "base/testing.h"
#include "file/store.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROWS = 1003, COLS = 7, BLOCK = 100, BLOCKS = 11 };

static void fill(row_store *s, int64_t block) {
    int64_t end = (block + 1) * BLOCK;
    for (int64_t r = block * BLOCK; r < end && r < ROWS; r++)
        for (int c = 0; c < COLS; c++)
            store_row(s, r)[c] = (float)(r * 10 + c);
}

static void check_all(const row_store *s) {
    for (int64_t r = 0; r < ROWS; r++)
        for (int c = 0; c < COLS; c++)
            assert_true(store_row_read(s, r)[c] == (float)(r * 10 + c));
}

static row_store *make(assay_ctx *ctx, const char *path) {
    row_store *s;
    assert_ok(store_open(&s, ctx, path, "model 1", ROWS, COLS, BLOCK));
    return s;
}

static void fill_rest(row_store *s) {
    for (int64_t b = 0; b < BLOCKS; b++)
        if (!store_block_done(s, b)) {
            fill(s, b);
            assert_ok(store_block_seal(s, b));
        }
}

static void life(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(2);
    test_scratch dir = test_scratch_begin();
    test_path p = test_in(&dir, "rows");
    row_store *s = make(ctx, p.text), *r;
    assert_int_equal(store_rows(s), ROWS);
    assert_int_equal(store_cols(s), COLS);
    assert_int_equal(store_blocks(s), BLOCKS);
    assert_int_equal(store_block_rows(s), BLOCK);
    assert_string_equal(store_identity(s), "model 1");
    assert_false(store_complete(s));
    fill(s, 3);
    assert_ok(store_block_seal(s, 3));
    fill(s, 10);
    assert_ok(store_block_seal(s, 10));
    store_destroy(s);
    assert_fails(ASSAY_E_FORMAT, store_open_read(&r, ctx, p.text, true));
    assert_null(r);

    s = make(ctx, p.text); /* continues */
    for (int64_t b = 0; b < BLOCKS; b++)
        assert_int_equal(store_block_done(s, b), b == 3 || b == 10);
    fill_rest(s);
    assert_true(store_complete(s));
    store_block_forget(s, 3);
    check_all(s);
    assert_ok(store_close(&s));
    assert_null(s);
    assert_ok(store_close(&s));

    assert_ok(store_open_read(&r, ctx, p.text, true));
    check_all(r);
    store_destroy(r);
    npy_array a; /* any tool can read it */
    assert_ok(npy_open(&a, ctx, test_in(&dir, "rows.npy").text, false));
    assert_int_equal(a.dim[0], ROWS);
    npy_close(&a);

    /* another identity, another shape: made anew */
    assert_ok(store_open(&s, ctx, p.text, "model 2", ROWS, COLS, BLOCK));
    for (int64_t b = 0; b < BLOCKS; b++)
        assert_false(store_block_done(s, b));
    store_destroy(s);
    assert_ok(store_open(&s, ctx, p.text, "model 2", 5, 2, 8));
    assert_int_equal(store_blocks(s), 1);
    store_destroy(s);
    assert_ok(store_open(&s, ctx, p.text, "model 2", 0, 2, 8));
    assert_true(store_complete(s));
    store_destroy(s);
    store_destroy(NULL);
    assert_fails(ASSAY_E_SHAPE, store_open(&s, ctx, p.text, "m", 5, 0, 8));
    assert_fails(ASSAY_E_SHAPE, store_open(&s, ctx, p.text, "m", INT64_MAX, 9, 8));
    assert_fails(ASSAY_E_NOTFOUND,
                 store_open_read(&r, ctx, test_in(&dir, "no").text, true));
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

/* Changes one byte of a file. */
static void damage(const char *path, long offset) {
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, offset, SEEK_SET), 0);
    int c = fgetc(f);
    assert_int_equal(fseek(f, offset, SEEK_SET), 0);
    assert_true(fputc(c ^ 0x10, f) != EOF);
    assert_int_equal(fclose(f), 0);
}

static void damaged(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(2);
    test_scratch dir = test_scratch_begin();
    test_path p = test_in(&dir, "rows"), npy = test_in(&dir, "rows.npy");
    row_store *s = make(ctx, p.text), *r;
    fill_rest(s);
    assert_ok(store_close(&s));
    damage(npy.text, 128 + 4 * COLS * 250);
    assert_ok(store_open_read(&r, ctx, p.text, false));
    store_destroy(r);
    assert_fails(ASSAY_E_FORMAT, store_open_read(&r, ctx, p.text, true));
    assert_string_equal(assay_last_error()->where, npy.text);
    s = make(ctx, p.text); /* the writer only makes that block again */
    for (int64_t b = 0; b < BLOCKS; b++)
        assert_int_equal(store_block_done(s, b), b != 2);
    fill_rest(s);
    check_all(s);
    assert_ok(store_close(&s));

    /* each part missing or cut: refused by readers, made anew by the writer */
    static const char *const parts[] = {"rows.npy", "rows.sums", "rows.rows.json"};
    for (int i = 0; i < 3; i++) {
        test_path part = test_in(&dir, parts[i]);
        assert_int_equal(truncate(part.text, 13), 0);
        assert_true(store_open_read(&r, ctx, p.text, true) != ASSAY_OK);
        s = make(ctx, p.text);
        assert_false(store_block_done(s, 0));
        fill_rest(s);
        assert_ok(store_close(&s));
        assert_int_equal(unlink(part.text), 0);
        assert_fails(ASSAY_E_NOTFOUND, store_open_read(&r, ctx, p.text, true));
        s = make(ctx, p.text);
        fill_rest(s);
        assert_ok(store_close(&s));
    }
    assert_ok(store_open_read(&r, ctx, p.text, true));
    store_destroy(r);
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

/* A child fills and seals, and dies at some moment; what it sealed is there. */
static void killed(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(1);
    test_scratch dir = test_scratch_begin();
    test_path p = test_in(&dir, "rows");
    row_store *s;
    int64_t before = 0;
    for (int round = 0; round < 4; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            s = make(ctx, p.text);
            int sealed = 0;
            for (int64_t b = 0; b < BLOCKS; b++)
                if (!store_block_done(s, b)) {
                    fill(s, b);
                    if (sealed++ == 2)
                        (void)raise(SIGKILL); /* with a block half done */
                    if (store_block_seal(s, b) != ASSAY_OK)
                        _exit(1);
                }
            _exit(0);
        }
        int rc;
        assert_int_equal(waitpid(child, &rc, 0), child);
        s = make(ctx, p.text);
        int64_t done = 0;
        for (int64_t b = 0; b < BLOCKS; b++)
            done += store_block_done(s, b);
        assert_int_equal(done, before + 2);
        before = done;
        store_destroy(s);
    }
    s = make(ctx, p.text);
    fill_rest(s);
    check_all(s);
    assert_ok(store_close(&s));
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

static void no_memory(void **state) {
    (void)state;
    long left;
    assay_ctx *ctx = test_ctx_failing(&left);
    test_scratch dir = test_scratch_begin();
    test_path p = test_in(&dir, "rows");
    assay_status status = ASSAY_E_NOMEM;
    for (long k = 0; status != ASSAY_OK; k++) {
        row_store *s;
        left = k;
        status = store_open(&s, ctx, p.text, "m", 10, 2, 4);
        assert_true(status == ASSAY_OK || status == ASSAY_E_NOMEM);
        assert_true((s != NULL) == (status == ASSAY_OK));
        store_destroy(s);
        left = LONG_MAX;
    }
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

/* Distinct blocks, sealed from distinct threads. */
static assay_status seal_some(void *arg, int worker, size_t begin, size_t end) {
    row_store *s = arg;
    (void)worker;
    for (size_t b = begin; b < end; b++) {
        fill(s, (int64_t)b);
        assay_status status = store_block_seal(s, (int64_t)b);
        if (status != ASSAY_OK)
            return status;
    }
    return ASSAY_OK;
}

static void sealed_by_threads(void **state) {
    (void)state;
    assay_ctx *ctx = test_ctx(4);
    test_scratch dir = test_scratch_begin();
    test_path p = test_in(&dir, "rows");
    row_store *s = make(ctx, p.text);
    assert_ok(assay_parallel_for(ctx, BLOCKS, 1, seal_some, s));
    assert_true(store_complete(s));
    assert_ok(store_close(&s));
    assert_ok(store_open_read(&s, ctx, p.text, true));
    check_all(s);
    store_destroy(s);
    test_scratch_end(&dir);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(life),
        cmocka_unit_test(damaged),
        cmocka_unit_test(killed),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(sealed_by_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

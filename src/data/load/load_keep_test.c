/* Batches that are kept: their bytes stay, the loader goes on, memory is used again. */
#include <assay/load.h>

#include "data/testing_beton.h"

enum { ROWS = 101, BATCH = 8, BATCHES = 12 };

typedef struct fixture {
    assay_ctx *ctx;
    test_scratch scratch;
    test_path path;
} fixture;

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    f->ctx = test_ctx(2);
    f->scratch = test_scratch_begin();
    f->path = test_in(&f->scratch, "raw.beton");
    make_beton(f->ctx, f->path.text, &(test_beton){ROWS, 1, false, true});
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    test_scratch_end(&f->scratch);
    assay_ctx_destroy(f->ctx);
    free(f);
    return 0;
}

static assay_loader *make(fixture *f, int threads) {
    assay_loader *l = NULL;
    const char *paths[] = {f->path.text};
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    o.batch = BATCH;
    o.threads = threads;
    o.drop_last = 1;
    assert_ok(
        assay_loader_create(&l, f->ctx, paths, 1, "image: flip | u8; label; text", &o));
    return l;
}

static size_t bytes_of(const assay_batch_column *c) {
    size_t n = assay_dtype_size(c->dtype);
    for (int i = 0; i < c->ndim; i++)
        n *= (size_t)c->dim[i];
    return n;
}

/* What an epoch hands out, copied at once. */
typedef struct copies {
    uint8_t *bytes[BATCHES][3];
    uint64_t rows[BATCHES][BATCH];
} copies;

static void copy_epoch(assay_loader *l, copies *c) {
    assay_batch b;
    assert_ok(assay_loader_epoch(l, 3));
    for (int i = 0; i < BATCHES; i++) {
        assert_ok(assay_loader_next(l, &b));
        assert_int_equal(b.n, BATCH);
        memcpy(c->rows[i], b.rows, sizeof c->rows[i]);
        for (int k = 0; k < 3; k++) {
            size_t n = bytes_of(&b.column[k]);
            c->bytes[i][k] = malloc(n);
            memcpy(c->bytes[i][k], b.column[k].data, n);
        }
    }
}

static void assert_batch(const copies *c, int i, const assay_batch *b) {
    assert_int_equal(b->n, BATCH);
    assert_memory_equal(c->rows[i], b->rows, sizeof c->rows[i]);
    for (int k = 0; k < 3; k++)
        assert_memory_equal(c->bytes[i][k], b->column[k].data, bytes_of(&b->column[k]));
}

/* A whole epoch is kept, and the loader is gone before it is read. */
static void test_kept_batches_stay(void **state) {
    fixture *f = *state;
    for (int threads = -1; threads <= 2; threads += 3) {
        assay_loader *l = make(f, threads);
        copies c;
        assay_batch b[BATCHES], end;
        assay_kept *kept[BATCHES];
        copy_epoch(l, &c);
        assert_ok(assay_loader_epoch(l, 3));
        for (int i = 0; i < BATCHES; i++) {
            assert_ok(assay_loader_next(l, &b[i]));
            assert_ok(assay_loader_keep(l, &kept[i]));
        }
        assert_ok(assay_loader_next(l, &end));
        assert_int_equal(end.n, 0);
        assay_loader_destroy(l);
        for (int i = 0; i < BATCHES; i++) {
            assert_batch(&c, i, &b[i]);
            assay_kept_release(kept[i]);
            for (int k = 0; k < 3; k++)
                free(c.bytes[i][k]);
        }
    }
}

/* With one batch held at a time, the way of a loop in Python, nothing is allocated once
 * the second one was made. */
static void test_memory_is_used_again(void **state) {
    fixture *f = *state;
    assay_loader *l = make(f, 2);
    assay_kept *last = NULL;
    uint64_t allocated = 0;
    for (uint32_t epoch = 0; epoch < 20; epoch++) {
        assay_batch b;
        assert_ok(assay_loader_epoch(l, epoch));
        for (int i = 0; i < BATCHES; i++) {
            assay_kept *now;
            assert_ok(assay_loader_next(l, &b));
            assert_ok(assay_loader_keep(l, &now));
            assay_kept_release(last);
            last = now;
        }
        if (epoch == 9)
            allocated = mem_alloc_count(f->ctx);
    }
    /* `text` is padded to the longest of a batch: its buffers may still grow. */
    assert_in_range(mem_alloc_count(f->ctx) - allocated, 0, 12);
    assay_kept_release(last);
    assay_loader_destroy(l);
}

static void test_what_cannot_be_kept(void **state) {
    fixture *f = *state;
    assay_loader *l = make(f, 1);
    assay_kept *kept, *again;
    assay_batch b;
    assert_int_equal(assay_loader_keep(l, &kept), ASSAY_E_INVALID);
    assert_null(kept);
    assert_ok(assay_loader_epoch(l, 0));
    assert_int_equal(assay_loader_keep(l, &kept), ASSAY_E_INVALID);
    assert_ok(assay_loader_next(l, &b));
    assert_ok(assay_loader_keep(l, &kept));
    assert_int_equal(assay_loader_keep(l, &again), ASSAY_E_INVALID);
    assert_ok(assay_loader_next(l, &b));
    assert_ok(assay_loader_epoch(l, 1)); /* gives the batch up */
    assert_int_equal(assay_loader_epoch_number(l), 1);
    assert_int_equal(assay_loader_keep(l, &again), ASSAY_E_INVALID);
    assay_kept_release(kept);
    assay_kept_release(NULL);
    assay_loader_destroy(l);
}

static void test_waiting_ends(void **state) {
    fixture *f = *state;
    for (int threads = -1; threads <= 2; threads += 3) {
        assay_loader *l = make(f, threads);
        assay_batch b;
        assert_ok(assay_loader_epoch(l, 0));
        for (int i = 0; i < BATCHES; i++) {
            int tries = 0;
            while (!assay_loader_wait(l, 20000000))
                assert_true(++tries < 1000);
            assert_ok(assay_loader_next(l, &b));
            assert_int_equal(b.n, BATCH);
        }
        assert_int_equal(assay_loader_wait(l, 0), 1);
        assert_ok(assay_loader_next(l, &b));
        assert_int_equal(b.n, 0);
        assay_loader_destroy(l);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kept_batches_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory_is_used_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_waiting_ends, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

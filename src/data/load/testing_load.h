/* Small files to load from, and what an epoch of one hands out: for the loader's tests.
 */
#ifndef DATA_LOAD_TESTING_LOAD_H
#define DATA_LOAD_TESTING_LOAD_H

#include <assay/load.h>

#include "data/testing_beton.h"
#include "data/transform.h"

#include <assay/data.h>
#include <dirent.h>

typedef struct fixture {
    assay_ctx *ctx;
    test_scratch scratch;
    test_path raw, other, jpeg;
} fixture;

enum { RAW_ROWS = 101, OTHER_ROWS = 40, JPEG_ROWS = 24 };

static inline int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    f->ctx = test_ctx(2);
    f->scratch = test_scratch_begin();
    f->raw = test_in(&f->scratch, "raw.beton");
    f->other = test_in(&f->scratch, "other.beton");
    f->jpeg = test_in(&f->scratch, "jpeg.beton");
    make_beton(f->ctx, f->raw.text, &(test_beton){RAW_ROWS, 1, false, true});
    make_beton(f->ctx, f->other.text, &(test_beton){OTHER_ROWS, 2, false, true});
    make_beton(f->ctx, f->jpeg.text, &(test_beton){JPEG_ROWS, 3, true, false});
    *state = f;
    return 0;
}

static inline int teardown(void **state) {
    fixture *f = *state;
    test_scratch_end(&f->scratch);
    assay_ctx_destroy(f->ctx);
    free(f);
    return 0;
}

static inline assay_loader *make(fixture *f,
                                 const test_path *path,
                                 const char *pipeline,
                                 const assay_load_options *o) {
    assay_loader *l = NULL;
    const char *paths[] = {path->text};
    assert_ok(assay_loader_create(&l, f->ctx, paths, 1, pipeline, o));
    return l;
}

/* All bytes that an epoch hands out, and the rows. */
typedef struct taken {
    uint8_t *bytes;
    size_t n, cap;
    uint64_t rows[2000];
    size_t count, batches;
} taken;

static inline void add_bytes(taken *t, const void *data, size_t n) {
    if (t->n + n > t->cap) {
        t->cap = 2 * (t->n + n);
        t->bytes = realloc(t->bytes, t->cap);
        assert_non_null(t->bytes);
    }
    memcpy(t->bytes + t->n, data, n);
    t->n += n;
}

static inline size_t column_bytes(const assay_batch_column *c) {
    size_t n = assay_dtype_size(c->dtype);
    for (int i = 0; i < c->ndim; i++)
        n *= (size_t)c->dim[i];
    return n;
}

/* Sample by sample, so that batches of other sizes give the same bytes. */
static inline void add_batch(taken *t, const assay_batch *b) {
    for (int i = 0; i < b->n; i++) {
        for (int k = 0; k < b->columns; k++) {
            const assay_batch_column *c = &b->column[k];
            size_t each = column_bytes(c) / (size_t)b->n;
            size_t used = c->lengths != NULL ? (size_t)c->lengths[i] : each;
            add_bytes(t, (const uint8_t *)c->data + (size_t)i * each, used);
        }
        t->rows[t->count++] = b->rows[i];
    }
    t->batches++;
}

static inline void take_rest(assay_loader *l, taken *t) {
    assay_batch b;
    for (;;) {
        assert_ok(assay_loader_next(l, &b));
        if (b.n == 0)
            break;
        add_batch(t, &b);
    }
    assert_ok(assay_loader_next(l, &b));
    assert_int_equal(b.n, 0);
}

static inline taken take_epoch(assay_loader *l, uint32_t epoch) {
    taken t = {0};
    assert_ok(assay_loader_epoch(l, epoch));
    take_rest(l, &t);
    return t;
}

static inline void assert_same(const taken *a, const taken *b) {
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->rows, b->rows, a->count * sizeof a->rows[0]);
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->bytes, b->bytes, a->n);
}

static const char all_steps[] =
    "image: flip(0.5) | translate(2) | cutout(4) | normalize(imagenet)\n"
    "view2 = image: resize(8) | flip(0.5) ; label ; float ; array ; text";

#endif

/* Pages: the same bytes from every kind, for any order, cache and number of threads; the
 * cache keeps to its size; errors of the disk reach who asked; stopping leaves nothing.
 */
#include "data/load/pages.h"

#include "base/le.h"
#include "data/load/page_cache.h"
#include "data/load/sampler.h"

#include "base/testing.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

enum { SAMPLES = 900, PAGE = 1 << 16, LARGEST = 9000 };

static size_t blob_bytes(uint64_t sample) {
    return sample % 11 == 0 ? 0 : (size_t)(sample * 2654435761u % LARGEST) + 1;
}

static uint8_t blob_byte(uint64_t sample, size_t i) {
    return (uint8_t)(sample * 31 + i * 7 + (i >> 8));
}

static void write_file(assay_ctx *ctx, const char *path) {
    static uint8_t blob[LARGEST + 1];
    beton_field fields[2] = {{.type = BETON_INT, .name = "label"},
                             {.type = BETON_BYTES, .name = "blob"}};
    beton_writer_options o = {PAGE, SAMPLES, fields, 2};
    beton_writer *w;
    assert_ok(beton_writer_create(&w, ctx, path, &o));
    for (uint64_t s = 0; s < SAMPLES; s++) {
        uint8_t row[24] = {0};
        const beton_field *b = beton_writer_field(w, 1);
        for (size_t i = 0; i < blob_bytes(s); i++)
            blob[i] = blob_byte(s, i);
        le64_put(row + b->cell_offset + 8, blob_bytes(s));
        const beton_payload_in in = {1, blob, blob_bytes(s), b->cell_offset};
        assert_ok(beton_writer_add(w, row, &in, 1));
    }
    assert_ok(beton_writer_commit(w));
    beton_writer_destroy(w);
}

typedef struct fixture {
    assay_ctx *ctx;
    test_scratch dir;
    test_path path;
    beton_file *f;
    uint64_t bytes; /* of the file */
} fixture;

static fixture begin(void) {
    fixture x = {.ctx = test_ctx(1), .dir = test_scratch_begin()};
    size_t n;
    x.path = test_in(&x.dir, "a.beton");
    write_file(x.ctx, x.path.text);
    uint8_t *all = test_get(x.ctx, x.path.text, &n);
    mem_free(x.ctx, all);
    x.bytes = n;
    assert_ok(beton_open(&x.f, x.ctx, x.path.text));
    return x;
}

static void end(fixture *x) {
    beton_close(x->f);
    test_scratch_end(&x->dir);
    assay_ctx_destroy(x->ctx);
}

/* ---- the same bytes ---- */

static uint64_t row_at(const void *arg, uint64_t i) {
    return sampler_at(arg, i);
}

static bool check_sample(page_source *p, const beton_file *f, uint64_t sample) {
    uint64_t offset, bytes;
    page_hold h;
    if (page_locate(f, sample, 1, &offset, &bytes) != ASSAY_OK ||
        bytes != blob_bytes(sample) || page_acquire(p, offset, bytes, &h) != ASSAY_OK)
        return false;
    bool same = true;
    for (size_t i = 0; i < bytes; i++)
        same = same && h.data[i] == blob_byte(sample, i);
    page_release(p, &h);
    return same && h.data == NULL;
}

typedef struct consumer {
    page_source *p;
    const beton_file *f;
    const sampler *s;
    atomic_uint_least64_t next, good;
} consumer;

static void *consume(void *arg) {
    consumer *c = arg;
    for (uint64_t i; (i = atomic_fetch_add(&c->next, 1)) < sampler_count(c->s);)
        if (check_sample(c->p, c->f, sampler_at(c->s, i)))
            atomic_fetch_add(&c->good, 1);
    return NULL;
}

static void
run_epoch(page_source *p, const beton_file *f, sampler *s, uint32_t epoch, int threads) {
    consumer c = {.p = p, .f = f, .s = s};
    pthread_t thread[4];
    assert_ok(page_source_epoch(p, NULL, NULL, 0, NULL, 0)); /* `s` is not asked now */
    assert_ok(sampler_epoch(s, epoch));
    assert_ok(page_source_epoch(p, row_at, s, sampler_count(s), NULL, 0));
    for (int i = 0; i < threads; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, consume, &c), 0);
    for (int i = 0; i < threads; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    assert_int_equal(c.good, sampler_count(s));
}

/* quasi-random: blocks of about a page, of which 16 are open. */
static sampler *make_sampler(assay_ctx *ctx, const char *order) {
    sampler_options o = {.order = order,
                         .rows = SAMPLES,
                         .rows_per_page = 16 * PAGE / (LARGEST / 2),
                         .pool_pages = 1,
                         .batch = 16};
    sampler *s;
    assert_ok(sampler_create(&s, ctx, &o));
    return s;
}

static void same_bytes(void **unused) {
    (void)unused;
    static const char *const orders[] = {"sequential", "quasi-random", "random"};
    static const uint64_t cache[] = {0, 1, 30000, 500000, 100000000};
    static const int readers[] = {-1, 1, 3, 0};
    fixture x = begin();
    page_source *p;
    for (int k = 0; k < 3; k++) {
        sampler *s = make_sampler(x.ctx, orders[k]);
        assert_ok(page_source_create(&p, x.ctx, x.f, "map", 0, 0));
        run_epoch(p, x.f, s, 0, 2);
        page_source_destroy(p);
        for (int c = 0; c < 5; c++) {
            assert_ok(page_source_create(&p, x.ctx, x.f, "read", cache[c],
                                         readers[(c + k) % 4]));
            for (uint32_t epoch = 0; epoch < 2; epoch++)
                run_epoch(p, x.f, s, epoch, 1 + (c + k) % 4);
            page_stats st = page_source_stats(p);
            assert_true(st.pages_read > 0 && st.cache_bytes > 0);
            assert_true(cache[c] == 0 || st.cache_bytes <= cache[c] ||
                        st.cache_bytes == 4096);
            assert_true(st.cache_bytes <= x.bytes + (1 << 17));
            page_source_destroy(p);
        }
        sampler_destroy(s);
    }
    end(&x);
}

/* In sequence, and in quasi-random order with a cache for its pool, a byte is read once.
 */
static void reads_once(void **unused) {
    (void)unused;
    static const char *const orders[] = {"sequential", "quasi-random"};
    fixture x = begin();
    for (int k = 0; k < 2; k++)
        for (int threads = 1; threads <= 3; threads += 2) {
            page_source *p;
            sampler *s = make_sampler(x.ctx, orders[k]);
            assert_ok(page_source_create(&p, x.ctx, x.f, "read", 20 * PAGE, threads));
            run_epoch(p, x.f, s, 0, 1);
            page_stats st = page_source_stats(p);
            print_message("%s, %d threads: %.2f of the file read, %llu waits\n",
                          orders[k], threads, (double)st.bytes_read / (double)x.bytes,
                          (unsigned long long)st.waits);
            assert_true((double)st.bytes_read < (k == 0 ? 1.2 : 2.5) * (double)x.bytes);
            page_source_destroy(p);
            sampler_destroy(s);
        }
    end(&x);
}

/* ---- errors ---- */

typedef struct faulty {
    const uint8_t *data;
    uint64_t bytes;
    uint64_t bad_begin, bad_end; /* EIO in here */
    uint64_t gone;               /* the file ends here by now; 0: it does not */
    atomic_int calls, closed;
} faulty;

static int64_t read_faulty(void *arg, void *buf, uint64_t n, uint64_t offset) {
    faulty *r = arg;
    int call = atomic_fetch_add(&r->calls, 1);
    if (call % 5 == 3)
        return -EINTR;
    if (n > 1000 && call % 2 == 0)
        n = n / 3 + 1; /* short */
    if (offset < r->bad_end && offset + n > r->bad_begin)
        return -EIO;
    uint64_t end_ = r->gone > 0 ? r->gone : r->bytes;
    if (offset >= end_)
        return 0;
    n = n < end_ - offset ? n : end_ - offset;
    memcpy(buf, r->data + offset, n);
    return (int64_t)n;
}

static void close_faulty(void *arg) {
    faulty *r = arg;
    atomic_fetch_add(&r->closed, 1);
}

static void disk_errors(void **unused) {
    (void)unused;
    fixture x = begin();
    size_t n;
    uint8_t *all = test_get(x.ctx, x.path.text, &n);
    sampler *s = make_sampler(x.ctx, "random");
    for (int threads = -1; threads <= 3; threads += 2) {
        faulty r = {.data = all,
                    .bytes = n,
                    .bad_begin = n / 2,
                    .bad_end = n / 2 + 100,
                    .gone = threads == 1 ? n / 4 * 3 : 0};
        page_reader in = {read_faulty, close_faulty, &r, "the disk", n};
        page_source *p;
        int bad = 0, cut = 0;
        assert_ok(page_source_create_on(&p, x.ctx, x.f, &in, 100000, threads));
        assert_ok(page_source_epoch(p, row_at, s, SAMPLES, (const int[]){1}, 1));
        for (uint64_t i = 0; i < SAMPLES; i++) {
            uint64_t offset, bytes;
            page_hold h;
            assert_ok(page_locate(x.f, sampler_at(s, i), 1, &offset, &bytes));
            assay_status status = page_acquire(p, offset, bytes, &h);
            /* A piece around it may have been refused. */
            bool near = offset + bytes + 8192 > r.bad_begin && offset < r.bad_end + 8192;
            bool behind = r.gone > 0 && offset + bytes + 8192 > r.gone;
            if (status == ASSAY_OK) {
                assert_true(bytes == 0 || offset + bytes <= r.bad_begin ||
                            offset >= r.bad_end);
                page_release(p, &h);
                continue;
            }
            assert_int_equal(status, ASSAY_E_IO);
            assert_true(near || behind);
            assert_null(h.data);
            assert_non_null(strstr(assay_last_error()->where, "the disk: byte "));
            bad += near;
            cut += behind;
        }
        assert_true(bad > 0 && (cut > 0) == (r.gone > 0));
        page_source_destroy(p);
        assert_int_equal(r.closed, 1);
    }
    sampler_destroy(s);
    mem_free(x.ctx, all);
    end(&x);
}

/* A file cut short while it is open. Its tables are mapped: they are asked before. */
static void cut_short(void **unused) {
    (void)unused;
    fixture x = begin();
    page_source *p;
    page_hold h;
    uint64_t offset, bytes;
    assert_ok(page_locate(x.f, SAMPLES - 1, 1, &offset, &bytes));
    assert_true(bytes > 0);
    assert_ok(page_source_create(&p, x.ctx, x.f, "read", 1 << 20, -1));
    assert_int_equal(truncate(x.path.text, (off_t)(offset + bytes / 2)), 0);
    assert_fails(ASSAY_E_IO, page_acquire(p, offset, bytes, &h));
    assert_non_null(strstr(assay_last_error()->message, "the file ends here"));
    assert_non_null(strstr(assay_last_error()->where, "a.beton: byte "));
    assert_null(h.data);
    page_source_destroy(p);
    end(&x);
}

static void refusals(void **unused) {
    (void)unused;
    static const char *const kinds[] = {"map", "read"};
    fixture x = begin();
    page_source *p = (page_source *)&x;
    page_hold h;
    assert_fails(ASSAY_E_INVALID, page_source_create(&p, x.ctx, x.f, "tape", 0, 0));
    assert_null(p);
    assert_fails(ASSAY_E_INVALID, page_source_create(&p, x.ctx, x.f, "read", 0, -2));
    assert_fails(ASSAY_E_INVALID, page_source_create(&p, x.ctx, x.f, "read", 0, 1000));
    for (int k = 0; k < 2; k++) {
        assert_ok(page_source_create(&p, x.ctx, x.f, kinds[k], 0, 0));
        assert_fails(ASSAY_E_IO, page_acquire(p, x.bytes, 1, &h));
        assert_fails(ASSAY_E_IO, page_acquire(p, x.bytes + 1, 0, &h));
        assert_fails(ASSAY_E_IO, page_acquire(p, 5, UINT64_MAX, &h));
        assert_ok(page_acquire(p, x.bytes, 0, &h));
        assert_non_null(h.data);
        page_release(p, &h);
        page_release(p, &h);
        page_source_destroy(p);
    }
    assert_ok(page_source_create(&p, x.ctx, x.f, "read", 0, 0));
    assert_fails(ASSAY_E_INVALID,
                 page_source_epoch(p, row_at, NULL, 1, (const int[]){2}, 1));
    page_source_destroy(p);
    page_source_destroy(NULL);
    end(&x);
}

static void no_memory(void **unused) {
    (void)unused;
    fixture x = begin();
    long left, n = 0;
    assay_ctx *ctx = test_ctx_failing(&left);
    for (bool done = false; !done; n++) {
        page_source *p = NULL;
        page_hold h = {0};
        uint64_t offset, bytes;
        assert_ok(page_locate(x.f, 5, 1, &offset, &bytes));
        left = n;
        assay_status status = page_source_create(&p, ctx, x.f, "read", 4096, -1);
        if (status == ASSAY_OK)
            status = page_acquire(p, offset, bytes, &h);
        left = LONG_MAX;
        done = status == ASSAY_OK;
        assert_true(done || (status == ASSAY_E_NOMEM && h.data == NULL));
        if (p)
            page_release(p, &h);
        page_source_destroy(p);
    }
    assert_true(n > 5);
    assay_ctx_destroy(ctx);
    end(&x);
}

/* ---- holding and stopping ---- */

/* More is held than the cache has room for: the rest is read past it. */
static void held_beyond_the_cache(void **unused) {
    (void)unused;
    enum { HELD = 200 };
    fixture x = begin();
    page_source *p;
    page_hold h[HELD];
    uint64_t offset, bytes;
    assert_ok(page_source_create(&p, x.ctx, x.f, "read", 65536, 2));
    for (uint64_t i = 0; i < HELD; i++) {
        assert_ok(page_locate(x.f, i, 1, &offset, &bytes));
        assert_ok(page_acquire(p, offset, bytes, &h[i]));
    }
    for (uint64_t i = 0; i < HELD; i++) {
        for (size_t k = 0; k < blob_bytes(i); k++)
            assert_int_equal(h[i].data[k], blob_byte(i, k));
        page_release(p, &h[i]);
    }
    assert_true(page_source_stats(p).cache_bytes <= 65536);
    page_source_destroy(p);
    end(&x);
}

static void stops_anywhere(void **unused) {
    (void)unused;
    fixture x = begin();
    sampler *s = make_sampler(x.ctx, "random");
    for (int round = 0; round < 40; round++) {
        page_source *p;
        assert_ok(page_source_create(&p, x.ctx, x.f, "read", 200000, 1 + round % 4));
        for (int epoch = 0; epoch < 3; epoch++) {
            assert_ok(page_source_epoch(p, row_at, s, SAMPLES, NULL, 0));
            for (uint64_t i = 0; i < (uint64_t)(round * 3 % 40); i++)
                assert_true(check_sample(p, x.f, sampler_at(s, i)));
        }
        page_source_destroy(p);
    }
    sampler_destroy(s);
    end(&x);
}

/* ---- what is thrown out ---- */

static int take(page_cache *c, uint64_t piece, bool force) {
    int s = page_cache_take(c, piece, force);
    if (s >= 0)
        page_cache_filled(c, s, true);
    return s;
}

static void furthest_use_goes(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    page_cache c;
    assert_ok(page_cache_make(&c, ctx, 3 * 64, 64, 64));
    /* uses, in order: 7 8 9 7 8 5 */
    static const uint64_t plan[] = {7, 8, 9, 7, 8, 5};
    for (uint64_t i = 0; i < 6; i++)
        page_cache_plan(&c, plan[i], i);
    for (int i = 0; i < 3; i++) {
        int s = page_cache_take_next(&c);
        assert_true(s >= 0 && c.slot[s].piece == plan[i]);
        page_cache_filled(&c, s, true);
    }
    assert_int_equal(page_cache_take_next(&c), -1); /* 5: all slots are wanted sooner */
    page_cache_used(&c, 7);
    page_cache_used(&c, 8);
    assert_int_equal(take(&c, 1, false), -1);
    int nine = page_cache_find(&c, 9), eight = page_cache_find(&c, 8);
    page_cache_pin(&c, nine);
    assert_int_equal(take(&c, 1, true), eight); /* furthest away is 8, at place 4 */
    assert_int_equal(page_cache_find(&c, 8), -1);
    page_cache_unpin(&c, nine);
    page_cache_used(&c, 9);
    int s = page_cache_take_next(&c); /* 8 again, where 1 was, which nobody wants */
    assert_true(s >= 0 && c.slot[s].piece == 8);
    page_cache_filled(&c, s, false);
    assert_int_equal(page_cache_find(&c, 8), -1);
    s = page_cache_take_next(&c);
    assert_true(s >= 0 && c.slot[s].piece == 5); /* not 8 again and again */
    page_cache_filled(&c, s, true);
    page_cache_trim(&c, 4);
    assert_int_equal(c.head, 4);
    page_cache_forget_plan(&c);
    assert_int_equal(page_cache_room(&c), 64);
    for (uint64_t i = 0; i < 500; i++) { /* nothing wanted: the longest idle goes */
        assert_true(take(&c, 100 + i, false) >= 0);
        assert_true(i < 2 || page_cache_find(&c, 100 + i - 2) >= 0);
        assert_true(i < 3 || page_cache_find(&c, 100 + i - 3) < 0);
    }
    page_cache_free(&c);
    page_cache_free(&c);
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bytes),
        cmocka_unit_test(reads_once),
        cmocka_unit_test(disk_errors),
        cmocka_unit_test(cut_short),
        cmocka_unit_test(refusals),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(held_beyond_the_cache),
        cmocka_unit_test(stops_anywhere),
        cmocka_unit_test(furthest_use_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The pool: every chunk once, the same result for any number of threads, errors across
 * threads. */
#include "base/pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static assay_ctx *ctx_with(int threads) {
    assay_ctx_options o = ASSAY_CTX_OPTIONS_INIT;
    o.threads = threads;
    assay_ctx *ctx;
    assert_int_equal(assay_ctx_create(&ctx, &o), ASSAY_OK);
    return ctx;
}

typedef struct job {
    assay_ctx *ctx;
    atomic_int *hits;
    atomic_int inside[8]; /* per worker: never two chunks at once */
    atomic_int bad, ran;
    int threads;
    size_t grain, fail_from, cancel_at;
    double *partial;
} job;

static assay_status mark(void *arg, int worker, size_t begin, size_t end) {
    job *j = arg;
    if (worker < 0 || worker >= j->threads ||
        atomic_fetch_add(&j->inside[worker], 1) != 0 || begin % j->grain != 0 ||
        begin >= end || end - begin > j->grain)
        atomic_fetch_add(&j->bad, 1);
    for (size_t i = begin; i < end; i++)
        atomic_fetch_add(&j->hits[i], 1);
    atomic_fetch_sub(&j->inside[worker], 1);
    return ASSAY_OK;
}

static void test_each_once(void **state) {
    (void)state;
    enum { N = 1000 };
    for (int threads = 1; threads <= 8; threads += threads < 3 ? 1 : 5) {
        assay_ctx *ctx = ctx_with(threads);
        const size_t grains[] = {1, 7, 100, 999, 1000, 5000};
        for (size_t g = 0; g < sizeof grains / sizeof *grains; g++) {
            atomic_int hits[N];
            for (int i = 0; i < N; i++)
                atomic_init(&hits[i], 0);
            job j = {.hits = hits, .threads = threads, .grain = grains[g]};
            assert_int_equal(assay_parallel_for(ctx, N, grains[g], mark, &j), ASSAY_OK);
            assert_int_equal(j.bad, 0);
            for (int i = 0; i < N; i++)
                assert_int_equal(hits[i], 1);
        }
        job none = {.threads = threads, .grain = 1};
        assert_int_equal(assay_parallel_for(ctx, 0, 1, mark, &none), ASSAY_OK);
        assay_ctx_destroy(ctx);
    }
}

static assay_status sum_chunk(void *arg, int worker, size_t begin, size_t end) {
    job *j = arg;
    (void)worker;
    double s = 0;
    for (size_t i = begin; i < end; i++)
        s += 1.0 / (double)(i * i + 1);
    j->partial[begin / j->grain] = s;
    return ASSAY_OK;
}

static void test_same_sum(void **state) {
    (void)state;
    enum { N = 100000, GRAIN = 777, CHUNKS = (N + GRAIN - 1) / GRAIN };
    double first = 0;
    for (int threads = 1; threads <= 8; threads *= 2) {
        assay_ctx *ctx = ctx_with(threads);
        double partial[CHUNKS], sum = 0;
        job j = {.partial = partial, .grain = GRAIN};
        assert_int_equal(assay_parallel_for(ctx, N, GRAIN, sum_chunk, &j), ASSAY_OK);
        for (int i = 0; i < CHUNKS; i++)
            sum += partial[i];
        if (threads == 1)
            first = sum;
        assert_memory_equal(&sum, &first, sizeof sum);
        assay_ctx_destroy(ctx);
    }
}

static assay_status fail_some(void *arg, int worker, size_t begin, size_t end) {
    job *j = arg;
    (void)worker;
    (void)end;
    atomic_fetch_add(&j->ran, 1);
    if (begin >= j->fail_from) {
        err_set(ASSAY_E_NUMERIC, "chunk %zu", begin);
        err_where("row %zu", begin * 2);
        err_help("step %zu", begin);
        return ASSAY_E_NUMERIC;
    }
    /* Let later chunks fail first. */
    for (volatile int i = 0; i < 2000; i++)
        ;
    return ASSAY_OK;
}

static void test_lowest_error_comes_back(void **state) {
    (void)state;
    for (int threads = 1; threads <= 8; threads++) {
        assay_ctx *ctx = ctx_with(threads);
        for (size_t from = 0; from < 200; from += 23) {
            job j = {.fail_from = from};
            char text[32];
            assert_int_equal(assay_parallel_for(ctx, 10000, 1, fail_some, &j),
                             ASSAY_E_NUMERIC);
            (void)snprintf(text, sizeof text, "chunk %zu", from);
            assert_string_equal(assay_last_error()->message, text);
            (void)snprintf(text, sizeof text, "row %zu", from * 2);
            assert_string_equal(assay_last_error()->where, text);
            assert_int_equal(assay_last_error()->status, ASSAY_E_NUMERIC);
            assert_true(j.ran <= (int)from + threads); /* the rest was stopped */
        }
        /* and the pool lives on */
        double partial[10];
        job j = {.partial = partial, .grain = 10};
        assert_int_equal(assay_parallel_for(ctx, 100, 10, sum_chunk, &j), ASSAY_OK);
        assay_ctx_destroy(ctx);
    }
}

static assay_status fail_mutely(void *arg, int worker, size_t begin, size_t end) {
    (void)arg;
    (void)worker;
    (void)begin;
    (void)end;
    return ASSAY_E_SHAPE;
}

static void test_mute_failure(void **state) {
    (void)state;
    assay_ctx *ctx = ctx_with(2);
    err_set(ASSAY_E_IO, "old news");
    assert_int_equal(assay_parallel_for(ctx, 8, 1, fail_mutely, NULL), ASSAY_E_SHAPE);
    assert_int_equal(assay_last_error()->status, ASSAY_E_SHAPE);
    assert_null(strstr(assay_last_error()->message, "old"));
    assay_ctx_destroy(ctx);
}

typedef struct outer {
    assay_ctx *ctx, *other;
    atomic_int hits[64];
    atomic_int bad;
} outer;

typedef struct inner {
    outer *up;
    int worker;
    size_t row;
    pthread_t thread;
} inner;

static assay_status inner_fn(void *arg, int worker, size_t begin, size_t end) {
    inner *in = arg;
    if (worker != in->worker || !pthread_equal(pthread_self(), in->thread))
        atomic_fetch_add(&in->up->bad, 1);
    for (size_t i = begin; i < end; i++)
        atomic_fetch_add(&in->up->hits[in->row * 8 + i], 1);
    return in->row == 5 && begin == 4 ? err_set(ASSAY_E_IO, "deep") : ASSAY_OK;
}

static assay_status outer_fn(void *arg, int worker, size_t begin, size_t end) {
    outer *o = arg;
    (void)end;
    inner in = {.up = o, .worker = worker, .row = begin, .thread = pthread_self()};
    assay_status status = assay_parallel_for(o->ctx, 8, 2, inner_fn, &in);
    if (status == ASSAY_OK) {
        in.worker = 0; /* another context's pool: inline as its worker 0 */
        status = assay_parallel_for(o->other, 8, 2, inner_fn, &in);
    }
    if (status != ASSAY_OK)
        err_where("row %zu", begin);
    return status;
}

static void test_nested_runs_inline(void **state) {
    (void)state;
    for (int threads = 1; threads <= 4; threads++) {
        outer o = {.ctx = ctx_with(threads), .other = ctx_with(1)};
        assert_int_equal(assay_parallel_for(o.ctx, 5, 1, outer_fn, &o), ASSAY_OK);
        assert_int_equal(o.bad, 0);
        for (int i = 0; i < 40; i++)
            assert_int_equal(o.hits[i], 2);
        assert_int_equal(assay_parallel_for(o.ctx, 8, 1, outer_fn, &o), ASSAY_E_IO);
        assert_string_equal(assay_last_error()->message, "deep");
        assert_string_equal(assay_last_error()->where, "row 5");
        assay_ctx_destroy(o.ctx);
        assay_ctx_destroy(o.other);
    }
}

static assay_status cancel_some(void *arg, int worker, size_t begin, size_t end) {
    job *j = arg;
    (void)worker;
    (void)end;
    atomic_fetch_add(&j->ran, 1);
    if (begin == j->cancel_at)
        assay_ctx_cancel(j->ctx);
    return ASSAY_OK;
}

static void test_cancel(void **state) {
    (void)state;
    for (int threads = 1; threads <= 4; threads++) {
        job j = {.ctx = ctx_with(threads), .cancel_at = 50};
        assert_int_equal(assay_parallel_for(j.ctx, 100000, 1, cancel_some, &j),
                         ASSAY_E_CANCELLED);
        assert_int_equal(assay_last_error()->status, ASSAY_E_CANCELLED);
        assert_true(j.ran >= 51 && j.ran < 100000);
        assert_int_equal(assay_parallel_for(j.ctx, 10, 1, cancel_some, &j),
                         ASSAY_E_CANCELLED);
        assay_ctx_resume(j.ctx);
        assert_int_equal(assay_parallel_for(j.ctx, 10, 1, cancel_some, &j), ASSAY_OK);
        assay_ctx_destroy(j.ctx);
    }
}

/* Two threads of the program on one context: both get their work done. */
static void *second_user(void *arg) {
    job *j = arg;
    for (int i = 0; i < 200; i++)
        if (assay_parallel_for(j->ctx, 1000, 10, mark, j) != ASSAY_OK)
            atomic_fetch_add(&j->bad, 1000);
    return NULL;
}

static void test_two_users(void **state) {
    (void)state;
    enum { N = 1000 };
    assay_ctx *ctx = ctx_with(3);
    static atomic_int hits[2][N];
    job a = {.ctx = ctx, .hits = hits[0], .threads = 3, .grain = 10};
    job b = {.ctx = ctx, .hits = hits[1], .threads = 3, .grain = 10};
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, second_user, &b), 0);
    (void)second_user(&a);
    assert_int_equal(pthread_join(t, NULL), 0);
    assert_int_equal(a.bad, 0);
    assert_int_equal(b.bad, 0);
    for (int i = 0; i < N; i++) {
        assert_int_equal(hits[0][i], 200);
        assert_int_equal(hits[1][i], 200);
    }
    assay_ctx_destroy(ctx);
}

static _Thread_local int told;
static atomic_int told_workers, untold_chunks;

static void tell(void) {
    if (told++ == 0)
        atomic_fetch_add(&told_workers, 1);
}

static assay_status ask(void *arg, int worker, size_t begin, size_t end) {
    (void)arg;
    (void)worker;
    (void)begin;
    (void)end;
    if (told == 0)
        atomic_fetch_add(&untold_chunks, 1);
    return ASSAY_OK;
}

static void test_threads_are_told(void **state) {
    (void)state;
    assay_ctx *ctx = ctx_with(4);
    double partial[100];
    job j = {.partial = partial, .grain = 1};
    assert_int_equal(assay_parallel_for(ctx, 100, 1, sum_chunk, &j),
                     ASSAY_OK); /* all started */
    pool_on_thread(ctx, tell);
    for (int i = 0; i < 100; i++)
        assert_int_equal(assay_parallel_for(ctx, 100, 1, ask, NULL), ASSAY_OK);
    assert_int_equal(untold_chunks, 0);
    assert_true(told_workers >= 1 && told_workers <= 4);
    assert_int_equal(told, 100); /* the calling thread: at each loop */
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_once),
        cmocka_unit_test(test_same_sum),
        cmocka_unit_test(test_lowest_error_comes_back),
        cmocka_unit_test(test_mute_failure),
        cmocka_unit_test(test_nested_runs_inline),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_two_users),
        cmocka_unit_test(test_threads_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The sampler: every order through it, the same global order for any world and from any
 * place on, shares of ranks, weights, subsets, several files. */
#include "data/load/sampler.h"

#include "data/order.h"

#include "base/testing.h"

#include <math.h>

enum { MOST = 5000 };

static sampler *make(assay_ctx *ctx, const sampler_options *o, uint32_t epoch) {
    sampler *s;
    assert_ok(sampler_create(&s, ctx, o));
    assert_ok(sampler_epoch(s, epoch));
    return s;
}

/* ---- one process ---- */

static void subsets(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    uint64_t rows[300];
    for (uint64_t i = 0; i < 300; i++)
        rows[i] = 3 * i + 1;
    for (size_t k = 0; k < order_count(); k++) {
        const data_order *order = order_at(k);
        double ones[300];
        uint8_t seen[900] = {0};
        for (int i = 0; i < 300; i++)
            ones[i] = 1;
        sampler_options o = {.order = order->name,
                             .seed = 3,
                             .rows = 900,
                             .subset = rows,
                             .n_subset = 300,
                             .weights = order->weights ? ones : NULL,
                             .rows_per_page = 60,
                             .pool_pages = 2,
                             .batch = 7};
        sampler *s = make(ctx, &o, 4);
        assert_int_equal(sampler_count(s), 300);
        for (uint64_t i = 0; i < 300; i++) {
            uint64_t row = sampler_at(s, i);
            assert_true(row < 900 && row % 3 == 1);
            assert_true(order->weights || !seen[row]);
            seen[row] = 1;
        }
        sampler_destroy(s);
    }
    const uint64_t given[] = {5, 5, 2, 899, 5};
    sampler_options o = {
        .order = "given", .rows = 900, .subset = given, .n_subset = 5, .batch = 2};
    sampler *s = make(ctx, &o, 1);
    for (uint64_t i = 0; i < 5; i++)
        assert_int_equal(sampler_at(s, i), given[i]);
    sampler_destroy(s);
    assay_ctx_destroy(ctx);
}

static void nothing_per_row(void **unused) {
    (void)unused;
    static const char *const names[] = {"random", "sequential", "quasi-random"};
    assay_ctx *ctx = test_ctx(1);
    for (size_t k = 0; k < 3; k++) {
        sampler_options o = {.order = names[k],
                             .rows = UINT64_C(1000000000),
                             .rows_per_page = 80,
                             .pool_pages = 64,
                             .batch = 256};
        uint64_t before = mem_alloc_count(ctx);
        sampler *s = make(ctx, &o, 7);
        assert_true(mem_alloc_count(ctx) - before <= 4);
        assert_true(sampler_at(s, 999999999) < o.rows);
        assert_int_equal(sampler_batches(s, 0), 3906250);
        sampler_destroy(s);
    }
    assay_ctx_destroy(ctx);
}

static void weighted_frequencies(void **unused) {
    (void)unused;
    enum { N = 50, DRAWS = 200000 };
    assay_ctx *ctx = test_ctx(1);
    double weights[N], sum = 0, chi = 0;
    uint64_t count[N] = {0}, other = 0;
    for (int i = 0; i < N; i++)
        sum += weights[i] = i % 7 == 0 ? 0 : 1e300 * (i % 5 == 0 ? 40 : 1 + i % 3);
    sampler_options o = {.order = "weighted",
                         .seed = 1,
                         .rows = N,
                         .weights = weights,
                         .epoch_rows = DRAWS,
                         .batch = 10};
    sampler *s = make(ctx, &o, 0);
    assert_int_equal(sampler_count(s), DRAWS);
    for (uint64_t i = 0; i < DRAWS; i++)
        count[sampler_at(s, i)]++;
    uint64_t first = sampler_at(s, 0), same = 0;
    for (int i = 0; i < N; i++) {
        double want = weights[i] / sum * DRAWS;
        assert_true(weights[i] > 0 || count[i] == 0);
        if (want > 0)
            chi += ((double)count[i] - want) * ((double)count[i] - want) / want;
    }
    print_message("weighted: chi-square %.1f of 41 degrees of freedom\n", chi);
    assert_true(chi < 75); /* one in a thousand above that */
    assert_ok(sampler_epoch(s, 1));
    for (uint64_t i = 0; i < 1000; i++)
        other += sampler_at(s, i) != first;
    assert_ok(sampler_epoch(s, 0));
    for (uint64_t i = 0; i < 1000; i++)
        same += sampler_at(s, i) == first;
    assert_true(other > 500 && same < 500 && sampler_at(s, 0) == first);
    sampler_destroy(s);
    assay_ctx_destroy(ctx);
}

/* Weights far apart, and sums that do not come out even: a zero stays a zero. */
static void odd_weights(void **unused) {
    (void)unused;
    static const double cases[][6] = {
        {0, 0, 1, 0, 0, 0},
        {1e-300, 0, 1e300, 0, 1, 0},
        {5e-324, 0, 0, 0, 0, 0},
        {0.1, 0, 0.2, 0, 0.3, 0.7},
        {1.7e308, 1.7e308, 0, 0, 1.7e308, 0},
    };
    assay_ctx *ctx = test_ctx(1);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        alias_table *t;
        assert_ok(alias_create(&t, ctx, cases[c], 6));
        for (uint64_t i = 0; i < 3000; i++) {
            rng r = rng_at(1, RNG_TEST, 0, i);
            uint64_t k = alias_draw(t, &r);
            assert_true(k < 6 && cases[c][k] > 0);
        }
        alias_destroy(t);
    }
    assay_ctx_destroy(ctx);
}

static void refusals(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    static const double good[] = {1, 2, 3}, low[] = {1, -1, 3}, nan_[] = {1, NAN, 3},
                        zero[] = {0, 0, 0}, infinite[] = {1, INFINITY, 1};
    static const uint64_t begin[] = {0, 1, 3}, odd[] = {0, 1, 4}, back[] = {0, 4, 3},
                          far_[] = {0, 3}, first_file[] = {0};
    const sampler_options bad[] = {
        {.order = "sideways", .rows = 3, .batch = 1},
        {.order = "random", .rows = 0, .batch = 1},
        {.order = "random", .rows = 3, .batch = 0},
        {.order = "random", .rows = 3, .batch = 1, .rank = 1},
        {.order = "random", .rows = 3, .batch = 1, .rank = -1, .world = 2},
        {.order = "random", .rows = 3, .batch = 1, .world = -2},
        {.order = "random", .rows = 3, .batch = 1, .epoch_rows = 5},
        {.order = "random", .rows = 3, .batch = 1, .weights = good},
        {.order = "random", .rows = 3, .batch = 1, .subset = far_, .n_subset = 2},
        {.order = "random", .rows = 3, .batch = 1, .subset = far_, .n_subset = 0},
        {.order = "given", .rows = 3, .batch = 1},
        {.order = "weighted", .rows = 3, .batch = 1},
        {.order = "weighted", .rows = 3, .batch = 1, .weights = low},
        {.order = "weighted", .rows = 3, .batch = 1, .weights = nan_},
        {.order = "weighted", .rows = 3, .batch = 1, .weights = zero},
        {.order = "weighted", .rows = 3, .batch = 1, .weights = infinite},
        {.order = "random", .rows = 3, .batch = 1, .file_weights = good},
        {.order = "random",
         .rows = 3,
         .batch = 1,
         .file_weights = good,
         .file_begin = odd,
         .files = 2},
        {.order = "random",
         .rows = 3,
         .batch = 1,
         .file_weights = good,
         .file_begin = back,
         .files = 2},
        {.order = "random",
         .rows = 3,
         .batch = 1,
         .file_weights = low,
         .file_begin = begin,
         .files = 2},
        {.order = "random",
         .rows = 3,
         .batch = 1,
         .file_weights = zero,
         .file_begin = begin,
         .files = 2},
        {.order = "random",
         .rows = 3,
         .batch = 1,
         .file_weights = good,
         .file_begin = begin,
         .files = 2,
         .epoch_rows = UINT64_C(1) << 33},
        {.order = "random",
         .rows = 3,
         .batch = 1,
         .file_weights = good,
         .file_begin = begin,
         .files = 2,
         .subset = first_file,
         .n_subset = 1,
         .epoch_rows = 10},
        {.order = "given",
         .rows = 3,
         .batch = 1,
         .file_weights = good,
         .file_begin = begin,
         .files = 2,
         .subset = first_file,
         .n_subset = 1},
        {.order = "weighted",
         .rows = 3,
         .batch = 1,
         .file_weights = good,
         .file_begin = begin,
         .files = 2,
         .weights = (const double[]){0, 1, 1}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sampler *s = (sampler *)ctx;
        assert_fails(ASSAY_E_INVALID, sampler_create(&s, ctx, &bad[i]));
        assert_null(s);
        assert_true(assay_last_error()->message[0] != '\0');
    }
    sampler_destroy(NULL);
    assay_ctx_destroy(ctx);
}

static void no_memory(void **unused) {
    (void)unused;
    long left;
    assay_ctx *ctx = test_ctx_failing(&left);
    static const uint64_t begin[] = {0, 10, 30}, rows[] = {0, 29, 5, 12};
    static const double weights[] = {1, 2, 3, 4}, files[] = {1, 1};
    const sampler_options o = {.order = "weighted",
                               .rows = 30,
                               .batch = 1,
                               .subset = rows,
                               .n_subset = 4,
                               .weights = weights,
                               .file_begin = begin,
                               .file_weights = files,
                               .files = 2};
    long n = 0;
    for (bool made = false; !made; n++) {
        sampler *s;
        left = n;
        assay_status status = sampler_create(&s, ctx, &o);
        left = LONG_MAX;
        made = status == ASSAY_OK;
        assert_true(made || (status == ASSAY_E_NOMEM && s == NULL));
        sampler_destroy(s);
    }
    assert_true(n > 8);
    assay_ctx_destroy(ctx);
}

/* ---- several files ---- */

static void shares_of_files(void **unused) {
    (void)unused;
    enum { FILES = 5, EPOCH = 1000 };
    static const uint64_t begin[] = {0, 400, 420, 420, 1000, 1600};
    static const double share[] = {0.31, 0.2, 0, 0.0901, 0.4};
    static const char *const names[] = {"sequential", "random", "quasi-random"};
    assay_ctx *ctx = test_ctx(1);
    for (size_t k = 0; k < 3; k++) {
        sampler_options o = {.order = names[k],
                             .rows = 1600,
                             .seed = 8,
                             .epoch_rows = EPOCH,
                             .file_begin = begin,
                             .file_weights = share,
                             .files = FILES,
                             .rows_per_page = 32,
                             .pool_pages = 2,
                             .batch = 10};
        sampler *s = make(ctx, &o, 0);
        int seen[1600] = {0}, count[FILES] = {0}, total[FILES] = {0};
        for (uint32_t epoch = 0; epoch < 7; epoch++) {
            assert_ok(sampler_epoch(s, epoch));
            memset(count, 0, sizeof count);
            for (uint64_t i = 0; i < EPOCH; i++) {
                uint64_t row = sampler_at(s, i);
                int f = 0;
                while (row >= begin[f + 1])
                    f++;
                count[f]++;
                total[f]++;
                seen[row]++;
                for (int g = 0; g < FILES; g++)
                    assert_true(fabs(count[g] - (double)(i + 1) * share[g]) < 3);
            }
            assert_int_equal(count[0], 310);
            assert_int_equal(count[1], 200);
            assert_int_equal(count[2], 0);
            assert_int_equal(count[3], 90);
            assert_int_equal(count[4], 400);
        }
        /* Cycle after cycle: rows of a file differ by one visit at most. */
        for (int f = 0; f < FILES; f++)
            for (uint64_t r = begin[f]; r < begin[f + 1]; r++) {
                int n = (int)(begin[f + 1] - begin[f]);
                assert_in_range(seen[r], total[f] / n, (total[f] + n - 1) / n);
            }
        sampler_destroy(s);
    }
    assay_ctx_destroy(ctx);
}

static void weights_in_files(void **unused) {
    (void)unused;
    static const uint64_t begin[] = {0, 10, 30};
    static const uint64_t rows[] = {25, 3, 29, 4, 10, 0};
    static const double weights[] = {0, 1, 5, 3, 5, 0}, share[] = {1, 3};
    assay_ctx *ctx = test_ctx(1);
    sampler_options o = {.order = "weighted",
                         .rows = 30,
                         .seed = 8,
                         .subset = rows,
                         .n_subset = 6,
                         .weights = weights,
                         .epoch_rows = 40000,
                         .file_begin = begin,
                         .file_weights = share,
                         .files = 2,
                         .batch = 10};
    sampler *s = make(ctx, &o, 0);
    double count[30] = {0};
    for (uint64_t i = 0; i < 40000; i++)
        count[sampler_at(s, i)]++;
    assert_true(count[25] == 0 && count[0] == 0);
    assert_true(count[3] + count[4] == 10000 && count[10] + count[29] == 30000);
    assert_true(fabs(count[3] - 2500) < 200 && fabs(count[10] - 15000) < 400);
    sampler_destroy(s);
    assay_ctx_destroy(ctx);
}

/* ---- ranks ---- */

/* Collects what all ranks hand out of `from` on, batch by batch, into rows[place]. Every
 * rank has as many batches, none empty; ranks differ by one sample at most. Returns where
 * it stood after `stop` batches, or at the end. */
static uint64_t collect(assay_ctx *ctx,
                        const sampler_options *base,
                        int world,
                        uint64_t from,
                        uint64_t stop,
                        uint64_t *rows,
                        uint8_t *times) {
    sampler *s[8] = {NULL};
    for (int r = 0; r < world; r++) {
        sampler_options o = *base;
        o.rank = r;
        o.world = world;
        s[r] = make(ctx, &o, 5);
    }
    uint64_t batches = sampler_batches(s[0], from), at = from;
    for (uint64_t b = 0; b < batches && b < stop; b++) {
        int least = base->batch, most = 0;
        for (int r = 0; r < world; r++) {
            assert_int_equal(sampler_batches(s[r], from), batches);
            sampler_span span = sampler_batch(s[r], from, b);
            assert_true(span.n >= 1 && span.n <= base->batch);
            assert_int_equal(span.place, at);
            least = span.n < least ? span.n : least;
            most = span.n > most ? span.n : most;
            for (int i = 0; i < span.n; i++, at++) {
                rows[at] = sampler_at(s[r], at);
                times[at]++;
            }
        }
        assert_true(most - least <= 1);
        assert_int_equal(sampler_handed(s[world - 1], from, b + 1), at);
    }
    for (int r = 0; r < world; r++) {
        assert_int_equal(sampler_batch(s[r], from, batches).n, 0);
        assert_int_equal(sampler_batch(s[r], from, batches + 5).n, 0);
        assert_int_equal(sampler_batches(s[r], MOST * 2), 0);
        sampler_destroy(s[r]);
    }
    return at;
}

static void elastic(void **unused) {
    (void)unused;
    static const int worlds[] = {1, 2, 3, 8};
    static const uint64_t sizes[] = {1, 2, 7, 8, 9, 100, 257, 1000, 1537};
    static uint64_t want[MOST], rows[MOST];
    static uint8_t times[MOST];
    assay_ctx *ctx = test_ctx(1);
    for (int c = 0; c < 9 * 4 * 4 * 2; c++) {
        sampler_options o = {.order = c % 2 ? "random" : "quasi-random",
                             .rows = sizes[c / 2 % 9],
                             .seed = 2,
                             .rows_per_page = 20,
                             .pool_pages = 3,
                             .batch = (const int[]){1, 2, 16, 33}[c / 18 % 4]};
        int world = worlds[c / 72], then = worlds[(c / 72 + c) % 4];
        uint64_t left_out = 0;
        memset(times, 0, sizeof times);
        uint64_t end = collect(ctx, &o, 1, 0, UINT64_MAX, want, times);
        assert_int_equal(end, o.rows);
        memset(times, 0, sizeof times);
        /* A while with one number of ranks, the rest with another. */
        uint64_t at = collect(ctx, &o, world, 0, (uint64_t)c % 5, rows, times);
        at = collect(ctx, &o, then, at, UINT64_MAX, rows, times);
        for (uint64_t i = 0; i < o.rows; i++) {
            assert_true(times[i] <= 1 && (times[i] == 0 || rows[i] == want[i]));
            left_out += times[i] == 0;
        }
        assert_true(left_out < 8 && at + left_out == o.rows);
        assert_true(left_out == 0 || o.batch == 1 || left_out < (uint64_t)then);
        if (world == then && o.batch > 1 && o.rows >= (uint64_t)(world * o.batch))
            assert_int_equal(left_out, 0);
    }
    assay_ctx_destroy(ctx);
}

/* Going on from the middle gives the very batches that would have followed. */
static void resumes(void **unused) {
    (void)unused;
    assay_ctx *ctx = test_ctx(1);
    for (uint64_t n = 1; n < 120; n++) {
        sampler_options o = {
            .order = "random", .rows = n, .batch = 5, .rank = 2, .world = 3};
        sampler *s = make(ctx, &o, 0);
        uint64_t batches = sampler_batches(s, 0);
        for (uint64_t b = 0; b < batches; b++) {
            uint64_t handed = sampler_handed(s, 0, b);
            sampler_span want = sampler_batch(s, 0, b), got = sampler_batch(s, handed, 0);
            assert_int_equal(sampler_batches(s, handed), batches - b);
            assert_true(want.place == got.place && want.n == got.n);
        }
        sampler_destroy(s);
        o.drop_last = true;
        s = make(ctx, &o, 0);
        assert_int_equal(sampler_batches(s, 0), n / 15);
        for (uint64_t b = 0; b < n / 15; b++)
            assert_int_equal(sampler_batch(s, 0, b).n, 5);
        assert_int_equal(sampler_batch(s, 0, n / 15).n, 0);
        sampler_destroy(s);
    }
    assay_ctx_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subsets),
        cmocka_unit_test(nothing_per_row),
        cmocka_unit_test(weighted_frequencies),
        cmocka_unit_test(odd_weights),
        cmocka_unit_test(refusals),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(shares_of_files),
        cmocka_unit_test(weights_in_files),
        cmocka_unit_test(elastic),
        cmocka_unit_test(resumes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

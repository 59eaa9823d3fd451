/* Every order of the registry visits each sample once (or draws from all of them), and
 * the same way again; what random and sequential do never changes; quasi-random keeps to
 * its pool and is as fair as random on a file sorted by class. */
#include "data/order.h"

#include "base/testing.h"

static void walk(const data_order *o, const order_setup *setup, uint32_t epoch) {
    order_state a, b;
    uint64_t n = setup->n;
    bool *seen = calloc(n, 1);
    assert_non_null(seen);
    o->begin(&a, setup, epoch);
    o->begin(&b, setup, epoch);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = o->at(&a, i);
        assert_true(at < n && (o->weights || !seen[at]));
        seen[at] = true;
        assert_int_equal(at, o->at(&b, i));
    }
    free(seen);
}

static void conformance(void **unused) {
    (void)unused;
    static const uint64_t sizes[] = {1,  2,  3,  4,  5,   7,   16,
                                     17, 63, 64, 65, 255, 257, 1000};
    static const uint64_t blocks[] = {0, 1, 3, 16, 2000}, pools[] = {0, 1, 2, 5, 11};
    assay_ctx *ctx = test_ctx(1);
    double ones[1000];
    assert_int_equal(order_count(), 5);
    for (size_t i = 0; i < 1000; i++)
        ones[i] = 1;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        alias_table *alias;
        assert_ok(alias_create(&alias, ctx, ones, sizes[s]));
        for (size_t k = 0; k < order_count(); k++) {
            assert_ptr_equal(order_find(order_at(k)->name), order_at(k));
            for (uint32_t c = 0; c < 25; c++)
                walk(order_at(k),
                     &(order_setup){.n = sizes[s],
                                    .seed = 9,
                                    .alias = alias,
                                    .block_rows = blocks[c / 5],
                                    .pool_blocks = pools[c % 5]},
                     c);
        }
        alias_destroy(alias);
    }
    assert_null(order_find("sideways"));
    assay_ctx_destroy(ctx);
}

/* All small sizes of quasi-random, where the last block and stratum take every form. */
static void quasi_random_small(void **unused) {
    (void)unused;
    const data_order *o = order_find("quasi-random");
    for (uint64_t n = 1; n <= 40; n++)
        for (uint64_t block = 1; block <= 7; block++)
            for (uint64_t pool = 1; pool <= 8; pool++)
                walk(o,
                     &(order_setup){.n = n,
                                    .seed = n * 64 + block,
                                    .block_rows = block,
                                    .pool_blocks = pool},
                     (uint32_t)pool);
}

/* Training depends on these. */
static void random_stays(void **unused) {
    (void)unused;
    static const uint64_t want[] = {42166, 42238, 12156, 30565,
                                    36342, 21345, 40713, 38500};
    order_state s;
    order_find("random")->begin(&s, &(order_setup){.n = 60000, .seed = 1}, 2);
    for (uint64_t i = 0; i < sizeof want / sizeof *want; i++)
        assert_int_equal(order_find("random")->at(&s, i), want[i]);
    /* 10^9 rows and more need no table. */
    order_find("random")->begin(&s, &(order_setup){.n = UINT64_C(1) << 40}, 0);
    assert_true(order_find("random")->at(&s, 12345) < UINT64_C(1) << 40);
}

static void epochs_and_seeds_differ(void **unused) {
    (void)unused;
    static const char *const names[] = {"random", "quasi-random"};
    for (size_t k = 0; k < 2; k++) {
        const data_order *o = order_find(names[k]);
        order_state a, b, c;
        order_setup one = {.n = 1000, .seed = 1, .block_rows = 10, .pool_blocks = 20};
        order_setup two = one;
        int same_epoch = 0, same_seed = 0, in_place = 0;
        two.seed = 2;
        o->begin(&a, &one, 0);
        o->begin(&b, &one, 1);
        o->begin(&c, &two, 0);
        for (uint64_t i = 0; i < 1000; i++) {
            same_epoch += o->at(&a, i) == o->at(&b, i);
            same_seed += o->at(&a, i) == o->at(&c, i);
            in_place += o->at(&a, i) == i;
        }
        assert_true(same_epoch < 15 && same_seed < 15 && in_place < 15);
    }
}

/* No window of the sequence touches more blocks than the pool has. */
static void quasi_random_pool(void **unused) {
    (void)unused;
    enum { N = 20011, BLOCK = 13, POOL = 24, BLOCKS = (N + BLOCK - 1) / BLOCK };
    const data_order *o = order_find("quasi-random");
    order_state s;
    int first[BLOCKS], last[BLOCKS];
    o->begin(&s,
             &(order_setup){.n = N, .seed = 3, .block_rows = BLOCK, .pool_blocks = POOL},
             1);
    for (int k = 0; k < BLOCKS; k++)
        first[k] = N;
    for (int i = 0; i < N; i++) {
        uint64_t k = o->at(&s, (uint64_t)i) / BLOCK;
        first[k] = i < first[k] ? i : first[k];
        last[k] = i;
    }
    for (int i = 0; i < N; i += 7) {
        int open = 0;
        for (int k = 0; k < BLOCKS; k++)
            open += first[k] <= i && i <= last[k];
        assert_true(open <= POOL);
    }
}

/* Over many epochs a row comes at any time: chi-square of the sixth of the epoch that it
 * comes in, with whole blocks and with a short one. */
static void quasi_random_any_time(void **unused) {
    (void)unused;
    enum { MOST = 240, PARTS = 6, EPOCHS = 600 };
    static const uint64_t sizes[] = {MOST, 233};
    const data_order *o = order_find("quasi-random");
    for (int k = 0; k < 2; k++) {
        static int count[MOST][PARTS];
        uint64_t n = sizes[k];
        double sum = 0, want = (double)EPOCHS / PARTS;
        memset(count, 0, sizeof count);
        for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
            order_state s;
            o->begin(
                &s, &(order_setup){.n = n, .seed = 11, .block_rows = 5, .pool_blocks = 8},
                epoch);
            for (uint64_t i = 0; i < n; i++)
                count[o->at(&s, i)][i * PARTS / n]++;
        }
        for (uint64_t r = 0; r < n; r++)
            for (int c = 0; c < PARTS; c++)
                sum += (count[r][c] - want) * (count[r][c] - want) / want;
        /* n * 5 degrees of freedom, but the rows of a block come together */
        print_message("%d rows: chi-square %.0f, %d expected\n", (int)n, sum,
                      (int)n * (PARTS - 1));
        assert_true(sum < 1.4 * (double)n * (PARTS - 1));
    }
}

/* FFCV's scheme as it is described: pages in random order, the rows of a pool of pages
 * drawn at random, a page being replaced when it is used up. For comparison only. */
typedef struct page_pool {
    uint64_t pages, rows, pool;
    uint64_t open[64], left[64]; /* page and rows not yet drawn of it */
    uint64_t next, count;
    rng_perm perm;
    rng r;
} page_pool;

static uint64_t draw_page(page_pool *p) {
    while (p->count < p->pool && p->next < p->pages) {
        p->open[p->count] = rng_perm_at(&p->perm, p->next++);
        p->left[p->count++] = p->rows;
    }
    uint64_t k = rng_below(&p->r, p->count);
    uint64_t row = p->open[k] * p->rows + --p->left[k];
    if (p->left[k] == 0) {
        p->count--;
        p->open[k] = p->open[p->count];
        p->left[k] = p->left[p->count];
    }
    return row;
}

/* Mean over batches of chi-square of the class counts; 9 is what chance gives. */
enum { ROWS = 49152, CLASSES = 10, BATCH = 256, PAGE = 64, PAGES = 16 };

static void count_class(int counts[CLASSES], uint64_t row) {
    counts[row * CLASSES / ROWS]++;
}

static double chi_square(int counts[CLASSES]) {
    double want = (double)BATCH / CLASSES, sum = 0;
    for (int c = 0; c < CLASSES; c++) {
        sum += (counts[c] - want) * (counts[c] - want) / want;
        counts[c] = 0;
    }
    return sum;
}

static double mean_chi_square(const char *name) {
    int counts[CLASSES] = {0};
    double sum = 0;
    for (uint32_t epoch = 0; epoch < 2; epoch++) {
        const data_order *o = order_find(name);
        page_pool p = {.pages = ROWS / PAGE,
                       .rows = PAGE,
                       .pool = PAGES,
                       .perm = rng_perm_make(ROWS / PAGE, 5, RNG_TEST, epoch),
                       .r = rng_at(5, RNG_TEST, epoch, 1)};
        order_state s;
        if (o)
            o->begin(&s,
                     &(order_setup){.n = ROWS,
                                    .seed = 5,
                                    .block_rows = PAGE / 16,
                                    .pool_blocks = PAGES * 16},
                     epoch);
        for (uint64_t i = 0; i < ROWS; i++) {
            count_class(counts, o ? o->at(&s, i) : draw_page(&p));
            if ((i + 1) % BATCH == 0)
                sum += chi_square(counts);
        }
    }
    return sum / (2 * ROWS / BATCH);
}

static void quasi_random_is_fair(void **unused) {
    (void)unused;
    double random = mean_chi_square("random");
    double quasi = mean_chi_square("quasi-random");
    double pages = mean_chi_square("pages");
    print_message("chi-square per batch of %d, 10 classes one behind the other: random "
                  "%.2f, quasi-random %.2f, whole pages at the same pool %.2f\n",
                  BATCH, random, quasi, pages);
    assert_true(random > 8 && random < 10);
    assert_true(quasi < 1.1 * random);
    assert_true(pages > 5 * random); /* or the comparison would show nothing */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conformance),
        cmocka_unit_test(quasi_random_small),
        cmocka_unit_test(random_stays),
        cmocka_unit_test(epochs_and_seeds_differ),
        cmocka_unit_test(quasi_random_pool),
        cmocka_unit_test(quasi_random_is_fair),
        cmocka_unit_test(quasi_random_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

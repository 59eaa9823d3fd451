/* The loader over many epochs: random early stops, a consumer that throws away half of
 * what it gets and is slow at times, a disk that fails now and then. Memory, descriptors
 * and threads must be as many at the end as at the beginning, to the byte; an error of
 * the disk must arrive as such, and the epoch after it must be whole.
 *
 *   load_soak [epochs=200] [seed=1]
 *
 * With ASSAY_SOAK_RESIDENT set, the memory that the system counts must stay flat too: for
 * builds without sanitizers, which hold back what is freed, and with MALLOC_ARENA_MAX=1,
 * since the arenas of threads that came and went fill up by chance.
 */
#include "data/load/load_inside.h"
#include "data/testing_beton.h"

#include <dirent.h>
#include <errno.h>
#include <time.h>

enum { ROWS = 700, BATCH = 32, SETTINGS = 10, HEADER = 64, SLACK_BYTES = 4 << 20 };

/* ---- memory, counted ---- */

typedef struct counter {
    atomic_int_least64_t live, most;
} counter;

static void *count_alloc(void *cookie, size_t bytes) {
    counter *c = cookie;
    uint8_t *p = aligned_alloc(64, (bytes + HEADER + 63) / 64 * 64);
    if (p == NULL)
        return NULL;
    memcpy(p, &bytes, sizeof bytes);
    int64_t now = atomic_fetch_add(&c->live, (int64_t)bytes) + (int64_t)bytes;
    if (now > atomic_load(&c->most))
        atomic_store(&c->most, now);
    return p + HEADER;
}

static void count_release(void *cookie, void *memory) {
    counter *c = cookie;
    size_t bytes;
    if (memory == NULL)
        return;
    memcpy(&bytes, (uint8_t *)memory - HEADER, sizeof bytes);
    atomic_fetch_sub(&c->live, (int64_t)bytes);
    free((uint8_t *)memory - HEADER);
}

static int entries(const char *folder) {
    int n = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    while (readdir(d) != NULL)
        n++;
    assert_int_equal(closedir(d), 0);
    return n;
}

/* Kilobytes of memory of our own, as the system counts them. */
static long resident(void) {
    char line[256];
    long kb = -1;
    FILE *f = fopen("/proc/self/status", "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "RssAnon:", 8) == 0)
            kb = strtol(line + 8, NULL, 10);
    assert_int_equal(fclose(f), 0);
    return kb;
}

/* ---- a disk that fails ---- */

typedef struct disk {
    uint8_t *data;
    uint64_t bytes;
    atomic_uint_least64_t bad; /* the sector that can't be read; UINT64_MAX: none */
    atomic_uint reads;
    atomic_int open;
} disk;

static void nap(long ns) {
    struct timespec t = {0, ns};
    (void)nanosleep(&t, NULL);
}

static int64_t read_disk(void *arg, void *to, uint64_t n, uint64_t offset) {
    disk *d = arg;
    uint64_t bad = atomic_load(&d->bad);
    unsigned call = atomic_fetch_add(&d->reads, 1);
    if (call % 50 == 7)
        nap(300000);
    if (call % 20 == 3)
        return -EINTR;
    if (call % 10 == 5 && n > 1)
        n /= 2;
    if (bad != UINT64_MAX && offset < bad + 512 && offset + n > bad)
        return -EIO;
    n = n < d->bytes - offset ? n : d->bytes - offset;
    memcpy(to, d->data + offset, n);
    return (int64_t)n;
}

static void close_disk(void *arg) {
    disk *d = arg;
    atomic_fetch_sub(&d->open, 1);
}

/* ---- one loader ---- */

typedef struct setting {
    const char *order, *cache;
    int threads, ahead;
    uint64_t cache_bytes;
    bool faulty; /* the first file, through the disk above */
    int files;   /* the same file so many times */
    const char *pipeline;
} setting;

static const char two_views[] =
    "image: random_resized_crop(24) | flip(0.5); other = image: resize(16); label";
static const char plain[] = "image: random_resized_crop(32) | normalize(imagenet); label";

static const setting settings[SETTINGS] = {
    {"random", "map", 2, 0, 0, false, 1, plain},
    {"quasi-random", "read", 2, 3, 200000, false, 1, plain},
    {"sequential", "read", -1, 0, 0, false, 1, two_views},
    {"random", "read", 3, 2, 100000, true, 1, two_views},
    {"weighted", "map", 1, 1, 0, false, 1, two_views},
    {"quasi-random", "read", 1, 0, 1 << 20, true, 1, plain},
    {"random", "map", -1, 0, 0, false, 1, plain},
    {"sequential", "read", 4, 6, 50000, true, 1, plain},
    {"random", "read", 2, 0, 200000, true, 2, two_views},
    {"quasi-random", "read", 1, 2, 500000, false, 3, plain},
};

typedef struct soak {
    assay_ctx *ctx;
    const char *path;
    disk d;
    double weights[ROWS];
    rng r;
    int stopped, whole, failed;
    uint64_t batches;
} soak;

static assay_loader *make(soak *k, const setting *s) {
    assay_loader *l = NULL;
    assay_load_options o = ASSAY_LOAD_OPTIONS_INIT;
    o.batch = BATCH;
    o.order = s->order;
    o.seed = 7;
    o.threads = s->threads;
    o.ahead = s->ahead;
    o.cache = s->cache;
    o.cache_bytes = s->cache_bytes;
    if (strcmp(s->order, "weighted") == 0) {
        o.weights = k->weights;
        o.n_weights = ROWS;
    }
    const char *const paths[] = {k->path, k->path, k->path};
    assert_ok(assay_loader_create(&l, k->ctx, paths, (size_t)s->files, s->pipeline, &o));
    if (s->faulty) {
        const page_reader in = {read_disk, close_disk, &k->d, "the disk", k->d.bytes};
        page_source_destroy(l->file[0].pages);
        l->file[0].pages = NULL;
        atomic_fetch_add(&k->d.open, 1);
        assert_ok(page_source_create_on(&l->file[0].pages, k->ctx, l->file[0].f, &in,
                                        s->cache_bytes, 0));
    }
    return l;
}

/* Every other batch is looked at: labels are of its rows, bytes can all be read. */
static void look_at(soak *k, const assay_batch *b) {
    volatile unsigned sum = 0;
    const assay_batch_column *label = &b->column[b->columns - 1], *first = &b->column[0];
    assert_string_equal(label->name, "label");
    assert_int_equal(label->dtype, ASSAY_I64);
    for (int i = 0; i < b->n; i++)
        assert_int_equal(((const int64_t *)label->data)[i], b->rows[i] % 7);
    size_t n = assay_dtype_size(first->dtype);
    for (int i = 0; i < first->ndim; i++)
        n *= (size_t)first->dim[i];
    for (size_t i = 0; i < n; i++)
        sum += ((const uint8_t *)first->data)[i];
    if (rng_below(&k->r, 20) == 0)
        nap(2000000);
}

static void run_epoch(soak *k, assay_loader *l, const setting *s, uint32_t epoch) {
    uint64_t stop = rng_below(&k->r, 2) ? rng_below(&k->r, ROWS / BATCH) : UINT64_MAX;
    uint64_t offset = 0, bytes, b = 0, rows = 0;
    bool bad = s->faulty && rng_below(&k->r, 3) == 0;
    if (bad) { /* in the middle of some sample's image */
        uint64_t row = rng_below(&k->r, ROWS);
        assert_ok(page_locate(l->file[0].f, row, 0, &offset, &bytes));
        offset += bytes / 2;
    }
    atomic_store(&k->d.bad, bad ? offset : UINT64_MAX);
    assert_ok(assay_loader_epoch(l, epoch));
    for (; b < stop; b++) {
        assay_batch batch;
        assay_status status = assay_loader_next(l, &batch);
        if (status != ASSAY_OK) {
            assert_true(bad);
            assert_int_equal(status, ASSAY_E_IO);
            assert_non_null(strstr(assay_last_error()->where, "the disk: byte "));
            assert_fails(ASSAY_E_IO, assay_loader_next(l, &batch));
            k->failed++;
            return;
        }
        if (batch.n == 0)
            break;
        if (b % 2 == 0)
            look_at(k, &batch);
        rows += (uint64_t)batch.n;
        k->batches++;
    }
    if (b < stop) {
        /* What was cached before the sector went bad may hide it. */
        assert_int_equal(rows, ROWS * s->files);
        k->whole++;
    } else {
        k->stopped++;
    }
}

/* Whatever was there before the epochs, and no more, is there behind them. */
static void run_setting(soak *k, counter *c, int i, uint32_t first, uint32_t epochs) {
    const setting *s = &settings[i];
    int fds = entries("/proc/self/fd"), tasks = entries("/proc/self/task");
    int64_t before = atomic_load(&c->live), half = INT64_MAX / 2;
    assay_loader *l = make(k, s);
    for (uint32_t e = 0; e < epochs; e++) {
        run_epoch(k, l, s, first + e);
        if (e == epochs / 2)
            half = atomic_load(&c->live);
    }
    assert_true(atomic_load(&c->live) - half < SLACK_BYTES);
    assay_loader_destroy(l);
    assert_int_equal(atomic_load(&c->live), before);
    assert_int_equal(entries("/proc/self/fd"), fds);
    assert_int_equal(entries("/proc/self/task"), tasks);
    assert_int_equal(k->d.open, 0);
}

typedef struct request {
    uint32_t epochs;
    uint64_t seed;
} request;

static void epochs_leave_nothing(void **state) {
    const request *want = *state;
    counter c = {0};
    assay_allocator allocator = {count_alloc, count_release, &c};
    assay_ctx_options options = ASSAY_CTX_OPTIONS_INIT;
    soak k = {.r = rng_at(want->seed, RNG_TEST, 0, 0)};
    test_scratch dir = test_scratch_begin();
    test_path path = test_in(&dir, "soak.beton");
    size_t n;
    options.allocator = &allocator;
    options.threads = 2;
    assert_ok(assay_ctx_create(&k.ctx, &options));
    make_beton(k.ctx, path.text, &(test_beton){ROWS, 5, true, false});
    k.path = path.text;
    k.d.data = test_get(k.ctx, path.text, &n);
    k.d.bytes = n;
    for (int i = 0; i < ROWS; i++)
        k.weights[i] = i % 3;
    uint32_t each = (want->epochs + SETTINGS - 1) / SETTINGS, rounds = each < 5 ? 1 : 5;
    long first = 0, last = 0;
    assay_loader_destroy(make(&k, &settings[0])); /* sanitizers start threads then */
    for (uint32_t round = 0; round < rounds; round++) {
        for (int i = 0; i < SETTINGS; i++)
            run_setting(&k, &c, i, round * 1000, (each + rounds - 1) / rounds);
        last = resident();
        if (round == rounds / 2)
            first = last;
        print_message("round %u: %d epochs whole, %d stopped, %d failed by the disk, "
                      "%llu batches; RssAnon %ld kB, at most %lld bytes allocated\n",
                      (unsigned)round, k.whole, k.stopped, k.failed,
                      (unsigned long long)k.batches, last, (long long)c.most);
    }
    mem_free(k.ctx, k.d.data);
    assay_ctx_destroy(k.ctx);
    assert_int_equal(c.live, 0);
    test_scratch_end(&dir);
    assert_true(k.whole > 0 && k.stopped > 0 && k.failed > 0);
    /* Sanitizers keep what was freed. */
    if (getenv("ASSAY_SOAK_RESIDENT") != NULL)
        assert_true((last - first) * 1024 < SLACK_BYTES);
}

int main(int argc, char **argv) {
    request want = {.epochs = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 200,
                    .seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(epochs_leave_nothing, &want),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

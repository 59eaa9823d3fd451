/* Kept features: parts that shards made are gathered to the bytes of one run, whatever
 * their number; damaged ones and those of another model are made again. */
#include "attribute/gradient/project.h"

#include "attribute/study/testing.h"
#include "file/npy.h"

#include <stdio.h>

enum { ROWS = 1300, DIM = 24, MOST = 4 };

typedef struct fixture {
    assay_ctx *ctx;
    little *x;
    uint32_t rows[ROWS]; /* those of the little study, over and over */
    test_scratch s;
} fixture;

static const att_recipe recipe = {
    .epochs = 2, .batch = LITTLE_BATCH, .rate = .05, .momentum = .9, .hold = .5};

static void setup(fixture *f, int threads) {
    *f = (fixture){.ctx = test_ctx(threads), .s = test_scratch_begin()};
    f->x = little_make(f->ctx, NULL, &recipe);
    for (uint32_t i = 0; i < ROWS; i++)
        f->rows[i] = i % LITTLE_ROWS;
}

static void teardown(fixture *f) {
    little_free(f->x);
    test_scratch_end(&f->s);
    assay_ctx_destroy(f->ctx);
}

static void keep(fixture *f,
                 const char *name,
                 uint64_t seed,
                 size_t first,
                 size_t n,
                 const att_part *parts,
                 size_t count) {
    const att_settings o = {.dim = DIM, .projector = "sjlt", .precision = ASSAY_F32};
    att_member m = little_member(f->x);
    char features[80], weights[80];
    att_project p;
    (void)snprintf(features, sizeof features, "%s-features", name);
    (void)snprintf(weights, sizeof weights, "%s-weights", name);
    test_path a = test_in(&f->s, features), b = test_in(&f->s, weights);
    m.seed = seed;
    assert_ok(att_project_open(&p, &m, &o));
    assert_ok(
        att_project_keep(&p, f->rows + first, n, "rows", a.text, b.text, parts, count));
    att_project_close(&p);
}

static void same(fixture *f, const char *one, const char *other, const char *what) {
    char x[80], y[80];
    size_t n, m;
    (void)snprintf(x, sizeof x, "%s-%s.npy", one, what);
    (void)snprintf(y, sizeof y, "%s-%s.npy", other, what);
    test_path p = test_in(&f->s, x), q = test_in(&f->s, y);
    uint8_t *a = test_get(f->ctx, p.text, &n), *b = test_get(f->ctx, q.text, &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    mem_free(f->ctx, a);
    mem_free(f->ctx, b);
}

static void parts_cover_all_rows_once(void **state) {
    (void)state;
    for (size_t n = 1; n < 3000; n += 77)
        for (int shards = 1; shards < 8; shards++) {
            size_t at = 0;
            for (int i = 1; i <= shards; i++) {
                att_part part = att_project_part(n, i, shards);
                assert_true(part.n == 0 || part.first == at);
                at += part.n;
            }
            assert_int_equal(at, n);
        }
}

/* Makes the parts of `shards`, by a model of that seed; out [shards]. */
static size_t
parts_make(fixture *f, att_part *out, test_path path[][2], int shards, uint64_t seed) {
    size_t count = 0;
    for (int i = 1; i <= shards; i++) {
        att_part part = att_project_part(ROWS, i, shards);
        char name[32], features[64], weights[64];
        if (part.n == 0)
            continue;
        (void)snprintf(name, sizeof name, "part-%d-%d-%d", i, shards, (int)seed);
        (void)snprintf(features, sizeof features, "%s-features", name);
        (void)snprintf(weights, sizeof weights, "%s-weights", name);
        keep(f, name, seed, part.first, part.n, NULL, 0);
        path[count][0] = test_in(&f->s, features);
        path[count][1] = test_in(&f->s, weights);
        part.features = path[count][0].text;
        part.weights = path[count][1].text;
        out[count++] = part;
    }
    return count;
}

static void parts_are_gathered(void **state) {
    (void)state;
    fixture f;
    att_part parts[MOST];
    test_path path[MOST][2];
    setup(&f, 2);
    keep(&f, "whole", 3, 0, ROWS, NULL, 0);
    for (int shards = 2; shards <= MOST; shards++) {
        char name[24];
        size_t n = parts_make(&f, parts, path, shards, 3);
        assert_true(n >= 2);
        (void)snprintf(name, sizeof name, "of-%d", shards);
        keep(&f, name, 3, 0, ROWS, parts, shards == 3 ? n - 1 : n); /* one is not there */
        same(&f, "whole", name, "features");
        same(&f, "whole", name, "weights");
    }
    teardown(&f);
}

/* Which rows run together does not matter: rows from 5 on lie in other lanes, batches and
 * blocks. */
static void batches_do_not_matter(void **state) {
    (void)state;
    enum { SKIP = 5 };
    fixture f;
    size_t n, m;
    setup(&f, 2);
    keep(&f, "whole", 3, 0, ROWS, NULL, 0);
    keep(&f, "later", 3, SKIP, ROWS - SKIP, NULL, 0);
    test_path p = test_in(&f.s, "whole-features.npy"),
              q = test_in(&f.s, "later-features.npy");
    uint8_t *a = test_get(f.ctx, p.text, &n), *b = test_get(f.ctx, q.text, &m);
    size_t bytes = (size_t)(ROWS - SKIP) * DIM * sizeof(float);
    assert_true(n > bytes && m > bytes);
    assert_memory_equal(a + n - bytes, b + m - bytes, bytes);
    mem_free(f.ctx, a);
    mem_free(f.ctx, b);
    teardown(&f);
}

static void what_is_not_ours_is_made_again(void **state) {
    (void)state;
    fixture f;
    att_part parts[MOST];
    test_path path[MOST][2];
    setup(&f, 1);
    keep(&f, "whole", 3, 0, ROWS, NULL, 0);
    size_t n = parts_make(&f, parts, path, 2, 4); /* of another model */
    keep(&f, "foreign", 3, 0, ROWS, parts, n);
    same(&f, "whole", "foreign", "features");
    n = parts_make(&f, parts, path, 2, 3);
    char npy[600];
    size_t bytes;
    (void)snprintf(npy, sizeof npy, "%s.npy", parts[0].features);
    uint8_t *data = test_get(f.ctx, npy, &bytes);
    data[bytes - 9] ^= 0x40;
    test_put(npy, data, bytes);
    mem_free(f.ctx, data);
    keep(&f, "damaged", 3, 0, ROWS, parts, n);
    same(&f, "whole", "damaged", "features");
    same(&f, "whole", "damaged", "weights");
    teardown(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_cover_all_rows_once),
        cmocka_unit_test(parts_are_gathered),
        cmocka_unit_test(batches_do_not_matter),
        cmocka_unit_test(what_is_not_ours_is_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* TRAK against a dense f64 oracle on small stores: scores, strongest rows with ties and
 * inactive rows, self-influence, weighted means, trust; the same bytes at any number of
 * threads. */
#include "attribute/trak/attribute.h"

#include "base/rng.h"
#include "base/testing.h"

#include <math.h>

enum {
    MEMBERS = 3,
    K = 24,
    TRAIN = 5000,
    TESTS = 600,
    ROWS = TRAIN + TESTS,
    TARGETS = 40
};

typedef struct world {
    assay_ctx *ctx;
    test_scratch scratch;
    row_store *store[MEMBERS];
    uint8_t *active;
    float *q;
    uint64_t target[TARGETS];
    double *tau; /* [TRAIN][TARGETS] oracle */
    double *inverse[MEMBERS];
} world;

static double phi(const world *w, int m, size_t row, size_t j) {
    return (double)store_row_read(w->store[m], (int64_t)row)[j];
}

/* Gauss-Jordan without pivoting: the matrices are positive. */
static void invert(double *a, double *out, size_t n) {
    for (size_t i = 0; i < n * n; i++)
        out[i] = i % (n + 1) == 0;
    for (size_t p = 0; p < n; p++) {
        double d = 1 / a[p * n + p];
        for (size_t j = 0; j < n; j++) {
            a[p * n + j] *= d;
            out[p * n + j] *= d;
        }
        for (size_t i = 0; i < n; i++) {
            double f = i == p ? 0 : a[i * n + p];
            for (size_t j = 0; j < n && f != 0; j++) {
                a[i * n + j] -= f * a[p * n + j];
                out[i * n + j] -= f * out[p * n + j];
            }
        }
    }
}

static double oracle_weight(const world *w, size_t i) {
    return w->active[i] ? (double)w->q[i] / MEMBERS : 0;
}

static double quadratic(const world *w, int m, size_t i, size_t t) {
    double s = 0;
    for (size_t a = 0; a < K; a++)
        for (size_t b = 0; b < K; b++)
            s += phi(w, m, i, a) * w->inverse[m][a * K + b] * phi(w, m, t, b);
    return s;
}

static void world_make(world *w, int threads) {
    memset(w, 0, sizeof *w);
    w->ctx = test_ctx(threads);
    w->scratch = test_scratch_begin();
    w->active = malloc(TRAIN);
    w->q = malloc(TRAIN * sizeof *w->q);
    for (int m = 0; m < MEMBERS; m++) {
        char name[16];
        (void)snprintf(name, sizeof name, "s%d", m);
        test_path path = test_in(&w->scratch, name);
        assert_ok(store_open(&w->store[m], w->ctx, path.text, "test", ROWS, K, 512));
        for (int64_t i = 0; i < ROWS; i++) {
            rng r = rng_at(5, RNG_TEST, (uint32_t)m, (uint64_t)i / 2 * 2);
            float *to = store_row(w->store[m], i);
            /* rows come in equal pairs, so that there are ties */
            for (size_t j = 0; j < K; j++)
                to[j] = (float)(rng_normal(&r) * (1 + (double)j));
        }
        for (int64_t b = 0; b < store_blocks(w->store[m]); b++)
            assert_ok(store_block_seal(w->store[m], b));
    }
    rng r = rng_at(5, RNG_TEST, 100, 0);
    for (size_t i = 0; i < TRAIN; i++) {
        w->active[i] = i % 7 != 3;
        w->q[i] = i % 2 ? w->q[i - 1] : (float)rng_uniform(&r);
    }
    for (size_t t = 0; t < TARGETS; t++)
        w->target[t] = t % 5 == 0 ? t * 11 : TRAIN + t * 13;
}

static void world_oracle(world *w, double ridge) {
    w->tau = calloc((size_t)TRAIN * TARGETS, sizeof *w->tau);
    for (int m = 0; m < MEMBERS; m++) {
        double *x = calloc(K * K, sizeof *x), trace = 0;
        w->inverse[m] = calloc(K * K, sizeof *x);
        for (size_t i = 0; i < TRAIN; i++)
            for (size_t a = 0; w->active[i] && a < K; a++)
                for (size_t b = 0; b < K; b++)
                    x[a * K + b] += phi(w, m, i, a) * phi(w, m, i, b);
        for (size_t a = 0; a < K; a++)
            trace += x[a * K + a];
        for (size_t a = 0; a < K; a++)
            x[a * K + a] += ridge * trace / K;
        invert(x, w->inverse[m], K);
        free(x);
        for (size_t t = 0; t < TARGETS; t++) {
            double psi[K] = {0};
            for (size_t a = 0; a < K; a++)
                for (size_t b = 0; b < K; b++)
                    psi[a] += w->inverse[m][a * K + b] * phi(w, m, w->target[t], b);
            for (size_t i = 0; i < TRAIN; i++) {
                double s = 0;
                for (size_t a = 0; a < K; a++)
                    s += phi(w, m, i, a) * psi[a];
                w->tau[i * TARGETS + t] += s * oracle_weight(w, i);
            }
        }
    }
}

static void world_free(world *w) {
    for (int m = 0; m < MEMBERS; m++) {
        store_destroy(w->store[m]);
        free(w->inverse[m]);
    }
    free(w->tau);
    free(w->active);
    free(w->q);
    test_scratch_end(&w->scratch);
    assay_ctx_destroy(w->ctx);
}

static att_trak *trak_of(world *w, double ridge) {
    att_trak *t = NULL;
    const att_trak_options o = {.ridge = ridge, .use_q = true};
    assert_ok(att_trak_create(&t, w->ctx, w->store, MEMBERS, TRAIN, w->active, w->q, &o));
    return t;
}

static void test_scores(void **state) {
    (void)state;
    world w;
    world_make(&w, 2);
    world_oracle(&w, 0.5);
    att_trak *t = trak_of(&w, 0.5);
    float *out = malloc(TRAIN * sizeof *out);
    double scale = 0;
    for (size_t i = 0; i < (size_t)TRAIN * TARGETS; i++)
        scale = fmax(scale, fabs(w.tau[i]));
    for (size_t j = 0; j < TARGETS; j += 7) {
        assert_ok(att_trak_scores(t, w.target[j], out));
        for (size_t i = 0; i < TRAIN; i++) {
            assert_true(fabs((double)out[i] - w.tau[i * TARGETS + j]) < 1e-5 * scale);
            assert_true(w.active[i] || out[i] == 0);
        }
    }
    /* weighted mean over targets */
    float weight[TARGETS];
    for (size_t j = 0; j < TARGETS; j++)
        weight[j] = (float)j / TARGETS;
    assert_ok(att_trak_mean(t, w.target, weight, TARGETS, out));
    for (size_t i = 0; i < TRAIN; i++) {
        double want = 0;
        for (size_t j = 0; j < TARGETS; j++)
            want += (double)weight[j] * w.tau[i * TARGETS + j];
        assert_true(fabs((double)out[i] - want) < 1e-4 * scale);
    }
    /* self-influence */
    assert_ok(att_trak_self(t, out));
    for (size_t i = 0; i < TRAIN; i += 53) {
        double want = 0;
        for (int m = 0; m < MEMBERS; m++)
            want += quadratic(&w, m, i, i) * oracle_weight(&w, i);
        assert_true(fabs((double)out[i] - want) <= 1e-5 * want);
        assert_true(out[i] >= 0);
    }
    free(out);
    att_trak_destroy(t);
    world_free(&w);
}

/* Strongest rows are those of the score list sorted by (|score|, row), for one block of
 * targets and for several. */
static void test_top(void **state) {
    (void)state;
    enum { TOP = 9, MANY = 530 };
    world w;
    world_make(&w, 2);
    att_trak *t = trak_of(&w, 1);
    uint64_t *target = malloc(MANY * sizeof *target);
    att_top *top = malloc(sizeof *top * MANY * 2 * TOP);
    float *score = malloc(TRAIN * sizeof *score);
    for (size_t j = 0; j < MANY; j++)
        target[j] = TRAIN + j;
    assert_ok(att_trak_top(t, target, MANY, TOP, top));
    for (size_t j = 0; j < MANY; j += 48) {
        assert_ok(att_trak_scores(t, target[j], score));
        for (int way = 0; way < 2; way++) {
            const att_top *list = top + (j * 2 + (size_t)way) * TOP;
            size_t stronger = 0;
            float last = fabsf(list[TOP - 1].score);
            for (size_t i = 0; i < TRAIN; i++)
                stronger += (way ? -score[i] : score[i]) > last * 1.0001f;
            assert_true(stronger < TOP);
            for (int i = 0; i < TOP; i++) {
                assert_true(way ? list[i].score < 0 : list[i].score > 0);
                assert_true(w.active[list[i].row]);
                assert_true(fabsf(list[i].score - score[list[i].row]) <=
                            1e-4f * fabsf(list[i].score));
                if (i == 0)
                    continue;
                float a = fabsf(list[i - 1].score), b = fabsf(list[i].score);
                assert_true(a > b || (a == b && list[i - 1].row < list[i].row));
            }
        }
    }
    /* equal rows tie exactly, and the lower one comes first */
    size_t ties = 0;
    for (size_t j = 0; j < (size_t)MANY * 2; j++)
        for (size_t i = 1; i < TOP; i++) {
            const att_top *a = top + j * TOP + i - 1;
            if (a[0].row / 2 == a[1].row / 2) {
                assert_true(a[0].score == a[1].score && a[0].row < a[1].row);
                ties++;
            }
        }
    assert_true(ties > MANY);
    assert_ok(att_trak_top(t, NULL, 0, TOP, NULL));
    target[0] = ROWS;
    assert_fails(ASSAY_E_SHAPE, att_trak_top(t, target, 1, TOP, top));
    free(score);
    free(top);
    free(target);
    att_trak_destroy(t);
    world_free(&w);
}

/* Fewer rows than asked for: the rest is marked. */
static void test_few(void **state) {
    (void)state;
    world w;
    world_make(&w, 1);
    memset(w.active, 0, TRAIN);
    w.active[4] = w.active[11] = w.active[12] = 1;
    att_trak *t = trak_of(&w, 1);
    att_top top[2 * 5];
    assert_ok(att_trak_top(t, w.target, 1, 5, top));
    size_t found = 0;
    for (size_t i = 0; i < 10; i++)
        if (top[i].row != UINT32_MAX) {
            assert_true(w.active[top[i].row]);
            found++;
        } else {
            assert_true(top[i].score == 0);
        }
    assert_int_equal(found, 3);
    att_trak_destroy(t);
    world_free(&w);
}

static void test_threads(void **state) {
    (void)state;
    enum { TOP = 6 };
    float *self[2], *mean[2], weight[TARGETS];
    att_top *top[2];
    att_trust trust[2];
    for (size_t j = 0; j < TARGETS; j++)
        weight[j] = 1;
    for (int run = 0; run < 2; run++) {
        world w;
        world_make(&w, run ? 3 : 1);
        att_trak *t = trak_of(&w, 1);
        self[run] = malloc(TRAIN * sizeof(float));
        mean[run] = malloc(TRAIN * sizeof(float));
        top[run] = malloc(sizeof(att_top) * TARGETS * 2 * TOP);
        assert_ok(att_trak_self(t, self[run]));
        assert_ok(att_trak_mean(t, w.target, weight, TARGETS, mean[run]));
        assert_ok(att_trak_top(t, w.target, TARGETS, TOP, top[run]));
        uint8_t *seen = malloc(MEMBERS * TRAIN);
        float margins[MEMBERS * TARGETS];
        for (size_t i = 0; i < MEMBERS * TRAIN; i++)
            seen[i] = i % 3 != i / TRAIN;
        for (size_t i = 0; i < MEMBERS * TARGETS; i++)
            margins[i] = (float)(i * 37 % 101);
        assert_ok(att_trak_trust(t, seen, w.target, TARGETS, margins, 1, &trust[run]));
        free(seen);
        att_trak_destroy(t);
        world_free(&w);
    }
    assert_memory_equal(self[0], self[1], TRAIN * sizeof(float));
    assert_memory_equal(mean[0], mean[1], TRAIN * sizeof(float));
    assert_memory_equal(top[0], top[1], sizeof(att_top) * TARGETS * 2 * TOP);
    assert_memory_equal(&trust[0], &trust[1], sizeof trust[0]);
    for (int run = 0; run < 2; run++) {
        free(self[run]);
        free(mean[run]);
        free(top[run]);
    }
}

/* Margins made from the oracle's predictions are fully trusted, with their slope; noise
 * is not. */
static void test_trust(void **state) {
    (void)state;
    world w;
    world_make(&w, 2);
    world_oracle(&w, 1);
    att_trak *t = trak_of(&w, 1);
    uint8_t *seen = malloc(MEMBERS * TRAIN);
    float margins[MEMBERS * TARGETS];
    att_trust trust;
    rng r = rng_at(6, RNG_TEST, 0, 0);
    for (size_t i = 0; i < MEMBERS * TRAIN; i++)
        seen[i] = rng_below(&r, 3) > 0;
    for (size_t m = 0; m < MEMBERS; m++)
        for (size_t j = 0; j < TARGETS; j++) {
            double s = 0;
            for (size_t i = 0; i < TRAIN; i++)
                s += seen[m * TRAIN + i] ? w.tau[i * TARGETS + j] : 0;
            margins[m * TARGETS + j] = (float)(3 * s + (double)j);
        }
    assert_ok(att_trak_trust(t, seen, w.target, TARGETS, margins, 1, &trust));
    assert_true(trust.correlation > 0.999 && trust.low > 0.99 && trust.high <= 1 + 1e-9);
    assert_true(fabs(trust.slope - 3) < 0.03);
    double mean = 0;
    int covered = 0;
    for (int draw = 0; draw < 20; draw++) {
        for (size_t i = 0; i < MEMBERS * TARGETS; i++)
            margins[i] = (float)rng_normal(&r);
        assert_ok(att_trak_trust(t, seen, w.target, TARGETS, margins, 1, &trust));
        assert_true(trust.low < trust.correlation && trust.correlation < trust.high);
        mean += trust.correlation / 20;
        covered += trust.low <= 0 && trust.high >= 0;
    }
    assert_true(fabs(mean) < 0.1 && covered >= 15);
    assert_ok(att_trak_trust(t, seen, w.target, 0, margins, 1, &trust));
    assert_true(trust.correlation == 0 && trust.slope == 0);
    free(seen);
    att_trak_destroy(t);
    world_free(&w);
}

static void test_refusals(void **state) {
    (void)state;
    world w;
    world_make(&w, 1);
    att_trak *t = NULL;
    att_trak_options o = {.ridge = -1, .use_q = true};
    assert_fails(ASSAY_E_INVALID,
                 att_trak_create(&t, w.ctx, w.store, MEMBERS, TRAIN, NULL, w.q, &o));
    assert_null(t);
    o.ridge = 1;
    assert_fails(ASSAY_E_INVALID,
                 att_trak_create(&t, w.ctx, w.store, MEMBERS, TRAIN, NULL, NULL, &o));
    assert_fails(ASSAY_E_INVALID,
                 att_trak_create(&t, w.ctx, w.store, 0, TRAIN, NULL, w.q, &o));
    assert_fails(ASSAY_E_SHAPE,
                 att_trak_create(&t, w.ctx, w.store, MEMBERS, ROWS + 1, NULL, w.q, &o));
    row_store *bad = NULL;
    test_path path = test_in(&w.scratch, "bad");
    assert_ok(store_open(&bad, w.ctx, path.text, "test", ROWS, K, 512));
    store_row(bad, 17)[3] = NAN;
    assert_fails(ASSAY_E_NUMERIC,
                 att_trak_create(&t, w.ctx, &bad, 1, TRAIN, NULL, w.q, &o));
    assert_null(t);
    /* no gradients at all: scores of zero */
    store_row(bad, 17)[3] = 0;
    assert_ok(att_trak_create(&t, w.ctx, &bad, 1, TRAIN, NULL, w.q, &o));
    float *out = malloc(TRAIN * sizeof *out);
    assert_ok(att_trak_scores(t, 0, out));
    assert_true(out[0] == 0 && out[TRAIN - 1] == 0);
    free(out);
    att_trak_destroy(t);
    store_destroy(bad);
    world_free(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scores), cmocka_unit_test(test_top),
        cmocka_unit_test(test_few),    cmocka_unit_test(test_threads),
        cmocka_unit_test(test_trust),  cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
